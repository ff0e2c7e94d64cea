"""Notes: nothing that anybody wrote is lost, whoever else writes, and whatever is in the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.widgets.runs import notes, table
from dashboard.widgets.runs.notes import Note
from engine.runs.run import read_record

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from pathlib import Path
from dashboard.widgets.runs.notes import Note, write
me = sys.argv[2]
for number in range(20):
    write(Path(sys.argv[1]), f"{me}{number}", Note(), Note(tags=me))
    write(Path(sys.argv[1]), "of all", Note(), Note(**{"tags" if me in "ab" else "text": f"by {me}"}))
assert "torch" not in sys.modules
"""


def test_eighty_notes_of_four_processes_at_once_all_survive(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, me], cwd=ROOT) for me in "abcd"]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    found, complaint = notes.read(tmp_path)
    both = found.pop("of all")
    assert both.tags in ("by a", "by b") and both.text in ("by c", "by d")
    assert found == {f"{me}{number}": Note(me) for me in "abcd" for number in range(20)}
    assert not complaint


def test_only_what_was_changed_is_written(tmp_path):
    notes.write(tmp_path, "x", Note(), Note("baseline", "the first"))
    mine = yours = notes.read(tmp_path)[0]["x"]  # two visitors see the same
    notes.write(tmp_path, "x", mine, Note("mine", mine.text))
    notes.write(tmp_path, "x", yours, Note(yours.tags, "yours"))
    assert notes.read(tmp_path)[0] == {"x": Note("mine", "yours")}
    notes.write(tmp_path, "x", Note("mine", "yours"), Note())
    assert json.loads((tmp_path / notes.FILE).read_text()) == {}


@pytest.mark.parametrize("entry", [5, ["a"], {"tags": 1}, {"tags": "t", "text": "", "by": "other program"}, "\ud800"])
def test_what_is_not_understood_is_kept(entry, tmp_path):
    (tmp_path / notes.FILE).write_text(json.dumps({"strange": entry}))
    notes.write(tmp_path, "x", Note(), Note("t"))
    content = json.loads((tmp_path / notes.FILE).read_text())
    assert content == {"strange": entry, "x": {"tags": "t"}}
    notes.write(tmp_path, "strange", Note(), Note("tagged"))  # whoever edits that very entry loses nothing either
    content = json.loads((tmp_path / notes.FILE).read_text())["strange"]
    assert content["tags"] == "tagged"
    if not isinstance(entry, dict):
        assert content[notes.KEPT] == [entry]
    elif entry["tags"] == 1:
        assert content[notes.KEPT] == [1]
    else:
        assert content["by"] == "other program"


@pytest.mark.parametrize("damaged", [b"", b"[1]", b'{"a": {"tags"', b"\x00", b"\xff\xfe", b'{"a": NaN}', b"[" * 10**5])
def test_a_damaged_file_is_set_aside_and_never_written_over(damaged, tmp_path):
    path = tmp_path / notes.FILE
    for number in (1, 2):
        path.write_bytes(damaged)
        found, complaint = notes.read(tmp_path)
        assert found == {} and "damaged" in complaint
        said = notes.write(tmp_path, "x", Note(), Note("t"))
        assert said.endswith(f"kept as .notes.damaged-{number}.json.")
        assert (tmp_path / f".notes.damaged-{number}.json").read_bytes() == damaged
        assert notes.read(tmp_path) == ({"x": Note("t")}, "")


def test_a_file_that_cannot_be_read_is_left_alone(tmp_path):
    (tmp_path / notes.FILE).mkdir()
    assert "cannot be read" in notes.read(tmp_path)[1]
    with pytest.raises(OSError):
        notes.write(tmp_path, "x", Note(), Note("t"))


def test_tags_are_in_the_table():
    folder = ROOT / "checkpoints" / "sine"
    sha = read_record(folder / "maml-k10-s0")["weights_sha256"]
    frame, folders = table.rows((folder,), {sha: Note("t")})
    assert [path.name for path, tags in zip(folders, frame["tags"], strict=True) if tags == "t"] == ["maml-k10-s0"]
