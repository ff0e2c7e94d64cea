"""SAP operations in a real browser: a click on an operation in the drawn network switches it off on the sine."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.browser.live_page import rested

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

PLACE = """([chart, name]) => {
    const plot = chart.querySelector('.js-plotly-plot'), area = plot.getBoundingClientRect(), full = plot._fullLayout;
    const dots = plot.calcdata.find((cd) => cd[0].trace.customdata);
    const index = dots[0].trace.customdata.indexOf(name);
    return [area.x + full.xaxis._offset + full.xaxis.l2p(dots[index].x),
            area.y + full.yaxis._offset + full.yaxis.l2p(dots[index].y)];
}"""
# What a chart shows, as text: the cells of a map, or the heights of curves; "" while Plotly draws it anew.
SHOWN = """(key) => { const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
    return (plot?._fullData ?? []).map((t) => [...((t.z ? t.text : t.y) ?? [])].join(' ')).join('|'); }"""
OTHER = f"([key, known]) => {{ const now = ({SHOWN})(key); return now !== '' && !known.includes(now); }}"
Open = Callable[..., "sync_api.Page"]


@pytest.fixture
def operations(open_page: Open) -> Open:
    """Opens the page at a query, and waits until it rests."""

    def opens(query: str, **options: object) -> sync_api.Page:
        return rested(open_page("operations", query, **options))

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


def test_the_slider_and_play_move_the_map_through_training(operations: Open):
    page = operations("sap-part=Strengths")
    last = page.evaluate(SHOWN, "sap-strengths")
    thumb = page.locator(".st-key-sap-moment").get_by_role("slider")
    thumb.focus()
    thumb.press("ArrowLeft")
    page.wait_for_function("() => new URLSearchParams(location.search).get('sap-moment') === '4500'")
    expect(page.get_by_text("after 4,500 meta-updates").first).to_be_visible()
    again = operations(urlsplit(page.url).query)
    expect(again.get_by_text("after 4,500 meta-updates").first).to_be_visible()
    before = page.evaluate(SHOWN, "sap-strengths")
    page.locator(".st-key-sap-play").get_by_role("button").click()
    page.wait_for_function("() => Number(new URLSearchParams(location.search).get('sap-moment')) < 4000")  # on its way
    page.wait_for_function(OTHER, arg=["sap-strengths", [before, last]])
    expect(page.get_by_text("after 5,000 meta-updates").first).to_be_visible()
    expect(page.locator(".st-key-sap-play").get_by_role("button", name="Play")).to_have_count(1)
    page.wait_for_function("() => !location.search.includes('sap-moment')")
    page.wait_for_function(f"([key, last]) => ({SHOWN})(key) === last", arg=["sap-strengths", last])


def test_the_slider_of_n_redraws_the_sine_and_the_link_keeps_it(operations: Open):
    page = operations("sap-part=Worth&sap-kept=2", color_scheme="dark")
    expect(page.get_by_text("2 of 20 adapt").first).to_be_visible()
    before = page.evaluate(SHOWN, "sap-few-curves")
    thumb = page.locator(".st-key-sap-kept").get_by_role("slider")
    thumb.focus()
    thumb.press("ArrowLeft")
    expect(page.get_by_text("1 of 20 adapt").first).to_be_visible()
    page.wait_for_function(OTHER, arg=["sap-few-curves", [before]])
    page.wait_for_function("() => new URLSearchParams(location.search).get('sap-kept') === '1'")
    again = operations(urlsplit(page.url).query)
    expect(again.get_by_text("with the first taken by worth").first).to_be_visible()


def test_the_line_above_leads_to_what_holds_here(operations: Open):
    page = operations("sap-part=Strengths", viewport={"width": 820, "height": 900})
    heading = page.get_by_role("heading", name="What holds here")
    expect(heading).not_to_be_in_viewport()
    page.get_by_role("link", name="What holds here").first.click()
    expect(heading).to_be_in_viewport()
    expect(page.locator(".st-key-holds").get_by_text("SAP beats comparable gradient-based learners")).to_be_visible()
