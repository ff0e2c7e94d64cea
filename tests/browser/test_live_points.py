"""The support points on the live page, in a real browser: what a hand and a keyboard can do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]
LEARNERS = {"finetuning", "fomaml", "lstm", "maml", "op-lstm", "reptile"}


def test_a_drag_moves_every_curve_and_the_last_move_is_answered(visit: Visit):
    live = visit()
    before, start = live.paths(), live.points()
    assert set(before) == LEARNERS
    live.drag(0, 40, -60, moves=12)
    live.answered().all_moved(before)
    (x, y), (old_x, old_y) = live.points()[0], start[0]
    assert x > old_x + 0.2
    assert y > old_y + 0.5
    assert live.points()[1:] == start[1:]
    assert int(live.pad.get_attribute("data-seq")) >= 1
    assert float(live.pad.get_attribute("data-last-latency-ms")) > 0


def test_the_answer_to_a_drag_is_the_answer_to_its_last_place(visit: Visit):
    """Python's curves after a long drag are those of a fresh page opened at the final points."""
    live = visit()
    x, y = live.centre(live.point(1).locator(".disc"))
    live.page.mouse.move(x, y)
    live.page.mouse.down()
    for k in range(1, 20):
        live.page.mouse.move(x - 6 * k, y - 5 * k)
    live.page.mouse.up()
    live.answered().drawn()
    x, y = live.points()[1]
    live.page.wait_for_function(
        "([x, y]) => (new URLSearchParams(location.search).get('points') || '').split(',').some((p) => {"
        " const [a, b] = p.split(':').map(Number); return Math.abs(a - x) < 0.011 && Math.abs(b - y) < 0.011; })",
        arg=[x, y],
    )
    again = visit(url=live.page.url)
    assert again.errors() == live.errors()


def test_the_scrubber_finds_curves_that_a_moving_hand_did_not_ask_for(visit: Visit):
    """While points move, only the step on screen is drawn; a key that is never let go leaves it at that."""
    live = visit()
    last = live.paths()
    live.point(0).focus()
    for _ in range(3):
        live.page.keyboard.down("ArrowUp")  # the second and third are repeats: a hand in motion
    live.answered().all_moved(last)
    moved = live.paths()
    live.page.locator(".scrubber").focus()
    live.page.keyboard.press("Home")
    expect(live.page.locator(".step-label b")).to_have_text("0")
    live.all_moved(moved).answered().remembered(step="0").drawn()
    live.page.wait_for_function("() => (new URLSearchParams(location.search).get('points') || '') !== ''")
    again = visit(url=live.page.url)
    assert again.paths() == live.paths()


def test_a_click_adds_and_a_double_click_removes(visit: Visit):
    live = visit()
    before, start = live.paths(), live.points()
    live.page.mouse.click(*live.empty_place())
    expect(live.page.locator(".point")).to_have_count(len(start) + 1)
    live.answered().all_moved(before)
    expect(live.page.get_by_text(f"{len(start) + 1} points.")).to_be_visible()
    live.page.mouse.dblclick(*live.centre(live.point(len(start)).locator(".disc")))
    expect(live.page.locator(".point")).to_have_count(len(start))
    live.answered()
    expect(live.page.get_by_text(f"{len(start)} points.")).to_be_visible()
    assert live.points() == start
    for name, path in before.items():
        expect(live.curve(name)).to_have_attribute("d", path)


def test_the_keyboard_moves_deletes_and_adds(visit: Visit):
    live = visit()
    before, start = live.paths(), live.points()
    live.point(0).focus()
    live.page.keyboard.press("Shift+ArrowUp")
    live.answered().all_moved(before)
    assert live.close(live.points(), [(start[0][0], start[0][1] + 0.5), *start[1:]])
    live.page.keyboard.press("ArrowLeft")
    live.answered()
    assert live.close(live.points()[:1], [(start[0][0] - 0.1, start[0][1] + 0.5)])
    live.page.keyboard.press("Delete")
    expect(live.page.locator(".point")).to_have_count(len(start) - 1)
    live.answered()
    assert live.close(live.points(), start[1:])
    live.page.locator("svg.plot").focus()
    live.page.keyboard.press("Enter")
    expect(live.page.locator(".point")).to_have_count(len(start))
    live.answered()
    assert live.points()[-1] == (0.0, 0.0)


def test_the_last_point_stays(visit: Visit):
    live = visit("points=1:2")
    live.point(0).focus()
    live.page.keyboard.press("Delete")
    expect(live.page.locator(".status")).to_contain_text("at least one")
    assert live.points() == [(1.0, 2.0)]


def test_a_drag_to_the_top_goes_on_when_the_picture_needs_more_room(visit: Visit):
    """Its answer asks for an axis twice as long, which waits until the hand lets go."""
    live = visit("points=0:1,2:1")
    x, y = live.centre(live.point(0).locator(".disc"))
    top = live.page.locator(".sheet").bounding_box()["y"]
    live.page.mouse.move(x, y)
    live.page.mouse.down()
    live.page.mouse.move(x, top + 2)
    live.answered()
    live.page.mouse.move(x + 80, top + 120)
    live.answered()
    expect(live.page.locator(".plot .tick", has_text="10")).to_have_count(0)
    live.page.mouse.move(x + 80, top + 2)
    live.page.mouse.up()
    live.answered()
    expect(live.page.locator(".plot .tick", has_text="10")).to_have_count(2)
    (x, y), _ = live.points()
    assert x > 0.5 and 5.8 < y <= 6.0


def test_a_point_cannot_leave_the_pad(visit: Visit):
    live = visit()
    live.drag(0, 3000, -3000)
    live.answered()
    x, y = live.points()[0]
    assert (x, y) == (5.0, 6.0)
