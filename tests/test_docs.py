"""docs/: every number of a result is written from shipped files, and is what they say today."""

from __future__ import annotations

import json
import logging
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import measured, pages
from docs.__main__ import main
from engine.errors import BadInput
from engine.learners import LEARNERS
from engine.runs.run import RECORD
from engine.studies.report import evaluate_seeds, of_images
from tests.images import put_run

ROOT = Path(__file__).resolve().parents[1]
HAND = {  # of numbers in the README that no shipped file holds: what they are
    "3.11": "Python's version",
    "2.0": "the licence's version",
}


@pytest.fixture(scope="module", autouse=True)
def quiet():
    """Streamlit says, of every cache, that no page is running."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: path.name)
def test_pages_say_what_shipped_files_say(path: Path):
    text = path.read_text()
    assert pages.names(text), "nothing is written here"
    assert pages.filled(text) == text, "`python -m docs` writes it anew"


def test_a_number_changed_by_hand_is_seen():
    text = (ROOT / "docs" / "results.md").read_text()
    changed = re.sub(r"(\| LSTM, pooled \| 0\.0)\d", r"\g<1>9", text)
    assert changed != text
    assert pages.filled(changed) == text
    with pytest.raises(BadInput, match="There is no block nothing; known are errors, "):
        pages.filled("<!-- begin nothing -->\n<!-- end nothing -->")
    assert main(["--measured"]) == 2


def test_every_shipped_training_was_measured_with_these_weights():
    found = measured.kept()
    folders: dict[str, list[Path]] = {}
    for path in sorted(measured.ROOT.glob(f"*/*/{RECORD}")):
        if of_images(json.loads(path.read_text())):
            continue  # those stand with what they answer: `test_a_table_of_images_is_of_these_weights`
        folders.setdefault(measured.name([path.parent]), []).append(path.parent)
    assert set(found) == set(folders)
    for name, paths in folders.items():
        records = [json.loads((path / RECORD).read_text()) for path in paths]
        seeds = sorted(records, key=lambda record: record["seed"])
        assert found[name]["weights"] == [record["weights_sha256"] for record in seeds], name
        # the training itself measured each seed on the same 2,000 tasks
        errors = [record["metrics"]["test_mse"] for record in seeds]
        assert found[name]["result"]["per_seed"] == pytest.approx(errors, rel=1e-3), name
    with pytest.raises(measured.Stale, match=r"sine/maml-k5 has other weights than were measured"):
        measured.Kept()([measured.ROOT / "sine" / "maml-k5-s0"], measured.TASKS, "cpu")


def test_a_table_of_images_is_of_these_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "ROOT", tmp_path)
    assert measured.image_rows() == []
    put_run(tmp_path / "glyphs", "protonet", 0)
    with pytest.raises(measured.Stale, match=r"glyphs/protonet-k1 has other weights than were measured"):
        measured.image_rows()
    monkeypatch.setattr("engine.tasks.Episodes.test_tasks", 3)
    monkeypatch.setattr(measured, "FILE", tmp_path / "measured.json")
    named = measured.measure()
    assert {name.rsplit("-", 1)[0] for name in named} >= {"protonet-k1-glyphs", "protonet-k1-digits"}
    (row,) = measured.image_rows()
    assert row["domains"]["glyphs"]["tasks"] == 3
    assert measured.measure() == []  # what is kept is not measured again
    assert len(measured.measure(again=True)) == len(named)


def test_measuring_again_gives_what_is_kept():
    paths = [measured.ROOT / "sine" / f"lstm-k5-s{seed}" for seed in range(3)]
    again, kept = evaluate_seeds(paths, measured.TASKS), measured.kept()["sine/lstm-k5"]["result"]
    assert set(again) <= set(kept)
    for key, value in again.items():
        assert kept[key] == pytest.approx(value, rel=1e-2, abs=1e-4), key


def test_no_result_stands_in_the_readme_by_hand():
    """Decimals outside the blocks are neither errors nor speeds with digits that nobody checks."""
    rest = pages.BLOCK.sub("", (ROOT / "README.md").read_text())
    rest = re.sub(r"```.*?```", "", rest, flags=re.S)
    assert set(re.findall(r"\d+\.\d+(?![\d.]*/)", rest)) <= set(HAND)


def test_every_learner_says_what_it_follows():
    table = (ROOT / "docs" / "learners.md").read_text()
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([\w-]+)`", line.split("|")[1])
    }
    assert named == set(LEARNERS)


def test_the_readme_is_a_shop_window():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


def test_every_page_is_in_the_site_and_the_reference_names_what_exists():
    every = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    nav = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    assert set(re.findall(r"[\w/-]+\.md", nav)) == every
    for path in (ROOT / "docs" / "reference").glob("*.md"):
        named = re.findall(r"^::: (\S+)$", path.read_text(), flags=re.M)
        assert named, path.name
        for name in named:
            assert pkgutil.resolve_name(name).__doc__, f"{path.name}: {name}"


def test_the_site_builds_strictly(tmp_path: Path):
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: `make docs` installs it and builds the site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "MAML" in (tmp_path / "site" / "reference" / "learners" / "index.html").read_text()


def test_links_from_page_to_page_lead_somewhere():
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([\w./-]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
