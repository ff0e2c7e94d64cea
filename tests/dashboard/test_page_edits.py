"""What the pad sends to the page: edits, steps and switches, sound ones and hostile ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.scenes import scene_of
from dashboard.widgets.state import View
from engine.tasks import Sine
from tests.dashboard.live_page import in_address, opened, pad, sent, view
from tests.dashboard.pages import fine

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


def preset(at: AppTest) -> None:
    at.selectbox(key="live-preset").set_value(next(iter(SCENE.presets)))


def ten_shots(at: AppTest) -> None:
    at.segmented_control(key="live-shots").set_value(10)


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
