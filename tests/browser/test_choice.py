"""The choice in a real browser: it goes along to the page that is clicked in the sidebar, and back with the button."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
