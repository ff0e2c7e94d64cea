"""Every shipped run is what its recipe says: learner, training and task, field by field."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from engine.configure import configure, flat_values
from engine.learners import make
from engine.runs.budget import Training
from engine.runs.listing import find
from engine.tasks import task_class
from engine.training import recipes

ROOT = Path(__file__).resolve().parents[2] / "checkpoints"

# Where a record differs from its recipe, and why that changes no weight.
ALONG = "weights along the way are shipped for the numbers of points whose pages look at them"
EXCEPTIONS = {
    ("sine/maml-k20", "keep_every"): ALONG,
    ("sine/sap-k5", "keep_every"): ALONG,
}

SAYS = ("recipe", "learner", "hyper_parameters", "training", "task", "task_parameters", "shots")


def differences(record: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(setting, in the record, in the recipe) where they differ; what the recipe leaves out is the code's default."""
    found = recipes.recipe(record["task"], record["recipe"], record["learner"], record["shots"])
    learner, task = record["learner"], task_class(record["task"])
    sides = [
        flat_values(make(learner, **learning))
        | asdict(configure(Training, training, "training"))
        | asdict(configure(task, on, "task"))
        for learning, training, on in (
            (record["hyper_parameters"], record["training"], record["task_parameters"]),
            (found.hyper_parameters, found.training, {"shots": record["shots"]}),
        )
    ]
    return ((name, sides[0][name], sides[1][name]) for name in sides[1] if sides[0][name] != sides[1][name])


@pytest.fixture(scope="module")
def records() -> dict[str, dict[str, Any]]:
    """The shipped records by folder."""
    return {str(path.relative_to(ROOT)): record for path, record in find(ROOT)}


def test_every_shipped_record_is_its_recipe(records):
    assert len(records) > 250, "the shipped runs are here"
    assert all(record["status"] == "done" for record in records.values())
    alike: dict[str, tuple[str, dict[str, Any]]] = {}  # of seeds that say the same, one
    for name, record in records.items():
        alike.setdefault(json.dumps([record[key] for key in SAYS]), (name, record))
    found = {
        (name.rsplit("-s", 1)[0], setting): f"{name}: {setting} is {is_}, the recipe says {says}"
        for name, record in alike.values()
        for setting, is_, says in differences(record)
    }
    assert {key: text for key, text in found.items() if key not in EXCEPTIONS} == {}
    assert set(EXCEPTIONS) <= set(found), "an exception that is none any more"


def test_another_rate_another_budget_and_another_task_would_be_seen(records):
    record = records["sine/finetuning-k20-s0"]
    changed = {
        **record,
        "hyper_parameters": {**record["hyper_parameters"], "inner_lr": 0.001},  # as these runs once had
        "training": {**record["training"], "iterations": 10_000},
        "task_parameters": {**record["task_parameters"], "noise": 0.1},
    }
    assert list(differences(changed)) == [("inner_lr", 0.001, 0.05), ("iterations", 10_000, 5000), ("noise", 0.1, 0.0)]
    assert not list(differences(record))
