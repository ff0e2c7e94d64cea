"""Seeds side by side: which runs belong together, and what is refused. (That they equal each run: test_interface.)"""

import json

import numpy as np
import pytest

from engine.ensembles import Ensemble, find_ensembles
from engine.errors import BadInput
from engine.learners import make
from engine.runs import RECORD, WEIGHTS, describe, load, save
from engine.tasks import Sine, stream


@pytest.fixture
def write(tmp_path):
    """Writes the folder of a finished, untrained run."""

    def written(seed: int, *, name="maml", status="done", folder=None, task=None, **config):
        learner, task = make(name, **config), task or Sine(shots=5)
        path = tmp_path / (folder or f"{name}-k{task.shots}-s{seed}")
        record = {**describe(learner, task, seed), "status": status, "shots": task.shots}
        save(path, learner.init(stream("init", seed), Sine.spec), record)
        return path

    return written


def seeds(ensemble: Ensemble) -> list[int]:
    return [run.seed for run in ensemble.runs]


def test_finds_the_finished_runs_of_a_task_at_its_shots(write, tmp_path):
    for seed in range(3):
        write(seed)
    write(3, status="running")
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
    record.write_text(json.dumps({**json.loads(record.read_text()), "hyper_parameters": {"widths": [7]}}))
    found, (complaint,) = find_ensembles(tmp_path, "sine", 5)
    assert found == []
    assert "weights.safetensors" in complaint
