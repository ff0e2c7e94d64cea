"""Trainings beside each other and beside other programs: who waits, who is refused, who goes first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import processes
from engine.errors import BadConfig, BadRun
from engine.jobs import local as jobs
from engine.jobs import tickets
from engine.runs.locks import Busy, Locks
from engine.runs.run import load, read_record
from engine.training import sessions
from tests.engine.jobs.trainings import ended, kill, planned, rows, until

OWN_NICENESS = os.getpriority(os.PRIO_PROCESS, os.getpid())
GROUP_BEFORE = processes.GROUP.read_text() if processes.GROUP.exists() else ""


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
    until(lambda: rows(job.folder) > 0, "the first update")
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
