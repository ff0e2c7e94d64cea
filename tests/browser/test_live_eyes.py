"""The live page for all eyes, in a real browser: light and dark, narrow and zoomed, with less motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]


@pytest.mark.parametrize(
    ("scheme", "background", "maml"),
    [("light", "rgb(255, 255, 255)", "#0072B2"), ("dark", "rgb(20, 23, 28)", "#2F8FD8")],
)
def test_light_and_dark(visit: Visit, scheme: str, background: str, maml: str):
    live = visit(color_scheme=scheme)
    expect(live.page.get_by_test_id("stApp")).to_have_css("background-color", background)
    expect(live.pad).to_have_attribute("data-theme", scheme)
    red, green, blue = (int(maml[i : i + 2], 16) for i in (1, 3, 5))
    expect(live.curve("maml")).to_have_css("stroke", f"rgb({red}, {green}, {blue})")


@pytest.mark.parametrize("width", [720, 800, 1440])  # 720: a window of 1440 at 200 % zoom
def test_nothing_hangs_over_the_side(visit: Visit, width: int):
    live = visit(width=width)
    seen = live.page.evaluate(
        "() => { const main = document.querySelector('[data-testid=\"stMain\"]');"
        " return [document.documentElement.scrollWidth, main.scrollWidth - main.clientWidth]; }"
    )
    assert seen[0] <= width
    assert seen[1] <= 0
    box = live.pad.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_curves_jump_for_those_who_asked_for_less_motion_and_glide_for_others(visit: Visit, motion: str):
    """Right after the press, before any frame, a calm curve is where it will stay; an eased one is still leaving."""
    live = visit(reduced_motion=motion)
    live.page.locator(".scrubber").focus()
    live.page.keyboard.press("Home")
    live.remembered(step="0").drawn()
    path = live.path("finetuning")
    at_once = live.page.locator(".scrubber").evaluate(
        "(slider) => { slider.value = slider.max; slider.dispatchEvent(new Event('input'));"
        " return slider.getRootNode().querySelector('.curve[data-learner=\"finetuning\"]').getAttribute('d'); }"
    )
    if motion == "reduce":
        assert at_once != path
        expect(live.curve("finetuning")).to_have_attribute("d", at_once)
        live.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert live.path("finetuning") == at_once
    else:
        expect(live.curve("finetuning")).not_to_have_attribute("d", at_once)
