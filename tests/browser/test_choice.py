"""The choice in a real browser: it goes along to the page that is clicked in the sidebar, and back with the button."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dashboard.widgets.pages import PAGES
from engine.learners import LEARNERS

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
SAID = "(on) => new URLSearchParams(location.search).get('on') === on"


def on(page: sync_api.Page, prefix: str, *titles: str) -> None:
    """Waits until these learners are on, and no others."""
    switches = page.locator(f".st-key-{prefix}-learners")
    expect(switches.locator('[aria-pressed="true"]')).to_have_text(list(titles))


def test_it_goes_along_and_back(open_page: Callable[..., sync_api.Page]):
    page = open_page("landscape", "on=maml,reptile&landscape-part=Cost")
    on(page, "landscape", "MAML", "Reptile")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)
    page.locator(".st-key-landscape-learners").get_by_text("Reptile", exact=True).click()
    page.wait_for_function(SAID, arg="maml")
    expect(page.locator(IDLE)).to_have_count(1)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Features").click()
    on(page, "features", "MAML")
    page.wait_for_function(SAID, arg="maml")
    assert "landscape-part" not in page.url
    expect(page.locator(".st-key-features-diversity .js-plotly-plot")).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)
    page.go_back()
    on(page, "landscape", "MAML")
    page.wait_for_function(SAID, arg="maml")
    expect(page.locator(IDLE)).to_have_count(1)
    page.go_back()  # Streamlit passes through this page without its part
    expect(page.locator(IDLE)).to_have_count(1)
    page.go_back()
    on(page, "landscape", "MAML", "Reptile")
    page.wait_for_function(SAID, arg="maml,reptile")
    expect(page.locator(IDLE)).to_have_count(1)


def said(page: sync_api.Page) -> str | None:
    """What the address says of the learners, once the page rests."""
    expect(page.locator(IDLE)).to_have_count(1)
    return page.evaluate("new URLSearchParams(location.search).get('on')")


def test_an_address_without_a_choice_means_that_nobody_chose(open_page: Callable[..., sync_api.Page]):
    """Back undoes the first choice too, and forward makes it again."""
    page = open_page("landscape", "landscape-part=Cost")
    first = [LEARNERS[name].title for name in PAGES["landscape"].learners]
    on(page, "landscape", *first)
    assert said(page) is None
    page.locator(".st-key-landscape-learners").get_by_text(first[0], exact=True).click()
    on(page, "landscape", *first[1:])
    page.wait_for_function("() => location.search.includes('on=')")
    chosen = said(page)
    page.go_back()
    on(page, "landscape", *first)
    assert said(page) is None
    page.go_forward()
    on(page, "landscape", *first[1:])
    assert said(page) == chosen


def test_an_address_that_was_only_passed_through_keeps_the_choice(open_page: Callable[..., sync_api.Page]):
    """Pages that ask about no runs link to the others without the choice; these say it as soon as they are open."""
    page = open_page("landscape", "on=maml&landscape-part=Cost")
    on(page, "landscape", "MAML")
    expect(page.locator(IDLE)).to_have_count(1)
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("link", name="Train").click()
    page.wait_for_url("**/train*")
    expect(page.locator(IDLE)).to_have_count(1)
    sidebar.get_by_role("link", name="Features").click()
    on(page, "features", "MAML")
    page.wait_for_function(SAID, arg="maml")
    expect(page.locator(IDLE)).to_have_count(1)
    page.go_back()
    expect(page.locator(IDLE)).to_have_count(1)
    on(page, "features", "MAML")
    page.wait_for_function(SAID, arg="maml")
    page.go_back()
    page.wait_for_url("**/train*")
    expect(page.locator(IDLE)).to_have_count(1)
    page.go_back()
    on(page, "landscape", "MAML")
    page.wait_for_function(SAID, arg="maml")
