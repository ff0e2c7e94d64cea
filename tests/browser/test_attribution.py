"""Attribution in a real browser: it opens without errors, a click on a curve asks there, and the link holds it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PLACE = """([chart, x]) => {
    const plot = chart.querySelector('.js-plotly-plot'), area = plot.getBoundingClientRect();
    const full = plot._fullLayout, data = plot.data.find((trace) => trace.customdata);
    const xs = plot.calcdata.find((cd) => cd[0].trace.customdata && cd[0].trace.type === 'scatter');
    const near = xs.reduce((a, b) => Math.abs(b.x - x) < Math.abs(a.x - x) ? b : a);
    return [area.x + full.xaxis._offset + full.xaxis.l2p(near.x), area.y + full.yaxis._offset + full.yaxis.l2p(near.y)];
}"""
Open = Callable[..., "sync_api.Page"]


@pytest.fixture
def attribution(open_page: Open) -> Open:
    """Opens the page with one learner, unless the query chooses."""

    def opens(query: str, **options: object) -> sync_api.Page:
        alone = "" if "on=" in query else "on=maml&"
        return rested(open_page("attribution", alone + query, **options))

    return opens


def rested(page: sync_api.Page) -> sync_api.Page:
    """Waits until there is a figure and the script rests."""
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)
    return page


def test_a_click_on_the_curve_moves_the_query_and_the_link_keeps_it(attribution: Open):
    page = attribution("")
    expect(page.get_by_text("At x = 1.0:").first).to_be_visible()
    chart = page.locator(".st-key-attribution-influence")
    chart.scroll_into_view_if_needed()
    x, y = page.evaluate(PLACE, [chart.element_handle(), -3.0])
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    expect(page.get_by_text("At x = -3.0:").first).to_be_visible()
    page.wait_for_function("() => Number(new URLSearchParams(location.search).get('attribution-x')) === -3")
    again = attribution(urlsplit(page.url).query)
    expect(again.get_by_text("At x = -3.0:").first).to_be_visible()


def test_the_slider_of_the_query_and_a_task_in_the_dark(attribution: Open):
    page = attribution("attribution-part=Reach", color_scheme="dark")
    expect(page.get_by_role("heading", name="How far does each point reach?")).to_be_visible()
    thumb = page.get_by_role("slider")
    thumb.focus()
    thumb.press("ArrowRight")
    page.wait_for_function("() => location.search.includes('attribution-x=1.1')")
    assert parse_qs(urlsplit(page.url).query)["on"] == ["maml"]
