"""Seeds side by side: which runs belong together, and what is refused. (That they equal each run: test_interface.)"""

import json
import shutil

import numpy as np
import pytest

from engine.errors import BadInput
from engine.learners import make
from engine.runs.ensembles import Ensemble, find_ensembles
from engine.runs.groups import groups, largest, parameters
from engine.runs.listing import find
from engine.runs.run import RECORD, WEIGHTS, describe, load, save
from engine.tasks import Sine, stream


@pytest.fixture
def write(tmp_path):
    """Writes the folder of a finished, untrained run."""

    def written(seed, *, name="maml", folder=None, task=None, init=None, more=None, **config):
        learner, task = make(name, **config), task or Sine(shots=5)
        path = tmp_path / (folder or f"{name}-k{task.shots}-s{seed}")
        record = {**describe(learner, task, seed), "status": "done", "shots": task.shots, **(more or {})}
        save(path, learner.init(stream("init", seed if init is None else init), Sine.spec), record)
        return path

    return written


def seeds(ensemble: Ensemble) -> list[int]:
    return [run.seed for run in ensemble.runs]


def test_finds_the_finished_runs_of_a_task_at_its_shots(write, tmp_path):
    for seed in range(3):
        write(seed)
    write(3, more={"status": "running"})
    write(0, task=Sine(shots=10))
    write(1, name="lstm", hidden=3, layers=1)
    found, complaints = find_ensembles(tmp_path, "sine", 5)
    assert [(e.learner.name, seeds(e)) for e in found] == [("lstm", [1]), ("maml", [0, 1, 2])]
    assert complaints == []
    assert [seeds(e) for e in find_ensembles(tmp_path, "sine", 10)[0]] == [[0]]
    assert find_ensembles(tmp_path, "chess", 5) == find_ensembles(tmp_path, "sine", 7) == ([], [])
    assert find_ensembles(tmp_path / "nowhere", "sine", 5) == ([], [])


def test_other_hyper_parameters_or_tasks_are_kept_apart(write, tmp_path):
    """Of one learner, the largest group that differs in nothing but the seed is shown."""
    for seed in range(2):
        write(seed)
    write(2, inner_lr=0.5)
    write(3, task=Sine(shots=5, noise=1.0))
    (found,), _ = find_ensembles(tmp_path, "sine", 5)
    assert seeds(found) == [0, 1]


def test_copies_and_second_runs_of_a_seed_count_once(write, tmp_path):
    """Equal weights are one run, wherever they lie; a seed that was trained twice is no second seed."""
    for seed in range(2):
        shutil.copytree(write(seed), tmp_path / f"copy-of-{seed}")
    write(1, folder="again", init=7)
    (found,), (complaint,) = find_ensembles(tmp_path, "sine", 5)
    assert seeds(found) == [1, 0]  # in the order of the folders
    assert "equal weights or seeds count once; " in complaint
    assert "maml-k5-s0 repeats copy-of-0" in complaint


def test_trainings_that_differ_are_kept_apart_and_said(write, tmp_path):
    budget = {"iterations": 5000, "lr": 0.003}
    for seed in range(3):
        write(
            seed, more={"training": {**budget, "snapshot_every": 10 * seed + 10}}
        )  # how often it was saved changes nothing
    write(3, more={"training": {**budget, "iterations": 300}})
    write(4, more={"training": {**budget, "lr": 0.03}})
    (found,), complaints = find_ensembles(tmp_path, "sine", 5)
    assert seeds(found) == [0, 1, 2]
    assert complaints == [
        "MAML: 1 run (maml-k5-s3) with training.iterations = 300 is not shown beside the 3 with "
        "training.iterations = 5000.",
        "MAML: 1 run (maml-k5-s4) with training.lr = 0.03 is not shown beside the 3 with training.lr = 0.003.",
    ]


def test_of_equally_many_seeds_the_longest_training_is_shown(write, tmp_path):
    write(0, folder="a", more={"training": {"iterations": 300}})
    write(1, folder="z", more={"training": {"iterations": 5000}})
    write(2, folder="b", more={"training": {"iterations": 5000, "lr": 0.03}})
    assert seeds(find_ensembles(tmp_path, "sine", 5)[0][0]) == [2]  # then the first by its path


def test_a_training_called_off_early_is_not_a_seed_of_the_whole_one(write, tmp_path):
    write(0, more={"training": {"iterations": 5000}})
    write(1, more={"training": {"iterations": 5000}, "status": "cancelled", "iteration": 10})
    write(2, more={"training": {"iterations": 5000}, "status": "cancelled", "iteration": 10})
    (found,), (complaint,) = find_ensembles(tmp_path, "sine", 5)
    assert seeds(found) == [1, 2]
    assert "training.iterations = 5000 is not shown beside the 2 with training.iterations = 10" in complaint


def test_the_shipped_runs_are_three_seeds_of_every_training():
    found = groups(find("checkpoints"))
    by_collection = groups((path, record) for path, record in find("checkpoints/sine"))
    assert {len(group.runs) for group in by_collection} == {3}
    assert len(largest(by_collection)) == len(by_collection)
    assert len(largest(found)) < len(found), "collections train the same learners in other ways"


def test_defaults_that_a_record_leaves_out_are_the_same_training(write):
    record = load(write(0)).record
    short = {**record, "hyper_parameters": {"inner_lr": 0.01, "steps": 5.0}, "task_parameters": {"shots": 5}}
    assert parameters(record) == parameters(short)


def test_a_broken_run_costs_an_ensemble_one_seed(write, tmp_path):
    for seed in range(3):
        write(seed)
    (tmp_path / "maml-k5-s1" / WEIGHTS).write_bytes(b"nothing")
    (found,), (complaint,) = find_ensembles(tmp_path, "sine", 5)
    assert seeds(found) == [0, 2]
    assert "maml-k5-s1" in complaint


def test_a_broken_run_is_one_complaint_and_the_other_learners_stay(write, tmp_path):
    write(0, name="lstm", hidden=3, layers=1)
    broken = write(0) / WEIGHTS
    broken.write_bytes(b"nothing")
    (found,), (complaint,) = find_ensembles(tmp_path, "sine", 5)
    assert found.learner.name == "lstm"
    assert str(broken) in complaint
    assert "\n" not in complaint


def test_runs_that_differ_in_more_than_the_seed_make_no_ensemble(write):
    plain, other = load(write(0)), load(write(1, inner_lr=0.5))
    with pytest.raises(BadInput, match=r"maml-k5-s1 and .*maml-k5-s0 differ in more than their seed"):
        Ensemble((plain, other))


def test_bad_points_are_refused_as_a_run_refuses_them(write):
    ensemble = Ensemble((load(write(0)), load(write(1))))
    x = np.ones((3, 1))
    for support in ((x[:, 0], x), (x, np.full((3, 1), np.nan)), (x, x[:2]), (x[:0], x[:0])):
        with pytest.raises(BadInput):
            ensemble.adapt(*support)
    with pytest.raises(BadInput, match="query_x must be finite"):
        ensemble.predict(ensemble.adapt(x, x), np.full((3, 1), np.inf), [0])


def test_a_record_edited_by_hand_is_not_shown_as_something_else(write, tmp_path):
    """The group is made by what the record says, and the weights must fit it."""
    record = write(0) / RECORD
    record.write_text(json.dumps({**json.loads(record.read_text()), "hyper_parameters": {"network": {"widths": [7]}}}))
    found, (complaint,) = find_ensembles(tmp_path, "sine", 5)
    assert found == []
    assert "weights.safetensors" in complaint
