"""Links to the live page, in a real browser: what a view was copied from, and what nobody copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]


def test_a_link_reopens_points_step_and_switches(visit: Visit):
    live = visit()
    live.drag(2, -30, 50)
    live.answered()
    live.page.locator(".scrubber").focus()
    live.page.keyboard.press("Home")
    live.remembered(step="0")
    live.row("lstm").click()
    live.remembered(on="finetuning,maml,fomaml,reptile,op-lstm", step="0").drawn(5)
    again = visit(url=live.page.url, wait=False).drawn(5)
    assert again.close(again.points(), live.points())
    expect(again.page.locator(".step-label b")).to_have_text("0")
    expect(again.row("lstm")).to_have_attribute("aria-pressed", "false")
    assert again.errors() == live.errors()


def test_a_link_from_before_says_which_learners_are_off(visit: Visit):
    live = visit("off=lstm,maml", wait=False).drawn(4)
    assert live.on() == ["finetuning", "fomaml", "reptile", "op-lstm"]
    live.remembered(on="finetuning,fomaml,reptile,op-lstm")


@pytest.mark.parametrize(
    ("query", "complaints"),
    [
        ("shots=7", 1),
        ("points=1:2:3", 1),
        ("points=<script>alert(1)</script>", 1),
        ("amplitude=nan&frequency=1e99&phase=&noise=-1", 4),
        ("task=999999999999999999999&step=-3&off=nobody,maml&truth=maybe", 4),
        ("nobody=knows&this=parameter", 0),
        ("points=" + ",".join(["1:1"] * 65), 1),
        ("amplitude=10.0005&phase=6.2839&frequency=4.0005", 0),
    ],
)
def test_a_nonsense_link_is_one_sentence_for_each_value_and_a_page_that_works(
    visit: Visit, query: str, complaints: int
):
    live = visit(quote(query, safe="=&:,"))
    said = live.warnings()
    assert len(said) == complaints, said
    assert all("was left out" in sentence for sentence in said)
    expect(live.page.get_by_test_id("stException")).to_have_count(0)
    before = live.paths()
    live.drag(0, 20, 30)
    live.answered().all_moved(before)


def test_an_unknown_collection_is_one_sentence(visit: Visit, server: str):
    live = visit(url=f"{server}/?runs=../../etc", wait=False)
    expect(live.page.get_by_test_id("stAlert").first).to_contain_text("The link's value for runs was left out")
    expect(live.page.get_by_test_id("stException")).to_have_count(0)
