"""Collections of runs: their names for people, their order, and what a page is offered of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboard.widgets import library
from engine.learners import make
from engine.runs.run import save
from engine.tasks import GaussianClasses, Sine, stream


def add_run(folder: Path, learner: str, task: str, shots: int, status: str = "done", **parameters: object) -> None:
    """A run folder as the engine writes it, untrained."""
    distribution = (Sine if task == "sine" else GaussianClasses)(shots=shots)
    made = make(learner)
    params = made.init(stream("init", 0), distribution.spec)
    record = {"schema": 1, "learner": learner, "hyper_parameters": {}, "task": task, "seed": 0, "shots": shots}
    given = {"shots": shots, **parameters}
    name = "-".join([learner, f"k{shots}", *parameters, "s0"])
    save(folder / name, params, {**record, "task_parameters": given, "status": status})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project."""
    monkeypatch.setattr(library, "PROJECT", tmp_path)
    monkeypatch.setattr(library, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(library, "CHECKPOINTS", tmp_path / "checkpoints")
    return tmp_path


def test_collections_come_in_the_declared_order_then_by_name_then_the_users_own(project: Path):
    for name in ("zebra", "sine-long", "apple"):
        add_run(project / "checkpoints" / name, "maml", "sine", 5)
    add_run(project / "runs" / "trial", "maml", "sine", 5)
    (project / "checkpoints" / "no-runs").mkdir()
    assert library.collections() == ("sine", "sine-long", "apple", "zebra", "my-trial")


def test_titles_are_declared_or_the_name_of_the_folder():
    for name, collection in library.COLLECTIONS.items():
        assert (library.title(name), library.description(name)) == (collection.title, collection.description)
        assert collection.description.endswith(".")
    assert (library.title("my-trial"), library.title("else")) == ("your runs: trial", "else")
    assert library.description("else") == ""
    assert len({library.title(name) for name in library.COLLECTIONS}) == len(library.COLLECTIONS)


def test_only_collections_with_finished_runs_are_offered(project: Path):
    add_run(project / "checkpoints" / "sine", "maml", "sine", 10)
    add_run(project / "checkpoints" / "sine", "maml", "sine", 5)
    add_run(project / "checkpoints" / "classes", "maml", "gaussian-classes", 5)
    add_run(project / "checkpoints" / "under-way", "maml", "sine", 5, status="running")
    assert library.offered() == {"sine": {"sine": [5, 10]}, "classes": {"gaussian-classes": [5]}}


def test_the_default_collection_is_offered_even_when_it_is_empty(project: Path):
    assert library.offered() == {"sine": {"sine": []}}
    assert library.ensembles("sine", "sine", 5) == ([], [])


def test_a_run_on_another_task_is_no_learner_of_this_one(project: Path):
    """Runs of two tasks in one folder: the classifiers stay away from a page about sine waves."""
    for learner, task in (("maml", "sine"), ("protonet", "gaussian-classes"), ("lstm", "gaussian-classes")):
        add_run(project / "checkpoints" / "mixed", learner, task, 5)
    found, complaints = library.ensembles("mixed", "sine", 5)
    assert [ensemble.learner.name for ensemble in found] == ["maml"]
    assert complaints == []


def test_one_task_with_other_parameters_is_another_one(project: Path):
    """Learners of different tasks never stand beside each other; a bare name stands for the default parameters."""
    runs = project / "runs" / "trial"
    add_run(runs, "maml", "sine", 5, queries=20, amplitude=[0.1, 5])  # the default ones, said in another way
    add_run(runs, "reptile", "sine", 5, noise=0.5)
    add_run(runs, "lstm", "sine", 7, noise=0.5)
    add_run(runs, "protonet", "gaussian-classes", 5, ways=3)
    plain, noisy, classes = library.tasks("my-trial")
    assert (plain, noisy[:5], classes[:17]) == ("sine", "sine-", "gaussian-classes-")
    titles = [library.told("my-trial", task).title for task in (plain, noisy, classes)]
    assert titles == ["sine", "sine: noise 0.5", "gaussian classes: ways 3"]
    assert [library.shots("my-trial", task) for task in (plain, noisy, classes)] == [[5], [5, 7], [5]]
    for task, names in ((plain, ["maml"]), (noisy, ["reptile"]), ("sine-000000", [])):
        found, complaints = library.ensembles("my-trial", task, 5)
        assert ([ensemble.learner.name for ensemble in found], complaints) == (names, [])
    assert library.shots("my-trial", "gaussian-classes") == [5], "there is no other one of that name"
    assert library.tasks("sine") == ("sine",)


def test_learners_come_by_family_in_the_order_of_the_registry(project: Path):
    for learner in ("sap", "lstm", "fomaml", "maml", "finetuning", "scratch"):
        add_run(project / "checkpoints" / "sine", learner, "sine", 5)
    names = [ensemble.learner.name for ensemble in library.ensembles("sine", "sine", 5)[0]]
    assert names == ["scratch", "finetuning", "maml", "fomaml", "lstm", "sap"]


def test_a_new_run_is_found_without_a_restart(project: Path):
    add_run(project / "checkpoints" / "sine", "maml", "sine", 5)
    assert len(library.ensembles("sine", "sine", 5)[0]) == 1
    add_run(project / "checkpoints" / "sine", "reptile", "sine", 5)
    assert len(library.ensembles("sine", "sine", 5)[0]) == 2
    record = project / "checkpoints" / "sine" / "maml-k5-s0" / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "weights_sha256": "0" * 64}))
    found, complaints = library.ensembles("sine", "sine", 5)
    assert [ensemble.learner.name for ensemble in found] == ["reptile"]
    assert str(project) not in complaints[0]


def test_own_runs_stand_beside_the_shipped_learners_that_are_not_among_them(project: Path):
    for learner in ("maml", "lstm"):
        add_run(project / "checkpoints" / "sine", learner, "sine", 5)
    add_run(project / "runs" / "trial", "maml", "sine", 5)
    found, complaints = library.joined("my-trial", "sine", 5)
    assert [(e.learner.name, library.yours(e)) for e in found] == [("maml", True), ("lstm", False)]
    assert complaints == []
    assert library.joined("sine", "sine", 5) == library.ensembles("sine", "sine", 5)
    assert library.joined("my-trial", "sine", 7) == ([], []), "nobody was trained with so many points"
