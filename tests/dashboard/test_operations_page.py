"""The page SAP operations without a browser: every part, its sentences and tables, links, nothing chosen."""

from __future__ import annotations

import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures import operations as figures
from dashboard.figures import operations_worth as worth
from dashboard.views.operations import moments
from tests.dashboard.pages import app, charts, fine, said

PARTS = ("Strengths", "One operation", "Worth", "What they answer to", "Match with the tasks", "Other learners")


def opened(part: str, **query: str) -> AppTest:
    at = app("operations")
    at.query_params["sap-part"] = part
    for key, value in query.items():
        at.query_params[f"sap-{key}"] = value
    return fine(at.run())


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("learner", ["SAP", "SAP, first-order"])
def test_every_part_has_its_figure_its_question_and_its_data(part, learner):
    at = opened(part, learners=learner)
    assert charts(at)
    assert all(heading.value.endswith("?") for heading in at.subheader)
    assert len(at.subheader) == len(charts(at)) == len(at.dataframe)
    assert all(len(table.value) for table in at.dataframe)


def test_switching_another_operation_off_changes_the_curve():
    at = opened("One operation")
    before = [text.value for text in at.markdown if "Error on this task" in text.value]
    at.selectbox(key="sap-operation").set_value("output.scale").run()
    after = [text.value for text in at.markdown if "Error on this task" in text.value]
    assert before != after
    assert "output: scale held still" in after[0]


def heat(at: AppTest) -> dict:
    """The map of strengths."""
    return charts(at)[0]["data"][0]


def scale(at: AppTest) -> tuple:
    """What must not change while training goes by: the colours' range, the operations, and the axes below."""
    whole = charts(at)
    axes = [
        (whole[1]["layout"][axis].get("range"), whole[1]["layout"][axis].get("type")) for axis in ("xaxis", "yaxis")
    ]
    return heat(at)["zmin"], heat(at)["zmax"], heat(at)["x"], heat(at)["y"], axes


def test_the_slider_moves_the_strengths_through_training_on_one_scale():
    at = opened("Strengths")
    moments = [int(text) for text in at.select_slider(key="sap-moment").options]
    last, before = heat(at)["text"], scale(at)
    seen = []
    for moment in (moments[0], moments[3]):
        fine(at.select_slider(key="sap-moment").set_value(moment).run())
        assert scale(at) == before
        assert f"after {moment:,} meta-updates" in said(at)
        seen.append(heat(at)["text"])
    assert seen[0] != seen[1] != last
    lines = [shape["x0"] for shape in charts(at)[1]["layout"]["shapes"]]
    assert set(lines) == {moments[3]} and len(lines) == 4, "every small multiple marks the moment"


def test_before_training_nothing_is_preferred_and_the_table_says_so():
    at = opened("Strengths", moment="0")
    assert "nothing is preferred" in said(at)
    assert np.allclose(at.dataframe[0].value["times its start"], 1.0, atol=1e-3)


def test_a_moment_as_step_sizes_has_the_strengths_of_that_moment():
    at = opened("Strengths", moment="500", measure="effective step size")
    table = at.dataframe[0].value
    assert np.allclose(table["effective step size"], 0.01 * table["strength"] ** 2)
    assert "Effective step size of each operation after 500 meta-updates" in said(at)


def test_playing_goes_from_the_first_moment_to_the_last_and_ends(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(moments.time, "monotonic", lambda: clock[0])
    at = opened("Strengths")
    options = [int(text) for text in at.select_slider(key="sap-moment").options]
    fine(at.button(key="sap-play").click().run())
    shown = [at.select_slider(key="sap-moment").value]
    assert at.button(key="sap-play").label == "Stop"
    for _ in options[1:]:
        assert fine(at.run()).select_slider(key="sap-moment").value == shown[-1], "not before its time"
        clock[0] += moments.EVERY
        shown.append(fine(at.run()).select_slider(key="sap-moment").value)
    assert shown == options
    assert at.button(key="sap-play").label == "Play"


def test_whoever_moves_the_slider_or_stops_ends_the_playing():
    at = opened("Strengths")
    fine(at.button(key="sap-play").click().run())
    fine(at.button(key="sap-play").click().run())
    assert at.button(key="sap-play").label == "Play"
    fine(at.button(key="sap-play").click().run())
    fine(at.select_slider(key="sap-moment").set_value(1000).run())
    assert at.button(key="sap-play").label == "Play"
    assert at.select_slider(key="sap-moment").value == 1000


def test_a_message_older_than_the_moment_shown_does_not_end_the_playing(monkeypatch):
    """A busy browser answers before it has heard of the new moment, and names the one before."""
    monkeypatch.setattr("dashboard.views.operations.moments.EVERY", 3600.0)  # else a slow test sees the next moment
    at = opened("Strengths")
    before = at.select_slider(key="sap-moment").value
    fine(at.button(key="sap-play").click().run())
    first = at.select_slider(key="sap-moment").value
    assert first != before
    fine(at.select_slider(key="sap-moment").set_value(before).run())
    assert at.button(key="sap-play").label == "Stop"
    assert at.select_slider(key="sap-moment").value == first


def test_without_kept_weights_there_is_no_slider():
    at = opened("Strengths", learners="SAP, first-order")
    assert not at.select_slider
    assert len(charts(at)) == 1


def sentence(at: AppTest) -> str:
    return next(text.value for text in at.markdown if "adapting, **" in text.value)


def badges(at: AppTest, order: str) -> str:
    return next(text.value for text in at.markdown if text.value.startswith(f"**{order}**"))


@pytest.mark.parametrize("n", [0, 3, 20])
def test_n_operations_adapt_in_both_orders_and_on_the_sine(n):
    at = opened("Worth", kept=str(n))
    for order in ("By worth", "By strength"):
        assert badges(at, order).count(":primary-badge") == n
        assert badges(at, order).count("-badge") == 20
    rings = [trace for trace in charts(at)[1]["data"] if trace.get("hoverinfo") == "skip"]
    assert rings[0]["x"] == [n, n]
    errors = [float(number) for number in re.findall(r"\*\*([\d.e+-]+)\*\*", sentence(at))]
    assert (errors[0] == errors[1]) == (n == 20), "all adapt: nothing has changed"


def test_the_slider_of_n_and_the_order_change_curve_and_words():
    at = opened("Worth")
    start = int(at.slider(key="sap-kept").value)
    assert f"**{start}** of 20 operations, taken by worth, come within 10 %" in said(at)
    seen = [sentence(at)]
    fine(at.slider(key="sap-kept").set_value(1).run())
    seen.append(sentence(at))
    fine(at.button_group(key="sap-order").set_value("strength").run())
    seen.append(sentence(at))
    fine(at.number_input(key="sap-task").set_value(7).run())
    seen.append(sentence(at))
    assert len(set(seen)) == 4
    assert "with the first taken by strength" in seen[2]


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("One operation", "operation", "nonsense"),
        ("One operation", "task", "-3"),
        ("Match with the tasks", "form", "x"),
        ("Strengths", "learners", "Nobody"),
        ("Strengths", "moment", "17"),
        ("Strengths", "moment", "x"),
        ("Worth", "kept", "99"),
        ("Worth", "kept", "-1"),
        ("Worth", "order", "x"),
    ],
)
def test_a_link_with_nonsense_opens_the_page(part, key, value):
    opened(part, **{key: value})


def test_with_nobody_chosen_it_says_what_to_do():
    at = opened("Strengths", learners="")
    assert at.info or charts(at)


def test_a_framed_family_is_one_whose_factor_varies():
    truth = np.array([[True, False], [True, True]])
    figure = worth.families(
        ["a", "a + b"], ["a", "b"], ["output.scale", "input.shift"], np.eye(2), truth, "x", 0.5, dark=True
    )
    assert len(figure.data[1].x) == 3


def test_colours_of_strengths_are_multiples_of_the_start():
    names = ["input.scale", "hidden1.identity", "hidden1.scalar-shift"]
    figure = figures.strengths(names, np.array([[1.0, 0.1, 0.25]]), np.array([0.5, 0.1, 0.5]), "strength", dark=False)
    z = np.array(figure.data[0].z, float)
    assert np.nansum(z) == pytest.approx(np.log2(2) + 0 + np.log2(0.5))


def test_an_operation_is_written_for_people():
    assert figures.spoken("hidden1.scalar-shift") == "after layer 1: scalar shift"
    assert figures.spoken("output.scale") == "output: scale"
    assert figures.spoken("hidden2.rank15") == "after layer 2: rank 15"


def test_colours_of_several_moments_reach_as_far_as_the_farthest():
    names, start = ["input.scale", "input.shift"], np.array([0.5, 0.5])
    now, far = np.array([[0.5, 0.5]]), np.array([[0.5 * 8, 0.5]])
    figure = figures.strengths(names, now, start, "strength", every=np.stack([now, far]), dark=False)
    assert figure.data[0].zmax == -figure.data[0].zmin == pytest.approx(3)
    assert figures.strengths(names, now, start, "strength", dark=False).data[0].zmax == 1
