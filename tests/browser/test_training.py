"""A newcomer trains, watches, calls off, takes up again, sees the result live, and takes it out and in."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.runs import load

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PARAMETERS = "train-shots=5&train-seeds=2&train-maml-5-training-iterations=1500&train-maml-5-training-meta_batch=2"
FOLDER = "maml-k5-s0"
LONG = 600_000  # milliseconds: a training lets everything else on the machine go first


def card(page: sync_api.Page) -> sync_api.Locator:
    """The newcomer's training."""
    return page.locator(f".st-key-job-sine-{FOLDER}")


def test_a_newcomers_path(visit: Visit, server: str, own_runs: Path, tmp_path: Path):
    page = visit(url=f"{server}/train?{PARAMETERS}", wait=False).page
    expect(page.get_by_text("The same in a shell")).to_be_visible()
    page.get_by_text("The same in a shell").click()
    expect(page.get_by_text("python -m engine train maml --shots 5 --seeds 2")).to_be_visible()
    page.get_by_role("button", name="Start training").click()

    expect(card(page).get_by_text(re.compile(r"running · update [1-9][\d,]* of 1,500"))).to_be_visible(timeout=LONG)
    expect(card(page).locator(".js-plotly-plot").first).to_be_visible()  # the losses as they fall
    card(page).get_by_role("button", name="Cancel").click()
    expect(card(page).get_by_text("called off; its best weights so far are kept")).to_be_visible()
    reached = load(own_runs / "sine" / FOLDER).record["iteration"]
    assert 0 < reached < 1500

    card(page).get_by_role("button", name="Resume").click()
    expect(card(page).get_by_text("done · update 1,500 of 1,500")).to_be_visible(timeout=LONG)
    before = load(own_runs / "sine" / FOLDER)

    expect(page.locator(IDLE)).to_have_count(1)
    card(page).get_by_role("link", name="Open on the live page").click()
    page.wait_for_url(re.compile(r"on=maml"))
    expect(page.locator(".learner", has_text="MAML (yours)").first).to_be_visible()
    expect(page.locator('.learner-row[data-learner="op-lstm"][aria-pressed="true"]')).to_be_visible()  # a shipped one
    assert "runs=my-sine" in page.url

    page = visit(url=f"{server}/runs?runs-own=true", wait=False).page
    expect(page.get_by_text(re.compile(r"^2 of \d+ runs"))).to_be_visible()
    table = page.locator('[data-testid="stDataFrame"]').first
    box = table.bounding_box()
    assert box
    page.mouse.click(box["x"] + 20, box["y"] + 52)  # the box of the first row
    expect(page.get_by_role("heading", name=f"sine/{FOLDER}")).to_be_visible()
    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Run (zip)").click()
    archive = tmp_path / "run.zip"
    waiting.value.save_as(archive)
    assert f"{FOLDER}/weights.safetensors" in zipfile.ZipFile(archive).namelist()

    page.get_by_role("button", name="Delete 1 run").click()
    expect(page.get_by_text("Trash (1)")).to_be_visible()
    assert not (own_runs / "sine" / FOLDER).exists()

    expect(page.locator(IDLE)).to_have_count(1)
    page.get_by_text("Import a run").click()
    expect(page.get_by_test_id("stFileUploader")).to_be_visible()
    page.locator('input[type="file"]').set_input_files(archive)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text(re.compile(rf"Imported as .*imported/{FOLDER}"))).to_be_visible()
    after = load(own_runs / "imported" / FOLDER)
    assert after.sha256 == before.sha256
    assert after.learner == before.learner


def test_a_file_that_is_no_run_is_refused_in_one_sentence(visit: Visit, server: str, tmp_path: Path):
    wrong = tmp_path / "evil.zip"
    wrong.write_bytes(b"PK\x03\x04 not really")
    page = visit(url=f"{server}/runs", wait=False).page
    expect(page.get_by_text(re.compile(r"\d+ of \d+ runs"))).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)  # a fold that is opened while the page is made closes again
    page.get_by_text("Import a run").click()
    expect(page.get_by_test_id("stFileUploader")).to_be_visible()
    page.locator('input[type="file"]').set_input_files(wrong)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("The file is not a zip archive that can be read")).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)
