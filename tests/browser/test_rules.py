"""Update rules in a real browser: it opens without errors, the slider of passes moves the picture, a link holds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE_MS = 180_000
ASKED_BY_STREAMLIT = re.compile(r"/rules/_stcore/(health|host-config)$")  # it looks below a page first, then above
TITLES = "(chart) => chart.querySelector('.js-plotly-plot').layout.annotations.map((note) => note.text).join('|')"
Open = Callable[..., "sync_api.Page"]


@pytest.fixture
def rules(server: str, chromium: sync_api.Browser) -> Iterator[Open]:
    """Opens the page with OP-LSTM alone: `rules("rules-part=Memory")`. Any error in the console fails the test."""
    contexts, problems = [], []

    def heard(message: sync_api.ConsoleMessage) -> None:
        if message.type == "error" and not ASKED_BY_STREAMLIT.search(message.location.get("url", "")):
            problems.append(message.text)

    def open_page(query: str, **options: object) -> sync_api.Page:
        context = chromium.new_context(viewport={"width": 1440, "height": 1400}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: problems.append(str(error)))
        alone = "" if "rules-learners" in query else "rules-learners=OP-LSTM&"
        page.goto(f"{server}/rules?{alone}{query}")
        return rested(page)

    yield open_page
    for context in contexts:
        context.close()
    assert not problems, problems


def rested(page: sync_api.Page) -> sync_api.Page:
    """Waits until there is a figure and the script rests."""
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)
    return page


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
    assert parse_qs(urlsplit(page.url).query)["rules-learners"] == ["OP-LSTM"]
