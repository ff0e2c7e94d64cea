"""The whole page without a browser: it runs, and nothing that a browser or a link can send stops it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.scenes import scene_of
from dashboard.views.live import session
from dashboard.widgets import families, library
from dashboard.widgets.state import View, from_query
from engine.learners import LEARNERS as REGISTERED
from engine.runs import places
from engine.tasks import Sine
from tests.dashboard.pages import app, fine

COLLECTION = os.environ.get("INNERLOOP_TEST_RUNS", "sine-tuned")
LEARNERS = ("finetuning", "maml", "fomaml", "reptile", "lstm", "op-lstm")
SCENE = scene_of(Sine())


HOSTILE = [
    "points",
    [1, 2],
    7,
    {},
    {"seq": 4},
    {"seq": "4", "points": [[1, 1]]},
    {"seq": None, "points": [[1, 1]]},
    {"points": [[1, 1]]},
    {"seq": 5, "points": []},
    {"seq": 6, "points": [["a", 1]]},
    {"seq": 7, "points": [[float("nan"), 1]]},
    {"seq": 8, "points": [[float("inf"), 1]]},
    {"seq": 9, "points": [[10**400, 1]]},
    {"seq": 10, "points": [[0, 0]] * 65},
    {"seq": 11, "points": "drop table"},
    {"seq": 10**30, "points": [[None, None]]},
    {"seq": 12, "points": [[1, 1]], "revision": None},
    {"seq": 13, "points": [[1, 1]], "revision": ["1"]},
]


def opened(**query: str) -> AppTest:
    """The page after its first run, at a link."""
    at = app()
    at.query_params["runs"] = COLLECTION
    for name, text in query.items():
        at.query_params[name] = text
    return fine(at.run())


def pad(at: AppTest) -> dict[str, Any]:
    """The data that the pad got."""
    return json.loads(at.get("bidi_component")[0].proto.json)


def view(at: AppTest) -> View:
    """The view of the session."""
    return at.session_state["view"]


def in_address(at: AppTest) -> View:
    """The view that the address bar holds."""
    query = {name: values[0] if isinstance(values, list) else values for name, values in at.query_params.items()}
    found, complaints = from_query(query, library.offered(), tuple(REGISTERED), session.bounds_of)
    assert complaints == []
    return found


def sent(at: AppTest, **state: Any) -> AppTest:
    """The page after the pad's browser side has sent something; an edit is of the points that the page shows."""
    if isinstance(state.get("edit"), dict):
        state["edit"] = {"revision": pad(at)["revision"], **state["edit"]}
    at.session_state["pad"] = state
    return fine(at.run())


def test_the_page_runs_and_shows_every_learner():
    at = opened()
    assert at.title[0].value == "Five points. Six ideas of what comes next."
    assert {learner["name"] for learner in pad(at)["learners"]} == set(LEARNERS)
    assert all(learner["seeds"] == 3 for learner in pad(at)["learners"])
    assert not at.warning
    assert len(pad(at)["points"]) == 5


def test_the_address_holds_the_view_from_the_start():
    at = opened(step="2", on="maml", amplitude="4.25")
    assert in_address(at) == view(at)
    assert (view(at).step, view(at).on, view(at).values) == (2, ("maml",), {"amplitude": 4.25})


def test_an_edit_moves_the_points_and_is_answered():
    at = opened()
    before = pad(at)["learners"]
    sent(at, edit={"seq": 3, "points": [[0.5, 1.25], [-9, 99]], "final": True})
    assert pad(at)["answer"] == 3
    assert pad(at)["points"] == [[0.5, 1.25], [-5.0, 12.0]]
    assert pad(at)["message"] == ""
    assert all(a["curves"] != b["curves"] for a, b in zip(pad(at)["learners"], before, strict=True))
    assert in_address(at).points == ((0.5, 1.25), (-5.0, 12.0))
    assert any(c.value.startswith("2 points. These learners were trained with 5.") for c in at.caption)


def test_while_a_hand_holds_a_point_the_address_waits():
    at = opened()
    before = in_address(at)
    sent(at, edit={"seq": 1, "points": [[0.5, 1.25]], "final": False})
    assert pad(at)["points"] == [[0.5, 1.25]]
    assert in_address(at) == before


def test_a_hostile_edit_is_one_sentence_and_no_point_moves():
    at = opened()
    before = pad(at)["points"]
    for edit in HOSTILE:
        sent(at, edit=edit)
        assert pad(at)["points"] == before, edit
        assert pad(at)["message"].endswith("."), edit
        assert pad(at)["message"].count(".") == 1, edit
    sent(at, edit={"seq": 10**30 + 1, "points": [[1, 1]], "final": True})
    assert pad(at)["points"] == [[1, 1]], "the next good edit counts"


def new_task(at: AppTest) -> None:
    at.button(key="live-new").click()


def ten_shots(at: AppTest) -> None:
    at.segmented_control(key="live-shots").set_value(10)


def preset(at: AppTest) -> None:
    at.selectbox(key="live-preset").set_value(next(iter(SCENE.presets)))


def noise(at: AppTest) -> None:
    at.slider(key="live-noise").set_value(0.5)


@pytest.mark.parametrize(
    ("act", "after"), [(new_task, True), (ten_shots, True), (preset, False), (noise, False), (new_task, False)]
)
def test_an_edit_of_points_that_the_page_has_replaced_is_dropped(act: Callable[[AppTest], None], after: bool):
    """A drag whose last place leaves the browser when *New task* has been heard: its points are of another function."""
    alone = opened()
    act(alone)
    expected = view(fine(alone.run()))
    at = opened()
    edit = {"seq": 2, "points": [[0.5, 1.25]], "final": True, "revision": pad(at)["revision"]}
    act(at)
    if after:
        fine(at.run())
    sent(at, edit=edit)
    assert view(at) == in_address(at) == expected
    assert (pad(at)["answer"], pad(at)["message"]) == (2, ""), "it is not sent again, and nobody is blamed"
    sent(at, edit={"seq": 3, "points": [[0.5, 1.25]], "final": True})
    assert view(at).points == ((0.5, 1.25),), "what is done to the new points counts"


def test_a_drag_that_comes_with_another_true_function_is_not_lost():
    """The points keep their distance from it, those of the drag too."""
    at = opened(points="0:5,1:2")
    at.slider(key="live-amplitude").set_value(4.5)
    sent(at, edit={"seq": 1, "points": [[0.5, 1.25]], "final": True})
    (x, y), before = SCENE.points(view(at))[0], View()
    assert x == 0.5
    assert y - SCENE.true_function(view(at), np.array(x)) == pytest.approx(
        1.25 - SCENE.true_function(before, np.array(x)), abs=0.001
    )


def test_sessions_share_no_revision():
    """A browser that lost its server still holds edits of that session: the next one must not take them for its own."""
    assert pad(opened())["revision"] != pad(opened())["revision"]


def test_hostile_steps_and_switches_change_nothing():
    at = opened(step="1")
    steps, switches = [-1, 10**400, "3", None, 2.5, [1]], [None, "maml", ["maml"], {"turn": 1}]
    for step, on in zip(steps, [*switches, {"turn": "1", "names": []}, None], strict=True):
        sent(at, step=step, on=on)
        assert (view(at).step, view(at).on) == (1, None), (step, on)


def test_steps_and_switches_are_kept():
    at = sent(opened(), step=3, on={"turn": 1, "names": ["lstm", "maml"]})
    assert (view(at).step, view(at).on) == (3, ("maml", "lstm"))
    assert pad(at)["stops"][pad(at)["step_index"]] == 3
    assert {learner["name"] for learner in pad(at)["learners"] if learner["on"]} == {"maml", "lstm"}
    assert pad(at)["turn"] == 1
    assert in_address(at) == view(at)
    assert at.title[0].value == "Five points. Two ideas of what comes next."


@pytest.mark.parametrize(
    ("query", "complaints"),
    [
        ({"shots": "7"}, 1),
        ({"points": "a:b"}, 1),
        ({"amplitude": "nan", "frequency": "-1", "phase": "7", "noise": ""}, 4),
        ({"off": "nobody", "step": "x", "truth": "2", "task": "1e3"}, 4),
        ({"amplitude": "10.0009", "phase": "6.2841", "frequency": "4.0009", "noise": "3.0009"}, 0),
        ({"unheard": "of"}, 0),
    ],
)
def test_a_bad_link_is_one_warning_for_each_value(query: dict[str, str], complaints: int):
    at = opened(**query)
    assert len(at.warning) == complaints
    assert all("was left out" in warning.value for warning in at.warning)
    assert len(pad(at)["learners"]) == len(LEARNERS)
    in_address(at)


def test_an_unknown_collection_is_one_warning():
    at = app()
    at.query_params["runs"] = "../../etc"
    fine(at.run())
    assert [warning.value for warning in at.warning if "for runs was left out" in warning.value]


@pytest.mark.parametrize(("name", "value"), [("amplitude", 4.5), ("phase", 2.0), ("frequency", 1.5)])
def test_points_keep_their_distance_from_the_true_function(name: str, value: float):
    at = opened(points="0:5,1:2,-2:0.5")
    before = view(at)
    fine(at.slider(key=f"live-{name}").set_value(value).run())
    after = view(at)
    assert after.values == {name: value}
    x, y = SCENE.points(after).T
    old_x, old_y = SCENE.points(before).T
    assert np.array_equal(x, old_x)
    residual, old_residual = y - SCENE.true_function(after, x), old_y - SCENE.true_function(before, old_x)
    assert residual == pytest.approx(old_residual, abs=0.001)
    assert not np.allclose(y, old_y)


def test_new_task_presets_and_shots():
    at = opened()
    first = view(at)
    fine(at.button(key="live-new").click().run())
    assert view(at).task == first.task + 1
    assert view(at).points != first.points
    for title, preset in SCENE.presets.items():
        fine(at.selectbox(key="live-preset").set_value(title).run())
        assert preset.look_for in [caption.value for caption in at.caption]
        assert view(at).points == SCENE.apply(View(), title).points
        assert in_address(at) == view(at)
    fine(at.button(key="live-new").click().run())
    assert not {preset.look_for for preset in SCENE.presets.values()} & {caption.value for caption in at.caption}


@pytest.mark.parametrize("title", list(SCENE.presets))
def test_other_shots_keep_what_the_preset_says(title: str):
    """The sentence of the preset stays on the page, so the points must stay what it says."""
    at = opened()
    fine(at.selectbox(key="live-preset").set_value(title).run())
    fine(at.segmented_control(key="live-shots").set_value(10).run())
    expected = SCENE.apply(View(shots=10), title).points
    told = SCENE.presets[title].look_for in [caption.value for caption in at.caption]
    assert view(at).points == expected or not told


def test_without_a_true_function():
    at = opened()
    fine(at.toggle(key="live-truth").set_value(False).run())
    assert pad(at)["truth"] is None
    assert pad(at)["error_label"] == "support MSE"
    assert in_address(at) == view(at)


def test_without_shipped_runs_it_says_where_they_are_and_how_to_train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "sine").mkdir()
    monkeypatch.setattr("dashboard.widgets.library.CHECKPOINTS", tmp_path)
    monkeypatch.setattr("dashboard.widgets.library.PROJECT", tmp_path)
    at = app()
    fine(at.run())
    shipped, train = [info.value for info in at.info]
    assert shipped == places.NOTHING_SHIPPED
    assert "python -m engine train" in train


def test_of_many_learners_a_few_of_each_family_are_on_at_first():
    at = opened(runs="sine")
    learners = pad(at)["learners"]
    expected = families.shown_first({learner["name"]: learner["family"] for learner in learners})
    assert tuple(learner["name"] for learner in learners if learner["on"]) == expected
    assert len(expected) <= families.MOST < len(learners)
    assert {learner["family"] for learner in learners if learner["on"]} == {learner["family"] for learner in learners}
    assert all(not learner["curves"] for learner in learners if not learner["on"]), "what is off is not computed"
    assert view(at).on is None


def test_switches_of_many_learners_are_in_the_address_and_the_first_ones_need_no_word():
    at = opened(runs="sine")
    every = [learner["name"] for learner in pad(at)["learners"]]
    first = [learner["name"] for learner in pad(at)["learners"] if learner["on"]]
    sent(at, on={"turn": 1, "names": ["film", "scratch"]})
    assert [learner["name"] for learner in pad(at)["learners"] if learner["on"]] == ["scratch", "film"]
    assert in_address(at).on == view(at).on == ("scratch", "film")
    sent(at, on={"turn": 2, "names": every})
    assert all(learner["on"] for learner in pad(at)["learners"])
    sent(at, on={"turn": 3, "names": []})
    assert in_address(at).on == view(at).on == ()
    assert at.title[0].value == "Five points. No idea of what comes next."
    sent(at, on={"turn": 4, "names": first})
    assert "on" not in at.query_params


def test_switches_heard_once_are_not_heard_again():
    """What the browser sent last stays in its state; a later change of the page must not be undone by it."""
    at = sent(opened(runs="sine"), on={"turn": 1, "names": ["film"]})
    fine(at.selectbox(key="live-runs").set_value("sine-tuned").run())
    assert all(learner["on"] for learner in pad(at)["learners"])
    assert view(at).on is None


def test_other_runs_keep_the_points_and_take_the_shots_they_have():
    at = opened(runs="sine", shots="10")
    before = pad(at)["points"]
    fine(at.selectbox(key="live-runs").set_value("sine-subspace").run())
    assert (view(at).shots, pad(at)["points"]) == (5, before)
    assert library.description("sine-subspace") in at.caption[0].value
    assert in_address(at) == view(at)


def test_a_collection_with_a_single_learner():
    at = opened(runs="sine-long")
    (learner,) = pad(at)["learners"]
    assert learner["on"]
    assert at.title[0].value == "Five points. One idea of what comes next."


def test_nobody_claims_that_training_from_scratch_was_meta_trained():
    at = opened(runs="sine", on="scratch", points="1:2")
    (learner,) = [one for one in pad(at)["learners"] if one["on"]]
    assert learner["meta_trained"] is False
    assert any(text.value.startswith("From scratch learned nothing before. Now they") for text in at.markdown)
    assert not any("were trained with" in caption.value for caption in at.caption)
