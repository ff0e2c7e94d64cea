"""Run folders that somebody else wrote: no page fails, and nothing outside the runs folder changes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

from dashboard.widgets import library
from dashboard.widgets.runs import table, watch
from engine.errors import EngineError
from engine.jobs import local as jobs
from engine.runs import archive
from tests import hostile
from tests.dashboard.pages import linked
from tests.engine.test_faults import BOUND, on_linux, write_protect

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "checkpoints" / "sine"
pytestmark = pytest.mark.usefixtures("own")


def flip(folder: Path) -> None:
    """One bit of the weights."""
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-40] ^= 1
    (folder / "weights.safetensors").write_bytes(bytes(content))


def cut(folder: Path) -> None:
    """Half of the weights."""
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[: len(content) // 2])


def spoil(folder: Path) -> None:
    """Weights that are no numbers."""
    tensors = load_file(folder / "weights.safetensors")
    save_file(
        {key: torch.full_like(value, torch.nan) for key, value in tensors.items()}, folder / "weights.safetensors"
    )


def tear(folder: Path) -> None:
    """The last line of the history, and one in its middle."""
    lines = (folder / "history.jsonl").read_text().splitlines()
    lines[len(lines) // 2] = lines[len(lines) // 2][:7]
    (folder / "history.jsonl").write_text("\n".join(lines)[:-9])


def empty(folder: Path) -> None:
    """No history at all."""
    (folder / "history.jsonl").write_text("")


def forge(folder: Path) -> None:
    """A record of another kind."""
    (folder / "run.json").write_text(json.dumps({"schema": 1, "learner": {"name": []}, "status": 7}))


def garble(folder: Path) -> None:
    """A record that is no text."""
    (folder / "run.json").write_bytes(os.urandom(200))


def blur(folder: Path) -> None:
    """A history that is no text, with a row that is none."""
    (folder / "history.jsonl").write_bytes(b'{"iteration": 0}\n7\n\xff\xfe\x9c\n')


def forget(folder: Path) -> None:
    """A record without the number of shots, by which pages offer runs."""
    record = json.loads((folder / "run.json").read_text())
    del record["shots"]
    (folder / "run.json").write_text(json.dumps(record))


def praise(folder: Path) -> None:
    """Words where numbers belong."""
    record = json.loads((folder / "run.json").read_text())
    record |= {"iteration": "all", "seconds": "few", "metrics": {"test_mse": "good"}, "training": {"iterations": "x"}}
    (folder / "run.json").write_text(json.dumps(record))


BROKEN = (flip, cut, spoil, tear, empty, blur, forge, garble, forget, praise)
SHOWN_STILL = (tear, empty, blur)  # their weights are sound


@pytest.mark.parametrize("harm", BROKEN)
def test_a_broken_run_costs_the_other_learners_nothing(harm: Callable[[Path], None], own: Path):
    for name in ("maml-k5-s0", "reptile-k5-s0"):
        shutil.copytree(SHIPPED / name, own / "mine" / name)
    sound = {p: p.read_bytes() for p in (own / "mine" / "maml-k5-s0").iterdir() if p.is_file()}
    harm(own / "mine" / "reptile-k5-s0")
    found, complaints = library.ensembles("my-mine", "sine", 5)
    assert {e.learner.name for e in found} == {"maml", *(["reptile"] if harm in SHOWN_STILL else [])}
    assert all("\n" not in complaint for complaint in complaints)
    assert {path: path.read_bytes() for path in sound} == sound


def test_broken_runs_of_all_kinds_are_lines_on_the_pages_and_can_be_deleted(own: Path):
    shutil.copytree(SHIPPED / "maml-k5-s0", own / "mine" / "maml-k5-s0")
    for harm in BROKEN:
        shutil.copytree(SHIPPED / "reptile-k5-s0", own / "mine" / harm.__name__)
        harm(own / "mine" / harm.__name__)
    unreadable = {"forge", "garble", "praise"}
    pages = {page: linked(page, query) for page, query in (("runs", {"runs-own": "true"}), ("train", {}))}
    for at in pages.values():
        assert not at.exception, at.exception
        assert {text.value.split(": ")[0] for text in at.text} == {f"runs/mine/{name}" for name in unreadable}
    rows = {name.rpartition("/")[2] for name in pages["runs"].dataframe[0].value["run"]}
    assert rows == {"maml-k5-s0", *(harm.__name__ for harm in BROKEN)} - unreadable
    live = linked("live", {"runs": "my-mine", "shots": "5"})
    assert not live.exception, live.exception
    assert [error.value for error in live.error]
    for name, at in zip(("forge", "garble"), pages.values(), strict=True):
        at.button(f"delete-broken-{own / 'mine' / name}").click().run()
        assert not at.exception, at.exception
        assert not (own / "mine" / name).exists()
        assert f"runs/mine/{name}" not in {text.value.split(": ")[0] for text in at.text}
    assert len(jobs.trash(own)) == 2


def test_a_run_that_no_page_foresaw_costs_one_line(own: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("maml-k5-s0", "reptile-k5-s0"):
        shutil.copytree(SHIPPED / name, own / "mine" / name)
    shows, row = watch._show, table._row

    def fails(what: Callable[..., object], folder: Callable[..., Path]) -> Callable[..., object]:
        def one(*given: object) -> object:
            if folder(*given).name == "reptile-k5-s0":
                raise OverflowError("of a number that nobody foresaw")
            return what(*given)

        return one

    monkeypatch.setattr(watch, "_show", fails(shows, lambda job: job.folder))
    monkeypatch.setattr(table, "_row", fails(row, lambda path, *_: path))
    train, runs = linked("train", {}), linked("runs", {"runs-own": "true"})
    assert not train.exception and not runs.exception
    assert [text.value for text in train.text] == ["runs/mine/reptile-k5-s0: cannot be shown (OverflowError)."]
    assert any("maml-k5-s0" in one.value for one in train.markdown)
    assert list(runs.dataframe[0].value["status"]) == ["done", "broken"]


ONE_OF_ALL = """
from dashboard.widgets import library
from dashboard.widgets.runs import selected
from engine.runs.listing import find
selected.show([path for path, _ in find(library.RUNS)])
"""


@pytest.mark.parametrize("how", ["imported", "written"])
def test_a_thousand_runs_of_others_break_no_page(how: str, own: Path, monkeypatch: pytest.MonkeyPatch):
    """Those that an import takes up, and as many that nobody has checked; all of them selected at once."""
    if how == "imported":
        for content in hostile.zips():
            with contextlib.suppress(EngineError):
                archive.unpack(content, own)
    else:
        hostile.folders(own / "mine", hostile.NUMBER)
    monkeypatch.setattr(watch, "SHOWN", hostile.NUMBER // 25)
    for page in ("runs", "train", "live"):
        at = linked(page, {"runs-own": "true", "runs": f"my-{'imported' if how == 'imported' else 'mine'}"})
        assert not at.exception, (page, at.exception)
    at = AppTest.from_string(ONE_OF_ALL, default_timeout=300).run()
    assert not at.exception, at.exception


@pytest.mark.parametrize("page", ["behaviour", "attribution", "landscape"])
def test_a_page_with_a_broken_learner_says_so_and_shows_the_others(page: str, own: Path):
    for name in ("maml-k5-s0", "reptile-k5-s0"):
        shutil.copytree(SHIPPED / name, own / "mine" / name)
    flip(own / "mine" / "reptile-k5-s0")
    key = page
    at = linked(page, {f"{key}-runs": library.title("my-mine"), f"{key}-shots": "5", f"{key}-learners": "MAML"})
    assert not at.exception, at.exception
    assert any("its hash is" in error.value for error in at.error)
    assert at.get("plotly_chart")


OPEN = """
import sys
from streamlit.testing.v1 import AppTest
for page, query in (("runs", {"runs-own": "true"}), ("train", {}), ("live", {"runs": "my-mine", "shots": "5"})):
    at = AppTest.from_file("dashboard/app.py", default_timeout=300)
    at.switch_page(f"views/{page}/{page}.py")
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception, (page, at.exception)
    assert not at.error, (page, at.error)
    if page == "train":
        at.button("train-start").click().run()
        assert not at.exception, at.exception
        (said,) = [error.value for error in at.error]
        assert "Permission denied" in said and "\\n" not in said
    print(page)
"""


ACT = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest

def opened(**state):
    at = AppTest.from_file("dashboard/app.py", default_timeout=300)
    at.switch_page("views/runs/runs.py")
    at.query_params["runs-own"] = "true"
    for key, value in state.items():
        at.session_state[key] = value
    return at.run()

def refused(at):
    assert not at.exception, at.exception
    (said,) = [error.value for error in at.error]
    assert "Permission denied" in said and "\\n" not in said and "Errno" not in said, said
    assert str(Path(sys.argv[1]).parent.parent) not in said, said  # no path of this machine
    return said

at = opened()
at.file_uploader[0].set_value(("run.zip", Path(sys.argv[1]).read_bytes(), "application/zip")).run()
said = refused(at.button("runs-import").click().run())
assert said.startswith("Nothing was imported. Permission denied at"), said
print("import")

ONE = '''
import streamlit as st
from dashboard.widgets import library
from dashboard.widgets.escape import plain
from dashboard.widgets.runs import selected
from engine.runs.listing import find
if said := st.session_state.pop("runs-refused", None):
    st.error(said)
selected.show([path for path, _ in find(library.RUNS)])
'''
at = AppTest.from_string(ONE, default_timeout=300).run()
assert not at.exception, at.exception
at.text_input[0].set_value("mine").run()
(save,) = [button for button in at.button if str(button.key).startswith("runs-note")]
refused(save.click().run())
print("note")
(delete,) = [button for button in at.button if str(button.key).startswith("runs-delete-now")]
refused(delete.click().run())
print("delete")
"""


def bound_to_permissions(code: str, root: Path, *arguments: Path) -> list[str]:
    """What a process prints for which the own runs are write-protected; nothing there may change meanwhile."""
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    write_protect(root, allowed=False)
    try:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "INNERLOOP_RUNS": str(root)}
        command = [sys.executable, "-c", BOUND + code, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    finally:
        write_protect(root, allowed=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    return done.stdout.split()


@on_linux
def test_pages_open_where_no_run_can_be_written_and_train_says_so(tmp_path: Path):
    root = tmp_path / "own"
    shutil.copytree(SHIPPED / "maml-k5-s0", root / "mine" / "maml-k5-s0")
    assert bound_to_permissions(OPEN, root) == ["runs", "train", "live"]


@on_linux
def test_an_import_a_note_and_a_deletion_where_nothing_can_be_written_are_one_sentence_each(tmp_path: Path):
    root = tmp_path / "own"
    for name in ("maml-k5-s0", "maml-k5-s1"):  # two: a single one has links, which need the whole app
        shutil.copytree(SHIPPED / name, root / "mine" / name)
    (tmp_path / "run.zip").write_bytes(archive.pack(SHIPPED / "reptile-k5-s0"))
    assert bound_to_permissions(ACT, root, tmp_path / "run.zip") == ["import", "note", "delete"]
    assert archive.unpack((tmp_path / "run.zip").read_bytes(), root).is_dir()  # with permission it is taken up
