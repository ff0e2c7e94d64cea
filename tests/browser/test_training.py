"""A newcomer trains, watches, calls off, takes up again, sees the result live, and takes it out and in."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.runs.run import load

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

ROOT = Path(__file__).resolve().parents[2]
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
    tick_first(page)
    expect(page.get_by_role("heading", name=f"sine/{FOLDER}")).to_be_visible()
    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Run (zip)").click()
    archive = tmp_path / "run.zip"
    waiting.value.save_as(archive)
    assert f"{FOLDER}/weights.safetensors" in zipfile.ZipFile(archive).namelist()

    page.get_by_role("button", name="Delete 1 run").click()
    page.get_by_role("button", name="Move 1 run to the trash").click()
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


def test_a_selection_is_runs_and_not_rows(visit: Visit, server: str, own_runs: Path):
    """A row is chosen, a run appears above it, a tag is typed: all is still said of the first; then it is deleted."""
    home = own_runs / "a-choice"  # sorts above what other tests leave
    for name in ("maml-k10-s0", "maml-k10-s1"):
        shutil.copytree(ROOT / "checkpoints" / "sine" / name, home / name)
    page = visit(url=f"{server}/runs?runs-own=true&runs-filter=a-choice", wait=False).page
    expect(page.get_by_text(re.compile(r"^2 of \d+ runs"))).to_be_visible()
    tick_first(page)
    first = page.get_by_role("heading", name="a-choice/maml-k10-s0")
    expect(first).to_be_visible()
    shutil.copytree(ROOT / "checkpoints" / "sine" / "finetuning-k10-s0", home / "finetuning-k10-s0")
    page.get_by_role("tab", name="Notes").click()
    page.get_by_label("Tags").fill("mine")
    page.get_by_label("Tags").press("Enter")
    expect(page.get_by_text(re.compile(r"^3 of \d+ runs"))).to_be_visible()
    page.get_by_role("button", name="Save").click()
    sha = load(home / "maml-k10-s0").sha256
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    assert json.loads((own_runs / ".notes.json").read_text())[sha]["tags"] == "mine"
    expect(first).to_be_visible()
    page.get_by_role("button", name="Delete 1 run").click()
    expect(page.get_by_test_id("stPopoverBody").get_by_text("a-choice/maml-k10-s0")).to_be_visible()
    page.get_by_role("button", name="Move 1 run to the trash").dblclick()
    expect(page.get_by_text("In the trash:")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^2 of \d+ runs"))).to_be_visible()
    assert sorted(path.name for path in home.iterdir()) == ["finetuning-k10-s0", "maml-k10-s1"]
    expect(page.get_by_role("heading", name="a-choice/")).to_have_count(
        0
    )  # nothing is selected, also not its neighbour
    tick_first(page)  # and the box there was empty
    expect(page.get_by_role("heading", name="a-choice/finetuning-k10-s0")).to_be_visible()


def tick_first(page: sync_api.Page) -> None:
    """Clicks the box of the first row of the table of runs."""
    expect(page.locator(IDLE)).to_have_count(1)
    box = page.locator('[data-testid="stDataFrame"]').first.bounding_box()
    assert box
    page.mouse.click(box["x"] + 20, box["y"] + 52)


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
