"""Links and runs that somebody else wrote, in a real browser: nothing is fetched, nothing of theirs is a link."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboard.widgets.escape import JOINER
from tests.dashboard.test_escape import HOSTILE

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
IMAGE = "![](http://127.0.0.1:9/x.png) [a](http://evil.example) <img src=http://127.0.0.1:9/y.png> www.evil.example"
NAME = "![](www.evil.example) :red[a] $x$ :material-delete: `k`"  # of a folder
THEIRS = """() => [...document.querySelectorAll('a, img, iframe')].map((e) => e.outerHTML)
  .filter((it) => /evil|127[.]0[.]0[.]1:9/.test(it))
  .concat([...document.querySelectorAll('[data-testid="stAlert"] p *')].map((e) => e.outerHTML))"""


@pytest.fixture
def hostile_runs(own_runs: Path) -> Iterator[Path]:
    """A training whose names and whose error are all hostile."""
    folder = own_runs / NAME / NAME
    shutil.copytree(ROOT / "checkpoints" / "sine" / "maml-k5-s0", folder)
    record = json.loads((folder / "run.json").read_text())
    record |= {"status": "failed", "error": " ".join(HOSTILE), "task": "![](http://127.0.0.1:9/z.png)"}
    (folder / "run.json").write_text(json.dumps(record))
    yield folder
    shutil.rmtree(folder.parent)


def opened(visit: Visit, url: str) -> tuple[sync_api.Page, list[str]]:
    """A page and what the browser asked others for."""
    page = visit(url="about:blank", wait=False).page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    expect(page.locator(IDLE)).to_have_count(1)
    page.wait_for_load_state("networkidle")
    return page, [one for one in asked if not one.startswith(("data:", "blob:", url.rsplit("/", 1)[0]))]


def test_a_link_shows_its_letters_and_fetches_nothing(visit: Visit, server: str):
    page, elsewhere = opened(visit, f"{server}/?{urlencode({'runs': IMAGE, 'task': IMAGE, 'on': IMAGE})}")
    said = " ".join(page.get_by_test_id("stAlert").all_inner_texts()).replace(JOINER, "")
    assert "'![](http://127.0.0.1:9/x.png) [a]" in said
    assert not elsewhere
    assert not page.evaluate(THEIRS)


def test_a_run_shows_its_letters_and_fetches_nothing(visit: Visit, server: str, hostile_runs: Path):
    page, elsewhere = opened(visit, f"{server}/train")
    expect(page.get_by_text("failed · update")).to_be_visible()
    assert page.get_by_test_id("stAlert").last.inner_text().replace(JOINER, "").endswith(" ".join(HOSTILE))
    card = page.get_by_text("5 shots").first.inner_text().replace(JOINER, "")
    assert "![](http://127.0.0.1:9/z.png), 5 shots" in card
    assert f"runs/{NAME}"[:60] in card
    assert not elsewhere
    assert not page.evaluate(THEIRS)
