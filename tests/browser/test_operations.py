"""SAP operations in a real browser: a click on an operation in the drawn network switches it off on the sine."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PLACE = """([chart, name]) => {
    const plot = chart.querySelector('.js-plotly-plot'), area = plot.getBoundingClientRect(), full = plot._fullLayout;
    const dots = plot.calcdata.find((cd) => cd[0].trace.customdata);
    const index = dots[0].trace.customdata.indexOf(name);
    return [area.x + full.xaxis._offset + full.xaxis.l2p(dots[index].x),
            area.y + full.yaxis._offset + full.yaxis.l2p(dots[index].y)];
}"""
Open = Callable[..., "sync_api.Page"]


@pytest.fixture
def operations(open_page: Open) -> Open:
    """Opens the page at a query, and waits until it rests."""

    def opens(query: str, **options: object) -> sync_api.Page:
        page = open_page("operations", query, **options)
        expect(page.locator(".js-plotly-plot").first).to_be_visible()
        expect(page.locator(IDLE)).to_have_count(1)
        return page

    return opens


def test_a_click_on_an_operation_switches_it_off_and_the_link_keeps_it(operations: Open):
    page = operations("sap-part=One operation")
    chart = page.locator(".stPlotlyChart").first
    chart.scroll_into_view_if_needed()
    x, y = page.evaluate(PLACE, [chart.element_handle(), "output.scale"])
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    expect(page.get_by_text("output: scale held still").first).to_be_visible()
    page.wait_for_function("() => new URLSearchParams(location.search).has('sap-operation')")
    again = operations(urlsplit(page.url).query)
    expect(again.get_by_text("output: scale held still").first).to_be_visible()


def test_strengths_in_the_dark_as_step_sizes(operations: Open):
    page = operations("sap-part=Strengths", color_scheme="dark")
    expect(page.get_by_role("heading", name="Which operations are strong?")).to_be_visible()
    page.locator(".st-key-sap-measure").get_by_text("effective step size", exact=True).click()
    expect(page.get_by_text("Effective step size of each operation").first).to_be_visible()
    page.wait_for_function("() => location.search.includes('sap-measure=')")
