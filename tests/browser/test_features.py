"""The page Features in a real browser: a cell that is clicked opens its pair, a selection is seen in the other view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
LEARNERS = "on=maml,finetuning"


def opened(visit: Visit, server: str, part: str, chart: str, **options: object) -> sync_api.Page:
    """The page with two learners at one of its parts, once the chart is drawn and the script rests."""
    live = visit(url=f"{server}/features?features-part={part}&{LEARNERS}", wait=False, **options)
    expect(live.page.locator(f".st-key-{chart} .js-plotly-plot .nsewdrag").first).to_be_visible()
    expect(live.page.locator(IDLE)).to_have_count(1)
    return live.page


def place(page: sync_api.Page, chart: str, x: float, y: float) -> tuple[float, float]:
    """A point of a chart's plot, as shares of its width and height from the upper left."""
    box = page.locator(f".st-key-{chart} .nsewdrag").first.bounding_box()
    assert box
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def box(page: sync_api.Page, which: str) -> sync_api.Locator:
    """One of the two boxes of a pair."""
    return page.locator(f".st-key-features-{which} input").first


def faded(page: sync_api.Page, chart: str) -> int:
    """How many points of a chart are drawn faintly."""
    script = """(chart) => document.querySelector(`.st-key-${chart} .js-plotly-plot`)._fullData
        .flatMap((trace) => Array.from(trace.marker?.opacity?.length ? trace.marker.opacity : []))
        .filter((opacity) => opacity < 0.5).length"""
    return int(page.evaluate(script, chart))


def test_a_click_on_a_cell_opens_its_pair_and_the_link_keeps_it(visit: Visit, server: str):
    page = opened(visit, server, "Similarity", "features-heat")
    page.mouse.move(*place(page, "features-heat", 5.5 / 8, 0.5 / 8))  # row 1, column 6 of 8
    page.mouse.click(*place(page, "features-heat", 5.5 / 8, 0.5 / 8))
    expect(box(page, "second")).to_have_value("MAML, hidden 1, after")
    expect(box(page, "first")).to_have_value("Finetuning, hidden 1, before")
    expect(page.locator(".st-key-features-kernels .annotation-text").last).to_have_text("MAML, hidden 1, after")
    page.wait_for_function("new URLSearchParams(location.search).get('features-second') === 'MAML, hidden 1, after'")
    again = visit(url=page.url, wait=False).page
    expect(box(again, "second")).to_have_value("MAML, hidden 1, after")
    expect(box(again, "first")).to_have_value("Finetuning, hidden 1, before")


def test_tasks_that_are_selected_are_the_points_of_the_map(visit: Visit, server: str):
    page = opened(visit, server, "Maps", "features-tasks")
    assert faded(page, "features-pca") == 0
    page.mouse.move(*place(page, "features-tasks", 0.02, 0.02))
    page.mouse.down()
    page.mouse.move(*place(page, "features-tasks", 0.5, 0.5), steps=5)
    page.mouse.up()
    expect(page.get_by_text("What do the selected points say?")).to_be_visible()
    page.wait_for_function(
        "(document.querySelector('.st-key-features-pca .js-plotly-plot')?._fullData ?? [])"
        ".some((trace) => Array.from(trace.marker?.opacity ?? []).some((opacity) => opacity < 0.5))"
    )
    chosen = faded(page, "features-tasks")
    assert 0 < chosen < 60
    page.mouse.move(*place(page, "features-pca", 0.02, 0.02))
    page.mouse.down()
    page.mouse.move(*place(page, "features-pca", 0.6, 0.98), steps=5)
    page.mouse.up()
    page.wait_for_function(
        "(before) => { const plot = document.querySelector('.st-key-features-tasks .js-plotly-plot');"
        " if (!plot?._fullData?.length) return false;"
        " return Array.from(plot._fullData[0].marker.opacity).filter((o) => o < 0.5).length !== before; }",
        arg=chosen,
    )
    page.locator(".st-key-features-clear button").click()
    expect(page.get_by_text("What do the selected points say?")).to_have_count(0)


def test_a_part_and_a_measure_are_kept_in_the_link(visit: Visit, server: str):
    page = opened(visit, server, "Diversity", "features-diversity", width=820, color_scheme="dark")
    page.get_by_role("radio", name="participation ratio").click()
    expect(page.locator(".st-key-features-diversity .xtitle").first).to_have_text("participation ratio")
    page.get_by_role("tab", name="Similarity").click()
    expect(page.locator(".st-key-features-heat .js-plotly-plot")).to_be_visible()
    page.wait_for_function("new URLSearchParams(location.search).get('features-part') === 'Similarity'")
