"""Switching learners on the live page, in a real browser: one, a family, all; by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]
LEARNERS = {"finetuning", "fomaml", "lstm", "maml", "op-lstm", "reptile"}
ZOO = "sine"  # the collection with all learners


def zoo(visit: Visit, **options: Any) -> Any:
    """The page with the many learners of the zoo, the first few of them on."""
    live = visit(runs=ZOO, wait=False, **options)
    expect(live.page.locator(".learner-row")).not_to_have_count(0)
    first = live.page.locator('.learner-row[aria-pressed="true"]').count()
    return live.drawn(first)


def test_a_row_switches_its_learner_off_and_on(visit: Visit):
    live = visit()
    before = live.paths()
    row = live.row("reptile")
    expect(row).to_have_attribute("aria-pressed", "true")
    row.click()
    expect(row).to_have_attribute("aria-pressed", "false")
    expect(live.curve("reptile")).to_have_attribute("d", "")
    expect(live.page.get_by_role("heading", level=1)).to_have_text("Five points. Five ideas of what comes next.")
    live.remembered(on="finetuning,maml,fomaml,lstm,op-lstm").drawn(5)
    assert {name: path for name, path in live.paths().items() if name != "reptile"} == {
        name: path for name, path in before.items() if name != "reptile"
    }
    row.click()
    expect(row).to_have_attribute("aria-pressed", "true")
    expect(live.curve("reptile")).to_have_attribute("d", before["reptile"])
    live.page.wait_for_function("() => !new URLSearchParams(location.search).has('on')")


def test_a_family_is_switched_off_and_on_at_once(visit: Visit):
    live = visit()
    live.page.get_by_role("button", name="gradient: 3 of 3 on, switch all off").click()
    live.drawn(3)
    assert live.on() == ["finetuning", "lstm", "op-lstm"]
    live.page.get_by_role("button", name="gradient: 0 of 3 on, switch all on").click()
    live.drawn(6)
    assert set(live.on()) == LEARNERS


def test_only_this_one_and_back(visit: Visit):
    live = visit("on=maml,reptile,lstm", wait=False).drawn(3)
    live.row("lstm").hover()
    live.page.get_by_role("button", name="Only LSTM, pooled").click()
    live.drawn(1).remembered(on="lstm")
    assert live.on() == ["lstm"]
    live.page.get_by_role("button", name="Back to the learners that were on before").click()
    live.drawn(3)
    assert live.on() == ["maml", "reptile", "lstm"]


def test_all_off_is_said_and_all_come_back(visit: Visit):
    live = visit()
    live.page.get_by_role("button", name="Switch all learners off").click()
    live.drawn(0).remembered(on="none")
    expect(live.page.get_by_text("Every learner is switched off")).to_be_visible()
    expect(live.page.get_by_role("heading", level=1)).to_have_text("Five points. No idea of what comes next.")
    again = visit(url=live.page.url, wait=False).drawn(0)
    again.row("maml").click()
    again.drawn(1)
    again.page.get_by_role("button", name="Switch all learners on").click()
    again.drawn(6)


def test_of_many_learners_the_flagships_are_on_and_all_can_be(visit: Visit):
    live = zoo(visit)
    first, every = live.on(), live.page.locator(".learner-row").count()
    assert 1 < len(first) <= 8 < every
    expect(live.page.locator(".count")).to_have_text(f"{len(first)} of {every} on")
    expect(live.page.locator(".learner-row .error:not(:empty)")).to_have_count(len(first))
    live.page.get_by_role("button", name="Switch all learners on").click()
    live.drawn(every)
    again = visit(url=live.page.url, wait=False).drawn(every)
    again.page.get_by_role("button", name="Switch on one or two learners of each family").click()
    again.drawn(len(first))
    assert again.on() == first
    again.page.wait_for_function("() => !new URLSearchParams(location.search).has('on')")


def test_a_learner_switched_on_after_a_drag_answers_the_points_where_they_are(visit: Visit):
    live = visit("on=maml", wait=False).drawn(1)
    live.drag(0, 40, -60)
    live.answered()
    live.row("lstm").click()
    live.drawn(2).remembered(on="maml,lstm")
    again = visit(url=live.page.url, wait=False).drawn(2)
    assert again.path("lstm") == live.path("lstm")


def test_the_list_is_one_stop_of_the_tab_key_and_arrows_move_inside(visit: Visit):
    live = visit()
    keys = live.page.keyboard
    live.page.locator('.sort[data-sort="error"]').focus()
    keys.press("Tab")
    focused = (
        "() => { const r = document.activeElement.shadowRoot?.activeElement; return r?.getAttribute('aria-label'); }"
    )
    assert live.page.evaluate(focused).startswith("Finetuning, transfer, query MSE ")
    keys.press("ArrowDown")
    assert live.page.evaluate(focused) == "gradient: 3 of 3 on, switch all off"
    keys.press("ArrowDown")
    keys.press("Space")
    expect(live.row("maml")).to_have_attribute("aria-pressed", "false")
    live.drawn(5)
    keys.press("o")
    live.drawn(1)
    assert live.on() == ["maml"]
    keys.press("End")
    assert live.page.evaluate(focused) == "OP-LSTM, memory, off"
    keys.press("Tab")
    outside = "() => !document.activeElement.shadowRoot?.activeElement?.closest('.rows')"
    assert live.page.evaluate(outside), "the next key leaves the list"


def test_sorted_by_error_the_best_come_first_and_sorted_by_learner_the_families_return(visit: Visit):
    live = visit()
    families = live.on()
    live.page.locator('.sort[data-sort="error"]').click()
    errors = live.errors()
    ranked = live.on()
    assert sorted(float(errors[name]) for name in ranked) == [float(errors[name]) for name in ranked]
    expect(live.page.locator(".family")).to_have_count(0)
    live.page.locator('.sort[data-sort="family"]').click()
    assert live.on() == families
    expect(live.page.locator(".family")).to_have_count(3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_main_act_of_many_learners_needs_no_scrolling(visit: Visit, scheme: str):
    live = zoo(visit, height=900, color_scheme=scheme)
    box = live.pad.bounding_box()
    assert box["y"] + box["height"] <= 900
    rows, what = live.page.locator(".rows").bounding_box(), live.page.locator(".what").bounding_box()
    assert rows["y"] + rows["height"] <= what["y"]
    labels = [label.bounding_box() for label in live.page.locator(".label text").all() if label.is_visible()]
    edges = sorted((label["y"], label["y"] + label["height"]) for label in labels)
    assert all(below[0] >= above[0] + 12 for above, below in pairwise(edges)), "labels stay apart"
