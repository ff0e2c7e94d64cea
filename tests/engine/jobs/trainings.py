"""Trainings in processes of their own, as tests start, await and kill them."""

import os
import signal
import time

from engine.jobs import local as jobs
from engine.runs.budget import Training
from engine.runs.locks import held
from engine.runs.run import load, read_record
from engine.tasks import Sine
from engine.training import plans
from tests.engine.conftest import short

DISTRIBUTION = Sine(shots=4, queries=6)
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


def rows(folder):
    """How many rows its history has so far."""
    history = folder / "history.jsonl"
    return len(history.read_text().splitlines()) if history.is_file() else 0
