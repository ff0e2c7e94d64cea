"""Loss landscape in a real browser: a click changes the plane, the link holds it, and a long computation is stopped."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.live_page import rested

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
HEIGHTS = """(chart) => chart.querySelector('.js-plotly-plot')._fullData
  .filter((t) => t.type === 'contour').map((t) => [t.z[0][0], t.z[20][20], t.x[0]])"""
PLACE = """([chart, index]) => {
  const plot = chart.querySelector('.js-plotly-plot'), traces = plot._fullData;
  const trace = traces.find((t) => t.mode === 'markers' && t.x.length > 3);
  const box = plot.getBoundingClientRect(), layout = plot._fullLayout;
  const [xa, ya] = [trace.xaxis, trace.yaxis].map((id) => layout[id[0] + 'axis' + id.slice(1)]);
  const at = (axis, value) => axis._offset + axis.c2p(value);
  return [box.x + at(xa, trace.x[index]), box.y + at(ya, trace.y[index])];
}"""
Open = Callable[..., "sync_api.Page"]


@pytest.fixture
def landscape(open_page: Open) -> Open:
    """Opens the page at a query."""
    return lambda query="", **options: open_page("landscape", query, **options)


def heights(page: sync_api.Page) -> list[list[float]]:
    """Of every panel: a corner of the surface, its middle, and where its axis begins."""
    return page.locator(".st-key-landscape-task-contour").evaluate(HEIGHTS)


def test_another_plane_is_another_surface_and_the_link_keeps_it(landscape: Open):
    page = rested(landscape("on=maml,turtle"))
    before = heights(page)
    assert len(before) == 2
    page.locator(".st-key-landscape-task-plane").get_by_text("random", exact=True).click()
    expect(page.get_by_text("is not where learning walked", exact=False)).to_be_visible()
    rested(page)
    after = heights(page)
    assert before != after
    page.wait_for_function("() => location.search.includes('landscape-task-plane=random')")
    again = rested(landscape(urlsplit(page.url).query, color_scheme="dark"))
    assert heights(again) == after
    assert parse_qs(urlsplit(again.url).query)["on"] == ["maml,turtle"]


def test_a_point_of_the_path_says_its_true_loss_and_that_of_the_plane(landscape: Open):
    page = rested(landscape("on=op-lstm"))
    chart = page.locator(".st-key-landscape-task-contour")
    x, y = page.evaluate(PLACE, [chart.element_handle(), 2])
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y, steps=3)
    hover = chart.locator(".hovertext")
    expect(hover).to_contain_text("OP-LSTM")
    expect(hover).to_contain_text("step 2: loss")
    expect(hover).to_contain_text("on the plane below")


def test_three_dimensions_open_without_errors(landscape: Open):
    page = rested(landscape("on=maml&landscape-task-view=3-D", color_scheme="dark"))
    expect(page.locator(".st-key-landscape-task-surface canvas").first).to_be_visible()


def test_a_long_computation_is_stopped_and_taken_up_again(landscape: Open):
    """The meta-loss of OP-LSTM at 41 x 41 places takes a minute; a click stops it within a chunk of places."""
    page = landscape("on=op-lstm&landscape-part=Meta-loss&landscape-meta-size=41")
    page.get_by_role("button", name=re.compile("Stop: 1 of 1")).click()
    expect(page.get_by_text("Stopped before OP-LSTM.")).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)
    assert page.locator(".js-plotly-plot").count() == 0
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name=re.compile("Stop: 1 of 1")).click()
    expect(page.get_by_text("Stopped before OP-LSTM.")).to_be_visible()
