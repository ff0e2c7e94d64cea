"""Short trainings with run folders, and what comes out of them."""

from engine.runs.budget import Training
from engine.runs.run import load, read_record
from engine.tasks import GaussianClasses, Sine
from engine.training import sessions
from tests.engine.conftest import short

DISTRIBUTION = Sine(shots=4, queries=6)
CLASSES = GaussianClasses(shots=4, queries=2, ways=3)


def plan(name: str) -> Training:
    sgd = {"optimiser": "sgd", "lr": 0.5} if name == "reptile" else {"lr": 0.01}
    return Training(iterations=12, meta_batch=2, validate_every=4, validation_tasks=5, snapshot_every=3, **sgd)


def made(name: str):
    return short(name, steps=2, test_steps=3)


def start(name, root, until=None, kind="regression"):
    distribution = DISTRIBUTION if kind == "regression" else CLASSES
    return sessions.train(made(name), distribution, plan(name), (0, 1), root, until=until)


def outcome(folder):
    keys = ("iteration", "loss", "validation", "validation_diverged", "best", "lr")
    rows = [{k: row[k] for k in keys} for row in load(folder).history()]
    return load(folder).sha256, rows, read_record(folder)["metrics"]
