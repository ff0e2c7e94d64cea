"""Below the picture of the live page, in a real browser: the points as a table, the figure, the data."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]
LEARNERS = {"finetuning", "fomaml", "lstm", "maml", "op-lstm", "reptile"}
SEEDS = {"0", "1", "2"}


@pytest.mark.parametrize(
    ("typed", "spoken", "says"), [("-4.5", "-4.50", ""), ("99", "12.00", "Row 1 was moved to the edge")]
)
def test_editing_the_table_moves_the_point(visit: Visit, typed: str, spoken: str, says: str):
    live = visit()
    before, start = live.paths(), live.points()
    live.page.get_by_role("tab", name="Points").click()
    cell = live.page.locator("#glide-cell-2-0")
    expect(cell).to_have_count(1)
    live.drawn()
    canvas = live.page.get_by_test_id("stDataFrame").locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    live.page.mouse.click(box["x"] + 250, box["y"] + 52)  # the first row's y: the grid draws its cells on a canvas
    expect(live.page.locator('#glide-cell-2-0[aria-selected="true"]')).to_have_count(1)
    live.page.keyboard.press("Enter")
    editor = live.page.locator("#portal input")
    editor.fill(typed)
    editor.press("Enter")
    live.all_moved(before)
    expect(live.point(0)).to_have_attribute("aria-label", re.compile(f"y {re.escape(spoken)};"))
    assert live.points()[1:] == start[1:]
    live.drawn()
    said = live.page.get_by_test_id("stAlert")
    expect(said).to_have_count(1 if says else 0)
    assert all(says in sentence for sentence in live.warnings())


def test_the_figure_and_its_page_for_elsewhere(visit: Visit):
    live = visit()
    live.page.get_by_role("tab", name="Figure").click()
    expect(live.page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    live.drawn()
    with live.page.expect_download() as download:
        live.page.get_by_role("button", name="HTML, interactive").click()
    text = download.value.path().read_text()
    assert download.value.suggested_filename == "innerloop.html"
    assert text.lstrip().lower().startswith(("<html", "<!doctype html"))
    assert text.rstrip().endswith("</html>")
    assert "Plotly.newPlot" in text
    assert len(text) > 1_000_000  # plotly.js is inside: the page needs no network
    assert not re.search(r"<script[^>]+src=", text)


def test_the_data_as_csv_and_json(visit: Visit):
    live = visit("points=-3:1,0:2,1:2.5,2:-1,4:0.125")
    live.page.get_by_role("tab", name="Data").click()
    expect(live.page.get_by_test_id("stDataFrame")).to_be_visible()
    live.drawn()
    with live.page.expect_download() as download:
        live.page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert {row["learner"] for row in rows} == LEARNERS
    assert {(row["learner"], row["seed"]) for row in rows} == {(name, seed) for name in LEARNERS for seed in SEEDS}
    assert all(float(row["mse"]) >= 0 for row in rows)
    with live.page.expect_download() as download:
        live.page.get_by_role("button", name="JSON", exact=True).click()
    content = json.loads(download.value.path().read_text())
    assert content["points"] == [[-3, 1], [0, 2], [1, 2.5], [2, -1], [4, 0.125]]
    assert {entry["learner"] for entry in content["learners"]} == LEARNERS
    assert all({run["seed"] for run in entry["runs"]} == {0, 1, 2} for entry in content["learners"])
    of_json = {entry["learner"]: entry["mse"][0] for entry in content["learners"]}
    of_csv = {(row["learner"], row["seed"]): float(row["mse"]) for row in rows if row["step"] == "0"}
    assert all(of_csv[name, seed] == of_json[name][int(seed)] for name in LEARNERS for seed in SEEDS)


def test_how_to_read_has_a_formula_for_each_learner_that_is_on(visit: Visit):
    live = visit("on=maml,lstm", wait=False).drawn(2)
    entries = live.page.locator(".st-key-live-rules p").filter(has=live.page.locator(".katex"))
    expect(entries).to_have_count(2)
    expect(entries.nth(0)).to_contain_text("MAML")
    live.row("op-lstm").click()
    expect(entries).to_have_count(3)
