"""Symbolic links: one rule for everything that reads, trains, deletes and brings back."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.jobs import local as jobs
from engine.runs import archive
from engine.runs.budget import Training
from engine.runs.folders import run_folders
from engine.runs.listing import find
from engine.runs.run import RECORD, SCHEMA, read_record
from engine.tasks import Sine
from engine.training import plans
from tests.engine.conftest import short


def run(folder: Path, **more) -> Path:
    """A run folder with a record and nothing else."""
    folder.mkdir(parents=True)
    made = {"learner": "maml", "hyper_parameters": {}, "task": "sine", "task_parameters": {}, "seed": 0, "training": {}}
    record = {"schema": SCHEMA, **made, "status": "cancelled", "group": [folder.name], **more}
    (folder / RECORD).write_text(json.dumps(record))
    return folder


@pytest.fixture
def root(tmp_path):
    run(tmp_path / "runs" / "sine" / "a")
    run(tmp_path / "runs" / "sine" / "b")
    return tmp_path / "runs"


@pytest.fixture
def elsewhere(tmp_path):
    return run(tmp_path / "disk" / "sine" / "c").parent


def names(root: Path) -> list[str]:
    assert [job.folder for job in jobs.jobs(root)] != [] and {job.folder for job in jobs.jobs(root)} == set(
        run_folders(root)
    )
    return [str(folder.relative_to(root)) for folder, _ in find(root)]


def test_linked_runs_and_collections_are_found_once_and_loops_end(root, elsewhere):
    (root / "disk").symlink_to(elsewhere)
    (root / "again").symlink_to(elsewhere)
    (root / "sine" / "alias").symlink_to("a")  # relative, and to what is found as itself
    (root / "sine" / "loop").symlink_to(root)
    (elsewhere / "back").symlink_to(root)
    (root / "nowhere").symlink_to(root / "gone")
    (root / "all").symlink_to(root.parent)
    (root / ".hidden").symlink_to(elsewhere)
    assert names(root) == ["again/c", "sine/a", "sine/b"]
    (root / "favourites").mkdir()
    (root / "favourites" / "best").symlink_to(root / "sine" / "b")
    assert names(root / "favourites") == ["best"]
    assert run_folders(root / "gone" / "too") == []
    assert names(root) == ["again/c", "sine/a", "sine/b"]


def test_deleting_a_link_leaves_what_it_leads_to_and_it_comes_back(root, elsewhere):
    link = root / "sine" / "link"
    link.symlink_to("../../disk/sine/c")  # means nothing from within the trash
    trashed = jobs.delete(link, root)
    assert jobs.trash(root) == [trashed] and trashed.is_symlink()
    assert not link.exists() and read_record(elsewhere / "c")
    later = jobs.delete(root / "sine" / "a", root)
    assert jobs.trash(root) == [later, trashed]
    assert jobs.restore(trashed, root) == link
    assert read_record(link) == read_record(elsewhere / "c")
    assert jobs.trash(root) == [later]


def test_what_lies_in_a_linked_collection_is_not_deleted_from_here(root, elsewhere):
    (root / "disk").symlink_to(elsewhere)
    with pytest.raises(BadInput, match="lies in a linked folder outside of"):
        jobs.delete(root / "disk" / "c", root)
    assert read_record(elsewhere / "c")
    for folder in (root, root / "sine" / "..", jobs.delete(root / "sine" / "a", root)):
        with pytest.raises(BadInput, match=r"holds the runs|in the trash already"):
            jobs.delete(folder, root)


def test_a_root_that_is_reached_by_a_link_is_the_same_root(root, tmp_path):
    (tmp_path / "here").symlink_to(root)
    trashed = jobs.delete(tmp_path / "here" / "sine" / "a", root)
    assert jobs.restore(trashed, tmp_path / "here") == tmp_path / "here" / "sine" / "a"
    assert names(tmp_path / "here") == ["sine/a", "sine/b"]


def test_nothing_is_trained_through_a_link_to_a_run(root, elsewhere, tmp_path):
    what = (short("maml"), Sine(shots=4), Training(iterations=2), (0,))
    done = run(elsewhere / "maml-k4-s0")
    (root / "sine" / "maml-k4-s0").symlink_to(done)
    for act in (
        lambda folder: plans.plan(*what, folder.parent, replace=True),
        jobs.cancel,
        lambda folder: jobs.resume(folder, queue=tmp_path / "queue"),
        lambda folder: jobs.restart(folder, queue=tmp_path / "queue"),
    ):
        with pytest.raises(BadInput, match="is a link: what it leads to is only read here"):
            act(root / "sine" / "maml-k4-s0")
    (root / "disk").symlink_to(elsewhere)  # a linked collection is the place that it leads to
    assert plans.plan(*what, root / "disk", replace=True).folders == (root / "disk" / "maml-k4-s0",)
    assert read_record(done)["status"] == "cancelled"


def test_copies_kept_elsewhere_outlive_a_restart(root, elsewhere):
    plan = plans.plan(short("maml"), Sine(shots=4), Training(iterations=2), (0,), root / "sine")
    (elsewhere / "00000000.safetensors").write_bytes(b"kept")
    (plan.folders[0] / "kept").symlink_to(elsewhere)
    plan.prepare("queued")
    assert (elsewhere / "00000000.safetensors").read_bytes() == b"kept"
    assert not (plan.folders[0] / "kept").exists()


def test_a_linked_run_is_exported_like_any_other(root):
    (root / "sine" / "mine").symlink_to(Path("checkpoints/sine/maml-k10-s0").resolve())
    with zipfile.ZipFile(io.BytesIO(archive.pack(root / "sine" / "mine"))) as packed:
        assert "mine/weights.safetensors" in packed.namelist()


def test_a_look_reads_again_what_changed_and_only_that(root, monkeypatch):
    """A thousand runs are looked at every second; a record is read when its file is another one."""
    read = []
    monkeypatch.setattr("engine.runs.listing.SETTLED_NS", 0)
    monkeypatch.setattr(
        "engine.runs.listing.read_record", lambda folder: read.append(folder.name) or read_record(folder)
    )
    assert [name for _ in range(3) for name in names(root)][-2:] == ["sine/a", "sine/b"]
    assert sorted(read) == ["a", "b"]
    path = root / "sine" / "b" / RECORD
    path.write_text(json.dumps({**json.loads(path.read_text()), "learner": "reptile"}))
    assert [record["learner"] for _, record in find(root)] == ["maml", "reptile"]
    assert sorted(read) == ["a", "b", "b"]
    next(find(root))[1]["learner"] = "changed by a reader"
    assert next(find(root))[1]["learner"] == "maml"
