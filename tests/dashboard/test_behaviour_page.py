"""The page Learning behaviour without a browser: every part, every control, and what a link can send."""

from __future__ import annotations

import json
import os

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.pages import app, charts, fine, said

COLLECTION = os.environ.get("INNERLOOP_TEST_RUNS", "sine")
PARTS = {
    "Adaptation": 2,
    "Looking ahead": 2,
    "Task by task": 2,
    "Shots": 1,
    "Shift": 1,
    "Factors": 1,  # at least: the other two need runs that were trained at other shots, and first-order
}


LONG = ("Shots", "Shift", "Factors")  # parts that adapt every learner to many sets of tasks
FEW = "maml,fomaml,op-lstm"


def opened(part: str = "Adaptation", **query: str) -> AppTest:
    """A part of the page at a link, with few tasks."""
    at = app("behaviour")
    at.query_params["runs"] = COLLECTION
    if part in LONG:
        at.query_params["on"] = FEW
    for name, text in {"part": part, "tasks": "50", **query}.items():
        at.query_params[f"behaviour-{name}"] = text
    return fine(at.run())


def drawn(at: AppTest, index: int = 0) -> str:
    """The traces of a figure."""
    return json.dumps(charts(at)[index]["data"])


@pytest.mark.parametrize(("part", "figures"), PARTS.items())
def test_every_part_draws_its_figures(part: str, figures: int):
    at = opened(part)
    assert len(charts(at)) >= figures
    assert len(at.subheader) == len(charts(at)), "every figure has its question"
    assert all(title.value.endswith("?") for title in at.subheader)
    assert not at.info


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("learners", ["", "maml"])
def test_with_one_learner_or_none_there_is_no_error(part: str, learners: str):
    at = opened(part)
    fine(at.button_group(key="behaviour-learners").set_value([learners] if learners else []).run())
    assert at.info or charts(at)
    assert bool(charts(at)) == (bool(learners) and part != "Task by task")


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("Shots", "Factors")])  # which take long
def test_a_single_shot_collection_and_unknown_values_do_no_harm(part: str):
    at = opened(part, tasks="7", band="x", steps="y", reference="nobody", x="nobody", moved="up", axis="z", shots="5")
    assert charts(at)


def test_tasks_change_what_is_computed():
    at = opened()
    assert "50 held-out tasks" in said(at)
    before = drawn(at)
    fine(at.button_group(key="behaviour-tasks").set_value(200).run())
    assert "200 held-out tasks" in said(at)
    assert drawn(at) != before


@pytest.mark.parametrize(
    ("key", "value", "index"),
    [
        ("band", "95 % of the tasks", 0),
        ("steps", "linear", 0),
        ("axis", "linear", 0),
        ("compared", "difference", 1),
        ("scope", "these trainings", 1),
    ],
)
def test_switches_change_the_figure(key: str, value: str, index: int):
    at = opened()
    before = charts(at)[index]
    fine(at.button_group(key=f"behaviour-{key}").set_value(value).run())
    assert charts(at)[index] != before


def test_another_reference_pairs_with_it():
    at = opened()
    names = at.selectbox(key="behaviour-reference").options
    fine(at.selectbox(key="behaviour-reference").select_index(len(names) - 1).run())
    assert f"Who is better than {names[-1]} on the same tasks?" in [title.value for title in at.subheader]


def test_the_toy_flows_as_its_sliders_say():
    at = opened("Looking ahead")
    assert "**FOMAML** ends at 57.1" in said(at)
    fine(at.toggle(key="behaviour-toy-plateau").set_value(True).run())
    assert "13.7" in said(at)
    assert "closed form" not in " ".join(caption.value for caption in at.caption)
    fine(at.slider(key="behaviour-toy-steps").set_value(1).run())
    assert "after 1 step." in said(at)


def test_a_task_opens_by_its_rank_and_by_its_number():
    at = opened("Task by task")
    gap = at.subheader[1].value
    fine(at.button_group(key="behaviour-open").set_value("worst").run())
    worst = at.subheader[1].value
    assert worst != gap
    fine(at.number_input(key="behaviour-task").set_value(7).run())
    assert at.subheader[1].value == "What do they make of task 7?"


@pytest.mark.parametrize("axis", ["frequency", "phase", "inputs", "noise"])
def test_tasks_move_along_every_axis(axis: str):
    at = opened("Shift", moved=axis)
    assert len(charts(at)) == 1
    assert axis in at.subheader[0].value


def test_a_map_shows_one_learner_or_compares_two():
    at = opened("Shift", map="true")
    assert "How far from training" in at.subheader[1].value
    at.selectbox(key="behaviour-map-against").select_index(0)
    fine(at.run())
    assert at.subheader[1].value.startswith("Where does")
    fine(at.selectbox(key="behaviour-map-right").set_value("amplitude").run())
    assert "Choose two different axes." in [info.value for info in at.info]
