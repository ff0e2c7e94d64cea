"""Trainings in processes of their own: real ones, killed for real."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import processes
from engine.cli.main import main
from engine.errors import BadConfig, BadInput, BadRun
from engine.jobs import local as jobs
from engine.jobs import tickets
from engine.runs.budget import Training
from engine.runs.listing import find
from engine.runs.locks import Busy, Locks, held
from engine.runs.run import load, read_record
from engine.tasks import Sine
from engine.training import plans, sessions
from engine.training.snapshots import SNAPSHOT
from tests.engine.conftest import short

DISTRIBUTION = Sine(shots=4, queries=6)
OWN_NICENESS = os.getpriority(os.PRIO_PROCESS, os.getpid())
GROUP_BEFORE = processes.GROUP.read_text() if processes.GROUP.exists() else ""
PATIENCE = 600  # seconds for what takes a few: a busy machine is no failure, and workers let everybody go first


def planned(root, iterations=300, seeds=(0, 1), **more):
    training = Training(
        iterations=iterations, meta_batch=2, validate_every=50, validation_tasks=5, snapshot_every=10, lr=0.01, **more
    )
    return plans.plan(short("maml", steps=2, test_steps=3), DISTRIBUTION, training, seeds, root)


def until(condition, what):
    """Waits for something to become true; a test that waits in vain fails."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen in {PATIENCE} s"
        time.sleep(0.02)
    return found


def ended(folder):
    """The job, once its worker has gone."""

    def over():
        found = jobs.job(folder)
        return found if found.status not in jobs.ACTIVE and not held(folder) else None

    return until(over, f"the end of {folder}")


def kill(folder):
    """kill -9 of the worker, and only then back."""
    os.kill(until(lambda: read_record(folder).get("pid"), "a worker"), signal.SIGKILL)
    until(lambda: not held(folder), "the end of the worker")


def outcome(folder):
    columns = ("iteration", "loss", "validation", "best", "lr")
    run = load(folder)
    return run.sha256, [[row[key] for key in columns] for row in run.history()], run.record["metrics"]


@pytest.fixture
def queue(tmp_path):
    return tmp_path / "queue"


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
        until(lambda: _rows(job.folder) >= min(wanted, 290) // 3 or not held(job.folder), f"update {wanted}")  # noqa: B023
        kill(job.folder)
        found = jobs.job(job.folder)
        assert found.status == "interrupted", death
        assert found.share < 1
        jobs.resume(job.folders[death % 2], queue=queue)
    assert ended(job.folder).status == "done"
    assert [outcome(folder) for folder in job.folders] == whole
    assert not list(tmp_path.rglob(".*.safetensors.*"))


def _rows(folder):
    history = folder / "history.jsonl"
    return len(history.read_text().splitlines()) if history.is_file() else 0


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
    until(lambda: _rows(job.folder) > 10, "some progress")
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


def test_a_cancellation_just_before_the_first_update_is_heard(tmp_path):
    """Between its turn and its beginning a worker imports PyTorch: seconds in which somebody may change their mind."""
    plan = planned(tmp_path, iterations=50_000)
    plan.prepare("queued")
    with Locks(plan.folders):
        jobs.cancel(plan.folders[0])
        sessions.begin(plan)
    assert [load(folder).record["status"] for folder in plan.folders] == ["cancelled", "cancelled"]
    assert read_record(plan.folders[0])["iteration"] == 0


def test_jobs_wait_their_turn_in_order_and_a_waiting_one_can_be_cancelled(tmp_path, queue):
    first, second, third = (jobs.submit(planned(tmp_path / name, seeds=(0,)), queue=queue) for name in "abc")
    until(lambda: jobs.job(first.folder).status == "running", "the start of the first")
    assert [jobs.job(job.folder).status for job in (second, third)] == ["queued", "queued"]
    jobs.cancel(second.folder)
    assert ended(second.folder).status == "cancelled"
    assert ended(first.folder).status == "done"
    assert ended(third.folder).status == "done"
    assert [job.status for job in jobs.jobs(tmp_path)] != []
    until(lambda: not tickets.tickets(queue), "the last ticket to be torn")


def test_a_training_that_waits_has_not_loaded_pytorch():
    """Forty of them would otherwise fill a machine's memory."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, engine.jobs.worker; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_two_slots_train_two_at_a_time(tmp_path, queue):
    both = [jobs.submit(planned(tmp_path / name, seeds=(0,)), slots=2, queue=queue) for name in "ab"]
    until(lambda: [jobs.job(job.folder).status for job in both] == ["running", "running"], "both at once")
    assert [ended(job.folder).status for job in both] == ["done", "done"]


def test_the_death_of_a_waiting_one_holds_nobody_up(tmp_path, queue):
    first, second = (jobs.submit(planned(tmp_path / name, seeds=(0,)), queue=queue) for name in "ab")
    until(lambda: jobs.job(first.folder).status == "running", "the start of the first")
    kill(first.folder)
    assert ended(second.folder).status == "done"
    assert jobs.job(first.folder).status == "interrupted"


def test_a_second_process_is_refused_and_changes_nothing(tmp_path, queue):
    job = jobs.submit(planned(tmp_path, iterations=50_000), queue=queue)
    for act in (jobs.resume, jobs.restart):
        with pytest.raises(Busy, match="another process is training it"):
            act(job.folder, queue=queue)
    with pytest.raises(BadRun, match="cancel that first"):
        jobs.delete(job.folder, tmp_path)
    jobs.cancel(job.folder)
    assert ended(job.folder).status == "cancelled"


@pytest.mark.skipif(not processes.GROUP.exists(), reason="this kernel does not group processes by session")
def test_a_training_lets_everything_else_go_first(tmp_path, queue, monkeypatch):
    """By its niceness, and by its session's: without the second the first counts for nothing between sessions."""
    monkeypatch.delenv(processes.VARIABLE)
    job = jobs.submit(planned(tmp_path, iterations=50_000), queue=queue)
    until(lambda: _rows(job.folder) > 0, "the first update")
    pid = read_record(job.folder)["pid"]
    assert pid == os.getsid(pid) != os.getsid(0)
    assert os.getpriority(os.PRIO_PROCESS, pid) == max(processes.NICE, OWN_NICENESS)
    assert Path(f"/proc/{pid}/autogroup").read_text().split()[-1] == str(processes.NICE)
    assert os.getpriority(os.PRIO_PROCESS, os.getpid()) == OWN_NICENESS
    assert processes.GROUP.read_text() == GROUP_BEFORE
    jobs.cancel(job.folder)
    ended(job.folder)


@pytest.mark.skipif(not processes.GROUP.exists(), reason="this kernel does not group processes by session")
def test_who_leads_no_session_leaves_it_alone(monkeypatch):
    """A training inside of a shell's session must not slow the shell down."""
    monkeypatch.delenv(processes.VARIABLE)
    code = "from engine import processes; processes.step_back(); print(processes.GROUP.read_text(), end='')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == GROUP_BEFORE


@pytest.mark.parametrize("said", ["20", "-1", "", "low"])
def test_a_niceness_that_there_is_not_is_refused_before_anything_is_made(said, tmp_path, queue, monkeypatch):
    monkeypatch.setenv(processes.VARIABLE, said)
    with pytest.raises(BadConfig, match="INNERLOOP_NICE must be a whole number from 0 to 19; "):
        jobs.submit(planned(tmp_path), queue=queue)
    assert not list(tmp_path.rglob("run.json"))


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
