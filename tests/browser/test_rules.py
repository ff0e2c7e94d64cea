"""Update rules in a real browser: it opens without errors, the slider of passes moves the picture, a link holds it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.live_page import rested

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

TITLES = "(chart) => chart.querySelector('.js-plotly-plot').layout.annotations.map((note) => note.text).join('|')"
Open = Callable[..., "sync_api.Page"]


@pytest.fixture
def rules(open_page: Open) -> Open:
    """Opens the page with one learner, unless the query chooses."""

    def opens(query: str, **options: object) -> sync_api.Page:
        alone = "" if "on=" in query else "on=op-lstm&"
        return rested(open_page("rules", alone + query, **options))

    return opens


def test_the_slider_moves_through_the_passes_and_the_link_keeps_it(rules: Open):
    page = rules("rules-part=The rule")
    chart = page.locator(".st-key-rules-surface-output_lstm")
    assert "carried into pass 3" in chart.evaluate(TITLES)
    before = chart.locator(".trace, .contourlayer").evaluate_all("all => all.map((t) => t.outerHTML).join()")
    thumb = page.get_by_role("slider")
    thumb.focus()
    for _ in range(4):
        thumb.press("ArrowRight")
    page.wait_for_function("() => new URLSearchParams(location.search).get('rules-pass') === '7'")
    expect(page.get_by_text("In pass 7, seed 0 says about").first).to_be_visible()
    rested(page)
    assert "carried into pass 7" in chart.evaluate(TITLES)
    after = chart.locator(".trace, .contourlayer").evaluate_all("all => all.map((t) => t.outerHTML).join()")
    assert after != before
    again = rules(urlsplit(page.url).query)
    assert "carried into pass 7" in again.locator(".st-key-rules-surface-output_lstm").evaluate(TITLES)


def test_directions_in_the_dark_compare_with_what_is_chosen(rules: Open):
    page = rules("rules-part=Directions", color_scheme="dark")
    expect(page.get_by_role("heading", name="Does each step go down the gradient?")).to_be_visible()
    page.locator(".st-key-rules-reference").get_by_text("prototypes", exact=True).click()
    expect(page.get_by_role("heading", name="Does each step write what the labels say?")).to_be_visible()
    page.wait_for_function("() => location.search.includes('rules-reference=prototypes')")
    assert parse_qs(urlsplit(page.url).query)["on"] == ["op-lstm"]
