"""Runs on images in a real browser: each page at a link, by accuracy or in one sentence, and a zip to train on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.runs.test_uploads import classes, zipped
from tests.images import put_run

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
GLYPHS = "runs=my-glyphs&on=protonet,maml"
DRAWN = {
    "behaviour": "behaviour-tasks=50",
    "features": "features-part=Similarity",
    "landscape": "landscape-task-size=21",
    "rules": "",
    "operations": "sap-part=Match+with+the+tasks",
}


@pytest.fixture(scope="module")
def glyphs(own_runs: Path) -> Iterator[Path]:
    """Runs of two learners, beside whatever other tests leave there."""
    for name in ("protonet", "maml"):
        for seed in range(2):
            put_run(own_runs / "glyphs", name, seed)
    yield own_runs / "glyphs"
    shutil.rmtree(own_runs / "glyphs")


def rests(page: sync_api.Page) -> None:
    expect(page.locator(IDLE)).to_have_count(1)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


@pytest.mark.parametrize("name", DRAWN)
def test_a_link_opens_a_page_on_images(name: str, glyphs: Path, open_page: Callable[..., sync_api.Page]):
    page = open_page(name, f"{GLYPHS}&{DRAWN[name]}")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    rests(page)
    if name == "behaviour":
        expect(page.locator(".js-plotly-plot .ytitle").first).to_have_text("query accuracy")


def test_the_choice_goes_along_and_what_needs_a_line_says_so(glyphs: Path, open_page: Callable[..., sync_api.Page]):
    page = open_page("attribution", GLYPHS)
    expect(page.get_by_text("was trained on glyphs, whose tasks are not functions of one number").first).to_be_visible()
    rests(page)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Live adaptation").click()
    expect(page.get_by_text("they tell 5 classes apart")).to_be_visible()
    rests(page)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Runs").click()
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    rests(page)


def test_a_zip_is_sent_and_can_be_trained_on(own_runs: Path, open_page: Callable[..., sync_api.Page], tmp_path: Path):
    zip_ = tmp_path / "photos.zip"
    zip_.write_bytes(zipped(classes("photos/", images=16)))
    page = open_page("train", "train-task=folders&train-learner=ProtoNet&train-shots=1")
    expect(page.get_by_text("set path to one with a folder for each class")).to_be_visible()
    page.locator(".st-key-train-upload input[type=file]").set_input_files(zip_)
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    rests(page)
    (there,) = (own_runs / "uploaded").iterdir()
    assert there.name.startswith("photos-")
    shutil.rmtree(own_runs / "uploaded")
