"""Inner steps and tasks on the live page, in a real browser: scrubber, presets, the true function, shots."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from dashboard.scenes.stories import SINES

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]
PRESETS = {preset.title: preset for preset in SINES}


def test_the_scrubber_changes_curves_and_table(visit: Visit):
    live = visit()
    curves, errors = live.paths(), live.errors()
    scrubber = live.page.locator(".scrubber")
    scrubber.focus()
    live.page.keyboard.press("Home")
    expect(live.page.locator(".step-label b")).to_have_text("0")
    live.all_moved(curves)
    assert all(live.errors()[name] != error for name, error in errors.items())
    live.remembered(step="0")
    expect(live.page.get_by_role("button", name="Previous step")).to_be_disabled()
    live.page.get_by_role("button", name="Next step").click()
    expect(live.page.locator(".step-label b")).to_have_text("1")
    live.remembered(step="1")


def test_playing_walks_to_the_last_step(visit: Visit):
    live = visit("step=0")
    expect(live.page.locator(".step-label b")).to_have_text("0")
    curves, errors = live.paths(), live.errors()
    live.page.get_by_role("button", name="Play the inner steps").click()
    expect(live.page.get_by_role("button", name="Pause")).to_be_visible()
    expect(live.page.locator(".step-label b")).to_have_text("100")
    expect(live.page.get_by_role("button", name="Play the inner steps")).to_be_visible()
    live.all_moved(curves)
    assert all(live.errors()[name] != error for name, error in errors.items())


@pytest.mark.parametrize("title", list(PRESETS))
def test_a_preset_changes_the_picture_and_says_what_to_look_for(visit: Visit, title: str):
    live = visit()
    curves, points = live.paths(), live.points()
    live.page.locator(".st-key-live-preset input").click()
    live.page.get_by_role("option", name=title, exact=True).click()
    expect(live.page.get_by_text(PRESETS[title].look_for)).to_be_visible()
    live.all_moved(curves).remembered(task="2").drawn()
    assert live.points() != points
    if title == "Points all on one side":
        assert all(x <= -1 for x, _ in live.points())


def test_a_drag_that_ends_before_its_answer_leaves_the_next_task_alone(visit: Visit):
    """The last place of the hand is sent when the first is answered: by then, the points are those of another task."""
    wanted = visit("task=1")
    wanted.page.get_by_role("button", name="New task").click()
    wanted.remembered(task="2").drawn()
    live = visit("task=1")
    curves, latest = live.paths(), live.page.locator(".step-label b")
    live.wire.hold()
    live.drag(0, 60, -80)
    live.page.get_by_role("button", name="New task").click()
    live.page.locator(".scrubber").focus()
    live.page.keyboard.press("Home")  # a step that is chosen meanwhile is no older than the page
    live.wire.let_go()
    live.all_moved(curves).remembered(task="2", step="0").answered().drawn()
    assert live.points() == wanted.points()
    assert live.query()["points"] == wanted.query()["points"]
    expect(latest).to_have_text("0")
    live.drag(1, 30, -40)
    live.answered()
    assert live.points()[1] != wanted.points()[1], "what is done to the new points counts"


def test_a_new_task_changes_points_and_address(visit: Visit):
    live = visit()
    curves, points, truth = live.paths(), live.points(), live.truth()
    live.page.get_by_role("button", name="New task").click()
    live.all_moved(curves).remembered(task="2").drawn()
    assert live.points() != points
    assert live.truth() != truth
    live.page.get_by_role("button", name="New task").click()
    live.remembered(task="3")


@pytest.mark.parametrize(
    ("name", "key", "value"), [("amplitude", "End", "10"), ("frequency", "End", "4"), ("phase", "ArrowRight", "0.65")]
)
def test_a_slider_changes_the_true_function(visit: Visit, name: str, key: str, value: str):
    live = visit()
    truth, points = live.truth(), live.points()
    live.page.get_by_role("button", name="More").click()
    live.page.locator(f".st-key-live-{name} input").focus()
    live.page.keyboard.press(key)
    expect(live.page.locator(".truth")).not_to_have_attribute("d", truth)
    live.remembered(**{name: value}).drawn()
    moved = live.points()
    assert [x for x, _ in moved] == [x for x, _ in points]
    assert moved != points


def test_noise_moves_the_points_and_not_the_true_function(visit: Visit):
    live = visit()
    truth, points = live.truth(), live.points()
    live.page.get_by_role("button", name="More").click()
    live.page.locator(".st-key-live-noise input").focus()
    for _ in range(4):
        live.page.keyboard.press("ArrowRight")
    live.remembered(noise="0.2").drawn()
    expect(live.point(0)).not_to_have_attribute("aria-label", re.compile(f"y {points[0][1]:.2f};"))
    assert [x for x, _ in live.points()] == [x for x, _ in points]
    assert live.truth() == truth


def test_without_a_true_function_the_points_are_the_measure(visit: Visit):
    live = visit()
    errors = live.errors()
    live.page.get_by_role("button", name="More").click()
    live.page.get_by_text("Compare with the true function").click()
    live.remembered(truth="0").drawn()
    expect(live.page.locator('.sort[data-sort="error"]')).to_have_text("support MSE")
    assert live.truth() == ""
    assert live.errors() != errors


def test_ten_shots_are_other_learners_and_ten_points(visit: Visit):
    live = visit()
    curves = live.paths()
    live.page.locator(".st-key-live-shots").get_by_text("10 shots").click()
    expect(live.page.locator(".point")).to_have_count(10)
    live.all_moved(curves).remembered(shots="10").drawn()
    expect(live.page.get_by_text("Ten points. Six ideas")).to_be_visible()
