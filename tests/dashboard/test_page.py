"""The whole page without a browser: it runs, and nothing that a browser or a link can send stops it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dashboard.scenes import scene_of
from dashboard.widgets import families, library
from dashboard.widgets.state import View
from engine.runs import places
from engine.tasks import Sine
from tests.dashboard.live_page import LEARNERS, in_address, opened, pad, sent, view
from tests.dashboard.pages import app, fine

SCENE = scene_of(Sine())


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
