"""The page Attribution without a browser: every part, own points, sentences with numbers from what is drawn."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views.attribution import words
from tests.dashboard.pages import app, charts, fine, said

PARTS = {"Points": 1, "Reach": 1, "Layers and units": 2}


def opened(part: str = "Points", *learners: str, **query: str) -> AppTest:
    """A part of the page at a link."""
    at = app("attribution")
    at.query_params["on"] = ",".join(learners or ("maml", "lstm"))
    for name, text in {"part": part, **query}.items():
        at.query_params[f"attribution-{name}"] = text
    return fine(at.run())


@pytest.mark.parametrize(("part", "figures"), PARTS.items())
def test_every_part_draws_its_figures(part: str, figures: int):
    at = opened(part)
    assert len(charts(at)) == figures
    assert all(title.value.endswith("?") for title in at.subheader)


@pytest.mark.parametrize("part", PARTS)
def test_with_nothing_chosen_there_is_a_hint_and_no_error(part: str):
    at = opened(part)
    fine(at.button_group(key="attribution-learners").set_value([]).run())
    assert at.info and not charts(at)


def test_another_query_is_another_answer_and_the_sentence_follows():
    at = opened()
    first = charts(at)[0]
    assert "At x = 1.0:" in said(at)
    fine(at.slider(key="attribution-x").set_value(-2.0).run())
    assert "At x = -2.0:" in said(at)
    assert charts(at)[0] != first


@pytest.mark.parametrize("method", ["leave one out", "integrated gradients", "walked labels"])
def test_every_method_can_be_drawn(method: str):
    at = opened()
    before = charts(at)[0]
    fine(at.button_group(key="attribution-method").set_value(method).run())
    assert method in said(at)
    assert charts(at)[0] != before


def test_own_points_take_the_place_of_the_task():
    at = opened(points="-2:1,0:3,2:-1")
    assert "adapting to 3 points" in said(at)
    assert "all 8 coalitions" in said(at)


@pytest.mark.parametrize(
    ("points", "complaint"),
    [("nonsense", "left out"), ("1:nan", "left out"), ("99:1", "left out"), (",".join(["1:1"] * 25), "first 20")],
)
def test_points_that_cannot_be_taken_are_named(points: str, complaint: str):
    at = opened(points=points)
    assert any(complaint in warning.value for warning in at.warning)
    assert charts(at)


def test_the_points_of_the_live_page_can_be_taken():
    at = app()
    at.query_params["points"] = "-1:2,1:-2"
    fine(at.run())
    at.switch_page("views/attribution/attribution.py")
    fine(at.run())
    button = next(b for b in at.button if b.label.startswith("Take the points"))
    assert not button.disabled
    fine(button.click().run())
    assert at.text_input(key="attribution-points").value == "-1:2,1:-2"
    assert "adapting to 2 points" in said(at)


def test_many_points_are_sampled_and_the_error_is_told():
    at = opened("Points", "maml", points=",".join(f"{x / 3 - 2:.2f}:1" for x in range(12)))
    assert "Shapley values are sampled; standard error of one value: MAML ±" in said(at)
    assert "all coalitions" not in at.button_group(key="attribution-orders").options


def test_a_learner_without_layers_is_named():
    at = opened("Layers and units")
    assert "Not in what follows: LSTM, pooled" in said(at)
    at = opened("Layers and units", "lstm")
    assert len(at.info) == 1 and not charts(at)


def test_unknown_values_in_a_link_do_no_harm():
    at = opened(x="abc", task="-9", method="none", baseline="q", orders="3")
    assert "At x =" in said(at)


def test_the_share_of_far_influence_is_what_is_drawn():
    at = opened("Reach", "maml")
    grid = np.linspace(-5, 5, 101)
    drawn = next(trace for trace in charts(at)[0]["data"] if trace["type"] == "heatmap")
    dots = next(trace for trace in charts(at)[0]["data"] if trace["type"] == "scatter")
    z, x = decoded(drawn["z"]), decoded(dots["x"])
    away = np.abs(x[:, None] - grid) > 1.5
    share = np.abs(z)[away].sum() / np.abs(z).sum()
    assert f"MAML {100 * share:.0f} %" in said(at)


def decoded(array: Any) -> np.ndarray:
    """An array as Plotly writes it."""
    if isinstance(array, list):
        return np.array(array, float)
    import base64

    flat = np.frombuffer(base64.b64decode(array["bdata"]), dtype=array["dtype"])
    shape = [int(n) for n in re.findall(r"\d+", str(array.get("shape", len(flat))))]
    return flat.reshape(shape)


@pytest.mark.parametrize(("values", "count"), [([1.0, -1.0, 1.0, 1.0], 4), ([0.0, -3.0, 0.0], 1), ([0.0, 0.0], 0)])
def test_carrying_units(values: list[float], count: float):
    assert float(words.carrying(np.array(values))) == pytest.approx(count)
