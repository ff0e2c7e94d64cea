"""Trainings in processes of their own: real ones, killed for real."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.errors import BadInput, BadRun
from engine.jobs import local as jobs
from engine.runs.listing import find
from engine.runs.locks import Locks, held
from engine.runs.run import load, read_record
from engine.training import sessions
from engine.training.snapshots import SNAPSHOT
from tests.engine.jobs.trainings import DISTRIBUTION, PATIENCE, ended, kill, outcome, planned, rows, until


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same training, never interrupted, in a worker like the others."""
    root = tmp_path_factory.mktemp("whole")
    job = jobs.submit(planned(root), queue=root / "queue")
    assert ended(job.folder).status == "done"
    return [outcome(folder) for folder in job.folders]


def test_a_worker_does_what_training_here_does(whole, tmp_path):
    here = planned(tmp_path)
    folders = sessions.train(here.learner, here.distribution, here.training, here.seeds, tmp_path, replace=True)
    assert [outcome(folder) for folder in folders] == whole


def test_killed_at_four_random_moments_it_ends_with_the_same_bits(whole, tmp_path, queue):
    """Between updates, in a validation, while histories are written: nobody chose when."""
    moments = random.Random(2)
    job = jobs.submit(planned(tmp_path), queue=queue)
    for death in range(4):
        reached = until(lambda: read_record(job.folder).get("pid") and jobs.job(job.folder), "a start").record[
            "iteration"
        ]
        wanted = reached + moments.randrange(40)
        until(lambda: rows(job.folder) >= min(wanted, 290) // 3 or not held(job.folder), f"update {wanted}")  # noqa: B023
        kill(job.folder)
        found = jobs.job(job.folder)
        assert found.status == "interrupted", death
        assert found.share < 1
        jobs.resume(job.folders[death % 2], queue=queue)
    assert ended(job.folder).status == "done"
    assert [outcome(folder) for folder in job.folders] == whole
    assert not list(tmp_path.rglob(".*.safetensors.*"))


DEADLY = """
import os, signal, sys
from pathlib import Path
from engine.jobs import worker
{patch}
worker.work(Path(sys.argv[1]), resumed=False, slots=1, queue=Path(sys.argv[2]))
"""
PATCHES = {
    "before the third snapshot is in place": """
count, move = [], os.replace
def replace(source, target):
    if Path(target).name == "snapshot.safetensors" and len(count) == 2: os.kill(os.getpid(), signal.SIGKILL)
    if Path(target).name == "snapshot.safetensors": count.append(1)
    move(source, target)
os.replace = replace
""",
    "in the middle of its bytes": """
count, sync = [], os.fsync
def fsync(file):
    if "snapshot" in os.readlink(f"/proc/self/fd/{file}"):
        count.append(1)
        if len(count) == 3:
            os.ftruncate(file, 1000); os.kill(os.getpid(), signal.SIGKILL)
    sync(file)
os.fsync = fsync
""",
}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the snapshot's file under /proc, as on Linux")
@pytest.mark.parametrize("when", PATCHES)
def test_killed_while_a_snapshot_is_written(when, whole, tmp_path, queue):
    plan = planned(tmp_path)
    plan.prepare("queued")
    code = DEADLY.format(patch=PATCHES[when])
    done = subprocess.run(
        [sys.executable, "-c", code, plan.folders[0], queue], check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.rglob(".snapshot*"))
    jobs.resume(plan.folders[0], queue=queue)
    assert ended(plan.folders[0]).status == "done"
    assert [outcome(folder) for folder in plan.folders] == whole
    assert not list(tmp_path.rglob(".snapshot*"))


def test_cancelled_it_keeps_its_best_and_resumes_to_the_same_bits(whole, tmp_path, queue):
    job = jobs.submit(planned(tmp_path), queue=queue)
    until(lambda: rows(job.folder) > 10, "some progress")
    jobs.cancel(job.folders[1])
    found = ended(job.folder)
    assert found.status == "cancelled"
    assert 0 < found.share < 1
    assert load(job.folders[1]).record["metrics"]["validation"] > 0
    with pytest.raises(BadRun, match="is cancelled; only a training that waits or runs"):
        jobs.cancel(job.folder)
    jobs.resume(job.folder, queue=queue)
    assert ended(job.folder).status == "done"
    assert [outcome(folder) for folder in job.folders] == whole


LIMITED = """
import resource, sys
from pathlib import Path
from engine.jobs import worker
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
worker.work(Path(sys.argv[1]), resumed=False, slots=1, queue=Path(sys.argv[2]))
"""


def test_on_a_full_disk_it_ends_with_one_sentence_and_goes_on_when_there_is_room(tmp_path, queue):
    """No file may grow beyond 20,000 bytes: records fit, snapshots do not."""
    plan = planned(tmp_path / "full", iterations=60)
    plan.prepare("queued")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", LIMITED, plan.folders[0], queue], check=True, env=environment, timeout=PATIENCE
    )
    found = jobs.job(plan.folders[0])
    assert found.status == "failed"
    assert "File too large" in found.record["error"]
    assert not list(tmp_path.rglob(".snapshot*"))
    jobs.resume(plan.folders[0], queue=queue)
    assert ended(plan.folders[0]).status == "done"
    free = jobs.submit(planned(tmp_path / "free", iterations=60), queue=queue)
    ended(free.folder)
    assert [outcome(folder) for folder in plan.folders] == [outcome(folder) for folder in free.folders]


def test_a_folder_that_cannot_be_written_is_the_reason_in_the_record(tmp_path, queue):
    """One sentence for everybody; the traceback is in the log."""
    plan = planned(tmp_path, iterations=40)
    plan.prepare("queued")
    (plan.folders[0] / "history.jsonl").mkdir()  # a file that cannot be written
    with Locks(plan.folders) as locks, jobs._ticket(queue) as ticket:
        jobs._spawn(plan.folders[0], locks, ticket, 1, queue)
    found = ended(plan.folders[0])
    assert found.status == "failed"
    assert "history.jsonl" in found.record["error"]
    until(lambda: "Traceback" in (plan.folders[0] / jobs.LOG).read_text(), "the whole story in the log")


@pytest.mark.parametrize("stamp", ["1970-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"])
def test_no_clock_decides_who_lives(stamp, tmp_path):
    """A clock that went backwards, or years ahead: the lock says who is at work."""
    plan = planned(tmp_path)
    plan.prepare("running")
    path = plan.folders[0] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "updated": stamp, "pid": os.getpid()}))
    assert jobs.job(plan.folders[0]).status == "interrupted"
    with Locks(plan.folders):
        assert jobs.job(plan.folders[1]).status == "running"


BACKWARDS = """
import datetime, sys, time
from pathlib import Path
from engine.jobs import worker
from engine.training import plans
started, looks = time.time(), []
def earlier():
    looks.append(1)
    return started - 86_400 * len(looks)
class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(earlier(), tz)
time.time, plans.datetime = earlier, Clock
worker.work(Path(sys.argv[1]), resumed=False, slots=1, queue=Path(sys.argv[2]))
assert len(looks) > 10, looks
"""


def test_a_clock_that_goes_backwards_all_the_time_changes_nothing(whole, tmp_path, queue):
    """A day earlier at every look: the training ends as ever, and its records tell the time that it was told."""
    plan = planned(tmp_path)
    plan.prepare("queued")
    before = read_record(plan.folders[0])["updated"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", BACKWARDS, plan.folders[0], queue], check=True, env=environment)
    assert read_record(plan.folders[0])["updated"] < before
    assert jobs.job(plan.folders[0]).status == "done"
    assert [outcome(folder) for folder in plan.folders] == whole
    assert [job.folder for job in jobs.jobs(tmp_path)] == [plan.folders[0]]


def test_interrupted_ones_can_be_cancelled_for_good(tmp_path):
    plan = planned(tmp_path)
    plan.prepare("running")
    jobs.cancel(plan.folders[0])
    assert [read_record(folder)["status"] for folder in plan.folders] == ["cancelled", "cancelled"]


def test_what_is_deleted_lies_in_the_trash_and_comes_back(tmp_path):
    plan = planned(tmp_path / "sine", iterations=4, seeds=(0,))
    folder = Path(sessions.train(plan.learner, DISTRIBUTION, plan.training, (0,), tmp_path / "sine", replace=True)[0])
    before = load(folder).sha256
    trashed = jobs.delete(folder, tmp_path)
    assert not folder.exists()
    assert list(find(tmp_path)) == []
    assert jobs.trash(tmp_path) == [trashed]
    with pytest.raises(BadInput, match="does not lie below"):
        jobs.restore(folder, tmp_path)
    assert jobs.restore(trashed, tmp_path) == folder
    assert load(folder).sha256 == before
    assert jobs.trash(tmp_path) == []


def test_shipped_runs_are_not_deleted(tmp_path):
    with pytest.raises(BadInput, match="does not lie below"):
        jobs.delete(Path("checkpoints/sine/maml-k10-s0"), tmp_path)


def test_the_shell_does_the_same(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(jobs, "QUEUE", tmp_path / "queue")
    root = tmp_path / "runs"
    words = ["--shots", "4", "--iterations", "30", "--set", "steps=2", "--set", "training.validation_tasks=4"]
    assert main(["train", "maml", *words, "--runs", str(root), "--detach", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    folder = root / "maml-k4-s0"
    assert (row["folder"], row["iterations"]) == (str(folder), 30)
    assert main(["follow", str(folder)]) == 0
    assert f"{folder}: done" in capsys.readouterr().out
    assert main(["jobs", "--runs", str(root), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["status"], row["iteration"]) == ("done", 30)
    assert main(["cancel", str(folder)]) == 2
    assert capsys.readouterr().err.startswith("Error: ")
    assert main(["restart", str(folder)]) == 0
    assert ended(folder).status == "done"
    assert main(["delete", str(folder), "--runs", str(root)]) == 0
    trashed = capsys.readouterr().out.splitlines()[-1].split(": ")[0]
    assert not folder.exists()
    assert main(["restore", trashed, "--runs", str(root)]) == 0
    assert load(folder).record["status"] == "done"
    assert SNAPSHOT not in {path.name for path in folder.iterdir()}
