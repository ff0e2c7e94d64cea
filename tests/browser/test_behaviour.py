"""Learning behaviour in a real browser: it opens without errors, a link holds its state, a click opens a task."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.live_page import rested

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

PLACE = """([chart, index]) => {
  const plot = chart.querySelector('.js-plotly-plot'), trace = plot._fullData.find((t) => t.mode === 'markers');
  const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
  const to = (axis, value) => axis._offset + axis.c2p(value);
  return [box.x + to(xaxis, trace.x[index]), box.y + to(yaxis, trace.y[index]), trace.customdata[index][0]];
}"""
Open = Callable[..., "sync_api.Page"]


@pytest.fixture
def behaviour(open_page: Open) -> Open:
    """Opens the page with few tasks, and waits until it rests: `behaviour("behaviour-part=Shots")`."""
    return lambda query="", **options: rested(open_page("behaviour", f"behaviour-tasks=50&{query}", **options))


def test_a_click_on_a_task_opens_its_curves_and_the_link_keeps_it(behaviour: Open):
    page = behaviour("behaviour-part=Task by task")
    opened = page.get_by_role("heading", name=re.compile("What do they make of task"))
    before = opened.inner_text()
    chart = page.locator(".st-key-behaviour-scatter")
    x, y, task = page.evaluate(PLACE, [chart.element_handle(), 3])
    if before.endswith(f" {task}?"):
        x, y, task = page.evaluate(PLACE, [chart.element_handle(), 4])
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    expect(opened).not_to_have_text(before)
    assert opened.inner_text() == f"What do they make of task {task}?"
    page.wait_for_function(
        "(task) => new URLSearchParams(location.search).get('behaviour-task') === task", arg=str(task)
    )
    again = behaviour(urlsplit(page.url).query)
    assert again.get_by_role("heading", name=f"What do they make of task {task}?").is_visible()


def test_the_plateau_moves_the_ends_of_the_toy(behaviour: Open):
    page = behaviour("behaviour-part=Looking ahead", color_scheme="dark")
    expect(page.get_by_text("ends at 57.1", exact=False).first).to_be_visible()
    before = page.locator(".st-key-behaviour-toy .trace").evaluate_all("all => all.map((t) => t.outerHTML).join()")
    page.get_by_text("Plateau", exact=True).click()
    expect(page.get_by_text("ends at 13.7", exact=False).first).to_be_visible()
    rested(page)
    after = page.locator(".st-key-behaviour-toy .trace").evaluate_all("all => all.map((t) => t.outerHTML).join()")
    assert before != after
    page.wait_for_function("() => location.search.includes('behaviour-toy-plateau=true')")
    assert parse_qs(urlsplit(page.url).query)["behaviour-part"] == ["Looking ahead"]
