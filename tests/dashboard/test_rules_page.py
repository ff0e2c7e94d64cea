"""The page Update rules without a browser: every part, every control, sentences with numbers from what is drawn."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures import rules_readings, rules_surfaces
from dashboard.views.rules import boxes, directions, rule_tables
from dashboard.widgets.naming import titles
from engine.runs.ensembles import Ensemble
from probes import asking
from probes.questions import blackbox
from probes.tools.algorithms import SINES
from tests.dashboard.pages import app, charts, fine, said
from tests.engine.learners.test_op_lstm import backpropagation
from tests.probes.questions.test_diversity import ensemble
from tests.probes.questions.test_updates import alone

PARTS = {"Directions": 2, "The rule": 4, "Black boxes": 3, "Memory": 2}  # figures, at least


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few tasks everywhere: what the numbers are is proven by the probes' own tests."""
    monkeypatch.setattr("dashboard.views.rules.directions.TASKS", 4)
    monkeypatch.setattr("dashboard.views.rules.directions.ALONG", 2)
    monkeypatch.setattr("dashboard.views.rules.rule.TASKS", 4)
    few_boxes = {"tasks": 4, "shots": (2, 10), "ordered": 1, "orders": 4, "steps": (2,)}
    monkeypatch.setattr("dashboard.views.rules.boxes.CONFIG", few_boxes)


def opened(part: str, *learners: str, **query: str) -> AppTest:
    """A part of the page at a link."""
    at = app("rules")
    at.query_params["on"] = ",".join(learners or ("lstm", "op-lstm"))
    for name, text in {"part": part, **query}.items():
        at.query_params[f"rules-{name}"] = text
    return fine(at.run())


@pytest.mark.parametrize(("part", "figures"), PARTS.items())
def test_every_part_draws_its_figures(part: str, figures: int):
    at = opened(part)
    assert len(charts(at)) >= figures
    assert all(title.value.endswith("?") for title in at.subheader)


@pytest.mark.parametrize("part", PARTS)
def test_with_nothing_chosen_there_is_a_hint_and_no_error(part: str):
    at = opened(part)
    fine(at.button_group(key="rules-learners").set_value([]).run())
    assert at.info
    assert not charts(at)


@pytest.mark.parametrize(("part", "learner"), [("Directions", "lstm"), ("The rule", "maml"), ("Memory", "maml")])
def test_a_learner_that_a_part_says_nothing_about_is_met_with_a_sentence(part: str, learner: str):
    at = opened(part, learner)
    assert len(at.info) == 1
    assert not charts(at)


def test_unknown_values_in_a_link_do_no_harm():
    at = opened("Directions", reference="x", measure="y", **{"part-of": "z"})
    assert "down the gradient" in said(at)


@pytest.mark.parametrize(
    ("key", "value", "question"),
    [
        ("reference", "least squares", "Does each step go to the least-squares head?"),
        ("reference", "prototypes", "Does each step write what the labels say?"),
        ("measure", "distance", "Does each step go down the gradient?"),
        ("part-of", "output layer", "Does each step go down the gradient?"),
    ],
)
def test_every_direction_can_be_asked_for(key: str, value: str, question: str):
    at = opened("Directions", "maml", "op-lstm")
    before = charts(at)[0]
    fine(at.button_group(key=f"rules-{key}").set_value(value).run())
    assert at.subheader[0].value == question
    assert charts(at)[0] != before


@pytest.mark.parametrize("learner", ["op-lstm", "turtle", "meta-lstm", "meta-lstm-enhanced", "turtle-first-order"])
def test_every_kind_of_rule_has_its_picture(learner: str):
    at = opened("The rule", learner)
    assert len(charts(at)) >= 4
    assert "its own rule reaches" in said(at)


def test_a_pass_and_a_seed_are_chosen():
    at = opened("The rule", "op-lstm")
    before = charts(at)[0]
    fine(at.slider(key="rules-pass").set_value(7).run())
    assert "carried into pass 7" in json.dumps(charts(at)[0])
    second = charts(at)[0]
    assert second != before
    fine(at.button_group(key="rules-seed").set_value(1).run())
    assert charts(at)[0] != second


def test_mistakes_at_another_number_of_points():
    at = opened("Black boxes", "lstm", "lstm-sequential")
    before = charts(at)[1]
    fine(at.button_group(key="rules-points").set_value(2).run())
    assert charts(at)[1] != before
    assert "2 support points" in said(at)


def test_the_sequential_lstm_alone_minds_the_order():
    text = said(opened("Black boxes", "lstm", "lstm-sequential"))
    assert re.search(r"Spread over orders.*\*\*LSTM, sequential\*\*.*None beyond rounding.*LSTM, pooled", text)


@pytest.mark.parametrize("learner", ["lstm", "lstm-sequential", "op-lstm"])
def test_the_inside_of_every_memory_is_drawn_for_every_task(learner: str):
    at = opened("Memory", learner)
    inside = charts(at)[-1]
    fine(at.number_input(key="rules-task").set_value(5).run())
    assert "Task 5 (amplitude" in said(at)
    assert charts(at)[-1] != inside


def test_decoding_on_the_way_through_the_support():
    at = opened("Memory", "lstm")
    before = charts(at)[0]
    fine(at.button_group(key="rules-over").set_value("reading").run())
    assert charts(at)[0] != before
    assert "points read" in json.dumps(charts(at)[0])


# ---- sentences ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def descending() -> Ensemble:
    """An OP-LSTM that is gradient descent."""
    return alone(*backpropagation(1e-3, normalise=False, steps=3))


def test_an_op_lstm_that_is_gradient_descent_is_said_to_be(descending: Ensemble):
    found = asking.ask("updates", [descending], {"tasks": 4, "rate": 0.5e-3}).answers
    names = titles([descending])
    curves = directions.passes(found, names, "gradient", "cosine", "all layers")
    assert directions.passes_sentence(curves, "gradient descent") == " Exactly there throughout: OP-LSTM."
    table = directions.wholes(found, names)
    assert "nearest to gradient descent (1.00)" in directions.whole_sentence(table, found, names)


def test_its_rule_is_written_down_and_explains_all_of_it(descending: Ensemble):
    one = asking.ask("rule", [descending], {"fitted_on": 6, "tasks": 6, "grid": 7}).answers[0]
    assert "**gradient descent** 100 % (1 times its error)" in rule_tables.in_place_sentence(one)
    surface = next(s for s in one.picture.surfaces if s.part == "output_lstm")
    assert re.search(r"0\.0010? y − 0\.0010? ŷ\*\* \(100 %", rule_tables.surface_sentence(surface, one, 0, 1))
    assert "**output cell**: gradient descent 100 %" in rule_tables.term_sentence(one)
    rows = rule_tables.variants(one)
    assert [row.title for row in rows[:2]] == ["before adapting", "its own rule"]
    assert rows[1].mean == pytest.approx(next(r.mean for r in rows if r.title == "gradient descent"), rel=1e-6)


def test_an_algorithm_without_mistakes_has_none_to_share():
    made = ensemble("lstm", seeds=2)
    config = {"tasks": 4, "shots": (8,), "points": 9, "steps": (2,), "ordered": 1, "orders": 2}
    found = asking.ask("blackbox", [made], config)
    values, columns, parted = boxes.mistake_table(found, found.boxes, titles([made]), 0)
    assert np.isnan(values[0, columns.index(SINES)])
    assert columns[parted:] == ["LSTM, pooled"]
    pair = found.boxes[0].said[0]
    wanted = np.mean([blackbox.mistakes(pair[i], pair[1 - i], found.truth) for i in (0, 1)])
    assert values[0, parted] == pytest.approx(wanted)


# ---- figures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_figures_bear_rules_that_say_nothing(dark: bool):
    """All zeros, one seed, no history: drawn, not divided by."""
    grid = np.linspace(-1, 1, 5)
    zero = np.zeros((5, 5))
    fig = rules_surfaces.surfaces(grid, grid, [("a", zero), ("b", zero)], np.zeros((3, 2)), ("y", "x", "h"), dark)
    assert len(fig.data) == 3
    fig = rules_surfaces.moves(grid, np.zeros((1, 5)), zero, np.array([0.0, 1.0]), False, 0, "turtle", dark)
    assert len(fig.data) == 2
    shares = {"move": {"gradient descent": np.ones((2, 1)), "linear": np.ones((2, 1))}}
    assert all(trace.mode == "markers" for trace in rules_readings.shares(shares, "turtle", dark).data)
