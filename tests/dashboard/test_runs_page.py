"""The page Runs without a browser: what is selected stays selected, and is what every button acts on."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.widgets import library
from dashboard.widgets.runs import clock, notes
from dashboard.widgets.runs.notes import Note
from engine.jobs import local as jobs
from engine.runs.locks import Locks
from engine.runs.run import read_record
from tests.dashboard.pages import app, fine

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints" / "sine"
NAMES = ("maml-k10-s0", "maml-k10-s1", "reptile-k10-s0")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Own runs: three of the shipped ones."""
    monkeypatch.setattr(library, "RUNS", tmp_path / "runs")
    for name in NAMES:
        arrives(tmp_path / "runs", name)
    return tmp_path / "runs"


def arrives(own: Path, name: str, as_name: str = "") -> Path:
    """A run appears: somebody imports one, or a training begins."""
    folder = own / "sine" / (as_name or name)
    shutil.copytree(SHIPPED / name, folder)
    (folder / "run.json").write_text(json.dumps({**read_record(folder), "group": [folder.name]}))
    return folder


def opened(**query: str) -> AppTest:
    at = app("runs")
    for key, value in {"runs-own": "true", **query}.items():
        at.query_params[key] = value
    return fine(at.run())


def tick(at: AppTest, *rows: int) -> AppTest:
    """Somebody ticks rows of the table as it is drawn."""
    at.session_state[at.session_state["runs-drawn"][0]] = {
        "selection": {"rows": list(rows), "columns": [], "cells": []}
    }
    return fine(at.run())


def ticked(at: AppTest) -> list[str]:
    """The runs whose boxes are ticked in the table as it is drawn, by name."""
    key, folders = at.session_state["runs-drawn"]
    return [folders[row].name for row in at.session_state[key]["selection"]["rows"]]


def button(at: AppTest, label: str):
    (found,) = [each for each in at.button if each.label.startswith(label)]
    return found


def heading(at: AppTest) -> str:
    return at.subheader[0].value if at.subheader else ""


def test_what_is_selected_stays_so_whatever_becomes_of_the_table(own):
    at = tick(opened(), 0)
    assert heading(at) == "runs/sine/maml-k10-s0"
    arrives(own, "finetuning-k10-s0", "a-newcomer")  # sorts above all others
    fine(at.run())
    assert (heading(at), ticked(at)) == ("runs/sine/maml-k10-s0", ["maml-k10-s0"])
    first, second = (str(read_record(own / "sine" / name)["weights_sha256"]) for name in NAMES[:2])
    at.text_input(key=f"tags-{first}-0").set_value("mine").run()
    button(at, "Save").click().run()
    assert notes.read(own)[0] == {first: Note("mine")}
    at.text_input(key="runs-filter").set_value("reptile").run()
    assert heading(at) == "runs/sine/maml-k10-s0" and ticked(at) == []
    assert "The filter hides this one." in [caption.value for caption in at.caption]
    tick(at, 0)
    assert heading(at) == "2 selected"
    assert list(at.dataframe[1].value["run"]) == ["runs/sine/maml-k10-s0", "runs/sine/reptile-k10-s0"]
    at.text_input(key="runs-filter").set_value("").run()
    assert sorted(ticked(at)) == ["maml-k10-s0", "reptile-k10-s0"]
    assert notes.read(own)[0].get(second) is None


def test_after_a_deletion_nothing_is_selected_and_only_what_was_named_is_gone(own):
    at = tick(opened(), 0)
    assert "- `runs/sine/maml-k10-s0`" in [each.value for each in at.markdown]
    arrives(own, "finetuning-k10-s0", "a-newcomer")
    button(at, "Move 1 run to the trash").click().run()
    fine(at)
    assert sorted(path.name for path in (own / "sine").iterdir()) == ["a-newcomer", *NAMES[1:]]
    assert [path.name for path in jobs.trash(own)] == ["maml-k10-s0"]
    assert (heading(at), ticked(at)) == ("", [])
    assert at.success[0].value == "In the trash: `runs/sine/maml-k10-s0`."
    button(at, "Restore").click().run()
    assert at.success[0].value == "Back: `runs/sine/maml-k10-s0`."
    assert (heading(at), ticked(at)) == ("", [])


def test_a_second_click_and_what_somebody_else_deleted_are_no_error(own):
    at = tick(opened(), 0, 1)
    jobs.delete(own / "sine" / NAMES[0], own)
    button(at, "Move 2 runs to the trash").click().run()
    fine(at)
    assert sorted(path.name for path in jobs.trash(own)) == sorted(NAMES[:2])
    assert heading(at) == ""


def test_what_cannot_be_deleted_is_said(own):
    at = tick(opened(), 0, 1)
    path = own / "sine" / NAMES[1] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "running"}))
    with Locks([path.parent]):
        button(at, "Move 2 runs to the trash").click().run()
    assert "cancel that first" in at.error[0].value
    assert [folder.name for folder in jobs.trash(own)] == [NAMES[0]]
    assert heading(at) == f"runs/sine/{NAMES[1]}"


def test_shipped_runs_are_not_among_those_to_delete(own):
    at = opened(**{"runs-own": "false", "runs-filter": "sine/maml-k10-s0"})
    folders = at.session_state["runs-drawn"][1]
    tick(at, *(row for row, path in enumerate(folders) if path.parent.name == "sine"))
    assert heading(at) == "2 selected"
    button(at, "Move 1 run to the trash").click().run()
    assert not (own / "sine" / "maml-k10-s0").exists()
    assert (SHIPPED / "maml-k10-s0").is_dir()
    assert heading(at).endswith("checkpoints/sine/maml-k10-s0")


def test_two_visitors_who_edit_one_note_keep_what_both_changed(own):
    one, other = tick(opened(), 0), tick(opened(), 0)
    sha = str(read_record(own / "sine" / NAMES[0])["weights_sha256"])
    one.text_input(key=f"tags-{sha}-0").set_value("theirs").run()
    other.text_area(key=f"note-{sha}-0").set_value("a word").run()
    button(one, "Save").click().run()
    button(other, "Save").click().run()
    assert notes.read(own)[0] == {sha: Note("theirs", "a word")}
    fine(one.run())
    assert one.text_area(key=f"note-{sha}-2").value == "a word"  # and they see it, as they type nothing


def test_times_are_those_of_the_visitor_or_say_utc(own, monkeypatch):
    at = tick(opened(), 0)
    said = datetime.fromisoformat(read_record(own / "sine" / NAMES[0])["updated"])
    frame = at.dataframe[0].value
    assert frame["updated"].iloc[0] == said.strftime("%Y-%m-%d %H:%M")
    assert clock.label("updated") == "updated (UTC)"
    monkeypatch.setattr(clock.st, "context", type("Context", (), {"timezone": "Asia/Kolkata"}))
    assert clock.written(said.isoformat()) == (said.astimezone(UTC) + timedelta(minutes=330)).strftime("%Y-%m-%d %H:%M")
    assert clock.label("updated") == "updated" and "Asia/Kolkata" in clock.sentence()
    assert [clock.written(nonsense) for nonsense in (None, "soon", 5, "\ud800", "0001-01-01T00:00+14:00")] == [""] * 5


def test_a_run_that_diverged_says_why_where_it_is_selected(own):
    folder = own / "sine" / "maml-k10-s0"
    record = json.loads((folder / "run.json").read_text())
    said = {"status": "diverged", "error": "45 of 45 updates were skipped."}
    (folder / "run.json").write_text(json.dumps({**record, **said}))
    at = opened()
    at.session_state[at.session_state["runs-drawn"][0]] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    (error,) = at.run().error
    assert error.value.endswith(" diverged. 45 of 45 updates were skipped.")
