"""The page Loss landscape without a browser: every part, every control, and what a link can send."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures import landscape as figures
from dashboard.figures import landscape_lines as lines
from dashboard.figures.landscape import Looks, Relief, Way
from dashboard.figures.landscape_surfaces import MOST_SURFACES, surfaces
from dashboard.views.landscape import curvature_tables, surface_tables
from dashboard.widgets.state import NOBODY
from engine import make
from probes.questions.curvature import Curved
from probes.questions.landscape import Plane
from probes.questions.landscape import Way as Found
from tests.dashboard.pages import app, charts, fine, said

COLLECTION = os.environ.get("INNERLOOP_TEST_RUNS", "sine")
LOSSES = {"Task loss": "task", "Meta-loss": "meta"}
FAST = {"meta-size": "15", "meta-tasks": "5", "task-size": "21"}


def opened(part: str = "Task loss", learners: tuple[str, ...] = ("maml", "sap"), **query: str) -> AppTest:
    """A part of the page at a link, with small planes."""
    at = app("landscape")
    at.query_params.update({"runs": COLLECTION, "on": ",".join(learners) or NOBODY})
    for name, text in {"part": part, **FAST, **query}.items():
        at.query_params[f"landscape-{name}"] = text
    return fine(at.run())


@pytest.mark.parametrize("part", [*LOSSES, "Curvature", "Learned rules", "Cost"])
def test_every_part_draws_its_figures_with_a_question_each(part: str):
    at = opened(part)
    assert len(charts(at)) >= (1 if part == "Cost" else 2)
    assert len(at.subheader) == len(charts(at))
    assert all(title.value.endswith("?") for title in at.subheader)


@pytest.mark.parametrize(("part", "loss"), LOSSES.items())
def test_no_figure_leaves_open_which_loss_it_shows(part: str, loss: str):
    at, word = opened(part), {"task": "task loss", "meta": "meta-loss"}[loss]
    other = {"task": "meta-loss", "meta": "task loss"}[loss]
    assert word in at.subheader[0].value
    assert all(other not in title.value for title in at.subheader)
    assert word in json.dumps(charts(at)[0]["layout"])


@pytest.mark.parametrize("part", LOSSES)
@pytest.mark.parametrize("view", ["Contours", "3-D", "1-D"])
def test_every_view_is_drawn(part: str, view: str):
    kinds = {"Contours": "contour", "3-D": "surface", "1-D": "scatter"}
    at = opened(part, ("maml",), **{f"{LOSSES[part]}-view": view})
    assert kinds[view] in {trace["type"] for trace in charts(at)[0]["data"]}


@pytest.mark.parametrize("part", LOSSES)
@pytest.mark.parametrize("plane", ["the path", "random", "sharpest", "gradient", "three runs"])
def test_every_plane_is_drawn(part: str, plane: str):
    at = opened(part, ("maml",), **{f"{LOSSES[part]}-plane": plane})
    assert len(charts(at)) == 2
    if plane == "three runs":
        assert "between the first two runs" in said(at)
    if plane == "sharpest":
        assert "λ = " in json.dumps(charts(at)[0]["layout"], ensure_ascii=False)


@pytest.mark.parametrize("part", [*LOSSES, "Curvature"])
@pytest.mark.parametrize("learners", [(), ("lstm",), ("mt-net",)])
def test_with_no_learner_or_one_that_lacks_the_loss_a_sentence_says_so(part: str, learners: tuple[str, ...]):
    at = opened(part, learners)
    if not learners:
        assert "Choose at least one learner" in at.info[0].value
    elif (learners == ("lstm",)) == (part != "Meta-loss"):
        assert not charts(at)
        assert ("adapts no network" in said(at)) or ("straight-through" in said(at))
    else:
        assert charts(at)


def test_links_that_ask_for_the_impossible_do_no_harm():
    odd = {"task-view": "x", "task-plane": "y", "task-axis": "z", "points": "?", "task": "9999", "step": "-4"}
    assert charts(opened(**odd, **{"task-run": "77", "task-size": "9", "shots": "3"}))


def test_another_task_step_or_seed_is_another_surface():
    at = opened(learners=("maml",))
    seen = [json.dumps(charts(at)[0]["data"])]
    for key, value in (("task", 7), ("step", 1), ("task-run", 1)):
        fine(at.number_input(key=f"landscape-{key}").set_value(value).run())
        seen.append(json.dumps(charts(at)[0]["data"]))
    assert len(set(seen)) == len(seen)
    assert "held-out task 7" in said(at)
    assert "after inner step 1" in said(at)
    assert "seed 1" in seen[-1]


@pytest.mark.parametrize(("key", "value"), [("task-axis", "linear"), ("points", "query"), ("task-plane", "random")])
def test_switches_change_the_figure(key: str, value: str):
    at = opened(learners=("maml",))
    before = charts(at)[0]
    fine(at.button_group(key=f"landscape-{key}").set_value(value).run())
    assert charts(at)[0] != before


def test_curvature_of_both_losses_and_along_the_training():
    at = opened("Curvature", ("maml",))
    before = json.dumps(charts(at)[0]["data"])
    fine(at.button_group(key="landscape-eigenvalues").set_value("density").run())
    assert "per unit of the axis" in json.dumps(charts(at)[1])
    if at.toggle:
        fine(at.toggle(key="landscape-along-training").set_value(True).run())
        assert at.subheader[-2].value == "Does the task loss get sharper as training goes on?"
    at = opened("Curvature", ("maml",), curved="meta-loss")
    assert at.subheader[0].value.startswith("How curved is the meta-loss")
    assert json.dumps(charts(at)[0]["data"]) != before


# ---- tables and figures -----------------------------------------------------------------------------


def plane(values: np.ndarray, path: list[float], on_plane: list[float], name: str = "maml") -> Plane:
    """A plane of 3 x 3 places and a straight path along x to its centre."""
    n = len(path)
    xy = np.stack([np.linspace(-1, 0, n), np.zeros(n)], -1)
    way = Found(np.arange(n), xy, np.array(path), np.array(on_plane), np.zeros(n), np.abs(xy[:, 0]), 0.25)
    empty = np.zeros(0)
    none = Found(empty, np.zeros((0, 2)), empty, empty, empty, empty, float("nan"))
    places = np.array([-1.0, 0.0, 1.0])
    return Plane(name, 4, 9, 2.0, path[-1], places, places, values, np.zeros(0), way, none)


def relief(values: np.ndarray, path: list[float]) -> Relief:
    return surface_tables.reliefs([plane(values, path, path)], {"maml": "MAML"}, "task", "path")[0]


def test_colours_end_where_a_path_would_no_longer_be_told_apart():
    huge = np.full((3, 3), 2.0)
    huge[0, 0], huge[2, 2] = 1e50, np.nan
    one = relief(huge, [3.0, 2.0])
    assert figures.span([one]) == (2.0, 30.0)
    fig = figures.contours([one], Looks(("x", "y"), "task loss", True, False))
    contour = fig.data[0]
    assert np.asarray(contour.z).max() == pytest.approx(np.log10(30), abs=1e-3)
    assert contour.customdata[2][2] == "without bound"
    assert contour.customdata[1][1] == "2"


def test_every_hover_names_the_learner_and_its_run():
    one = relief(np.ones((3, 3)), [3.0, 1.0])
    looks = Looks(("x", "y"), "task loss", True, True)
    for fig in (
        figures.contours([one], looks),
        surfaces([one], looks),
        lines.slices([one], looks),
        lines.trap([one], looks, "inner step"),
    ):
        told = [trace.hovertemplate for trace in fig.data if trace.hoverinfo != "skip"]
        assert told
        assert all("MAML" in words and "seed 4" in words for words in told)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_any_number_of_learners_has_a_place(count: int):
    many = [relief(np.ones((3, 3)), [3.0, 1.0])] * count
    looks = Looks(("x", "y"), "task loss", False, False)
    assert sum(trace.type == "contour" for trace in figures.contours(many, looks).data) == count
    assert sum(t.type == "surface" for t in surfaces(many, looks).data) == min(count, MOST_SURFACES)
    assert lines.slices(many, looks).data
    assert lines.trap(many, looks, "inner step").data


def test_the_trap_is_told_with_its_numbers():
    names = {"maml": "MAML"}
    told = surface_tables.trap_sentence([plane(np.ones((3, 3)), [4.0, 2.0], [0.5, 2.0])], names, "task")
    assert "hold 25 % of the path" in told
    assert "step 0 of MAML: the true loss is 4, the plane shows 0.5" in told
    assert "not where learning walked" in told
    level = surface_tables.trap_sentence([plane(np.ones((3, 3)), [4.0, 2.0], [4.0, 2.0])], names, "task")
    assert "within 5 %" in level


def test_a_walk_is_told_with_its_length_and_losses():
    told = surface_tables.walk_sentence([plane(np.ones((3, 3)), [4.0, 2.0], [4.0, 2.0])], {"maml": "MAML"}, "task")
    assert (
        told
        == "The inner loop of **MAML** ends 100 % of |c| from where it starts. Loss at start and centre: MAML 4 → 2."
    )


def test_eigenvalues_are_counted_to_either_side():
    nodes, weights = np.array([[-2.0, 1.0, 5.0], [-2.0, 1.0, 5.0]]), np.array([[0.2, 0.7, 0.1]] * 2)
    found = curvature_tables.beyond(nodes, weights, np.array([-3.0, -2.0, 0.5, 3.0, 6.0]))
    assert found == pytest.approx([0, 0.2, 0.8, 0.1, 0])


def test_a_scale_of_logarithms_has_an_interval_of_logarithms():
    one, ends = np.ones(3), np.array([[1.0], [10.0], [100.0]])
    found = Curved("maml", -1, 5, one, one, one, ends, -ends, one, one, np.zeros((3, 0, 0)), np.zeros((3, 0, 0)), one)
    mean, low, high = curvature_tables.triple(found, "high")
    assert mean == pytest.approx(10)
    assert low * high == pytest.approx(100)
    assert curvature_tables.triple(found, "low")[0] == pytest.approx(-37)


def test_a_rise_without_bound_is_cut_in_the_figure():
    one, ends = np.ones(3), np.array([[1.0], [10.0], [100.0]])
    rise = np.array([2.0, 8e274, np.nan])
    found = Curved("sap", -1, 5, one, one, one, ends, -ends, one, one, np.zeros((3, 0, 0)), np.zeros((3, 0, 0)), rise)
    assert curvature_tables.by_seed(found, "sharpness") == pytest.approx([2, 1e6, 1e6])
    assert np.isfinite(curvature_tables.triple(found, "sharpness")).all()
    assert curvature_tables.table([found], {"sap": "SAP"}, {"sap": [0, 1, 2]})["sharpness"][1] == 8e274


def test_only_plain_gradient_descent_has_a_limit_of_stability():
    rates = {name: curvature_tables.descent_rate(make(name)) for name in ("maml", "fomaml", "sap", "reptile", "turtle")}
    assert rates == {"maml": 0.01, "fomaml": 0.01, "sap": None, "reptile": None, "turtle": None}
    assert curvature_tables.descent_rate(make("maml", inner_clip=10.0)) is None


def test_a_way_of_two_points_is_said_to_be_its_ends():
    way = Way(["update 0", "update 9"], np.array([0.0, 9.0]), *(np.zeros(2),) * 5)
    assert list(way.count) == [0, 9]
