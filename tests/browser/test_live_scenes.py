"""The live page on a table of one's own, in a real browser: points whose x runs from 100 to 900."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import main
from tests.dashboard.test_scenes import csv

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]


@pytest.fixture
def rats(own_runs: Path, tmp_path: Path) -> str:
    """A collection of own runs: MAML on tasks of a CSV file, a few meta-updates."""
    settings = ["steps=1", "test_steps=3", "inner_lr=1e-6", "network.widths=[8]", "training.validation_tasks=2"]
    settings += [f"task.path={csv(tmp_path)}", "task.queries=5"]
    words = ["train", "maml", "--task", "table", "--shots", "4", "--iterations", "2", "--no-compile", "--replace"]
    given = [word for setting in settings for word in ("--set", setting)]
    assert main([*words, *given, "--runs", str(own_runs / "rats")]) == 0
    return "my-rats"


def test_a_dragged_point_of_a_table_takes_the_curve_along(visit: Visit, rats: str):
    live = visit("trained=table", runs=rats, wait=False)
    expect(live.page.locator('.curve[data-learner="maml"]')).to_have_count(1)
    live.page.wait_for_function("() => new URLSearchParams(location.search).get('points') !== null")
    expect(live.page.locator(".row-point")).to_have_count(26)
    expect(live.page.get_by_text("Task rat c, 1 of 3 in the validation split of rats.csv")).to_be_visible()
    start = live.points()
    assert len(start) == 4
    assert all(100 <= x <= 900 and 250 <= y <= 750 for x, y in start)
    before, errors = live.path("maml"), live.row("maml").locator(".error").inner_text()
    rings = live.page.locator(".row-point").evaluate_all("all => all.map((ring) => ring.getAttribute('cx'))")
    live.drag(0, 30, -60 if start[0][1] < 500 else 60, moves=8)
    live.answered()
    expect(live.curve("maml")).not_to_have_attribute("d", before)
    (x, y), old = live.points()[0], start[0]
    assert abs(x - old[0]) > 20
    assert abs(y - old[1]) > 20
    assert live.points()[1:] == start[1:]
    assert live.row("maml").locator(".error").inner_text() != errors
    after = live.page.locator(".row-point").evaluate_all("all => all.map((ring) => ring.getAttribute('cx'))")
    assert after == rings, "what learners are scored on stays where it is"
    again = visit(url=live.page.url, wait=False)
    expect(again.page.locator(".point")).to_have_count(4)
    assert again.close(again.points(), live.points(), by=0.11)
    assert re.search(r"trained=table-[0-9a-f]{6}", live.page.url)


def test_keys_move_a_point_in_steps_of_its_axes(visit: Visit, rats: str):
    live = visit("trained=table&points=200:500,600:450", runs=rats, wait=False)
    expect(live.page.locator(".point")).to_have_count(2)
    live.point(0).focus()
    live.page.keyboard.press("ArrowRight")
    live.page.keyboard.press("Shift+ArrowUp")
    live.answered()
    assert live.points()[0] == (201.0, 505.0)
