"""Trainings that diverge, wholly or in part: what is kept, what is said, and that resuming changes nothing."""

import math

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from engine.errors import BadRun
from engine.jobs import local as jobs
from engine.learners import make
from engine.runs.budget import Training
from engine.runs.ensembles import find_ensembles
from engine.runs.history import read_history
from engine.runs.run import load, read_record
from engine.training import sessions, snapshots
from engine.training.trainer import Trainer
from tests.engine.training.trainings import DISTRIBUTION, outcome, plan, start

pytestmark = pytest.mark.usefixtures("few_test_tasks")


@pytest.mark.parametrize("until", [3, 7])
def test_where_some_tasks_diverge_the_best_are_taken_up_again_too(until, tmp_path):
    """Every validation has diverged tasks: the fewest of them, then the mean of the others, decide."""

    def go(root, until=None):
        learner = make("maml", steps=2, test_steps=5, inner_lr=0.5)
        return sessions.train(learner, DISTRIBUTION, plan("maml"), (0, 1), root, until=until)

    whole, cut = go(tmp_path / "whole"), go(tmp_path / "cut", until)
    sessions.resume(cut[0])
    assert [outcome(f) for f in cut] == [outcome(f) for f in whole]
    looks = [row for f in whole for row in load(f).history() if row["validation_diverged"] is not None]
    assert {row["iteration"] for row in looks} == {0, 4, 8, 12}
    assert any(0 < row["validation_diverged"] < 5 for row in looks)
    for folder in whole:
        mine = [row for row in load(folder).history() if row["validation_diverged"] is not None]
        best = min(mine, key=lambda row: (row["validation_diverged"], row["validation"] or math.inf))
        metrics = read_record(folder)["metrics"]
        found = tuple(metrics[key] for key in ("best_iteration", "validation", "validation_diverged"))
        assert found == (best["iteration"], best["validation"], best["validation_diverged"])


def test_a_snapshot_of_before_divergence_was_counted_is_taken_up(tmp_path):
    whole, cut = start("maml", tmp_path / "whole"), start("maml", tmp_path / "cut", 7)
    path = cut[0] / snapshots.SNAPSHOT
    with safe_open(path, "pt") as file:
        metadata = {key: value for key, value in file.metadata().items() if key not in ("lost", "sha256")}
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != "best_diverged"}
    save_file(tensors, path, {**metadata, "sha256": snapshots._digest(tensors, metadata)})
    sessions.resume(cut[0])
    assert [outcome(f) for f in cut] == [outcome(f) for f in whole]


def test_a_training_that_diverges_ends_so_with_a_sentence_and_without_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.divergence.AT_LEAST", 4)
    training = Training(iterations=40, meta_batch=2, validate_every=4, validation_tasks=5, snapshot_every=3)
    learner = make("maml", steps=2, inner_lr=1e30)
    (folder,) = sessions.train(learner, DISTRIBUTION, training, (0,), tmp_path)
    record = read_record(folder)
    assert (record["status"], record["iteration"]) == ("diverged", 4)
    assert record["error"] == (
        "4 of 4 updates were skipped, because their meta-gradient was not finite. "
        "Lower inner_lr or training.lr, or set inner_clip or training.clip."
    )
    wanted = {"validation": None, "validation_diverged": 5, "best_iteration": None, "skipped_updates": 4}
    assert record["metrics"] == wanted
    assert [row["validation_diverged"] for row in read_history(folder) if row["iteration"] % 4 == 0] == [5, 5]
    assert not list(folder.glob("*.safetensors"))
    assert find_ensembles(tmp_path, "sine", 4) == ([], [])
    assert jobs.job(folder).status == "diverged"
    with pytest.raises(BadRun, match="its training diverged; train it again with other settings"):
        load(folder)
    with pytest.raises(BadRun, match=r"diverged; train it again with other settings\. 4 of 4 updates"):
        sessions.resume(folder)


def test_of_two_seeds_the_sound_one_is_done_and_the_other_has_diverged(tmp_path, monkeypatch):
    meta_gradient = Trainer._meta_gradient

    def spoiled(self, tasks):
        gradient, loss = meta_gradient(self, tasks)
        gradient[0] = math.nan
        return gradient, loss

    monkeypatch.setattr(Trainer, "_meta_gradient", spoiled)
    folders = start("maml", tmp_path)
    assert [read_record(folder)["status"] for folder in folders] == ["diverged", "done"]
    assert read_record(folders[1])["metrics"]["best_iteration"] > 0
    job = jobs.job(folders[0])
    assert (job.status, job.record["seed"]) == ("done", 1)
    assert [seed for seed, _ in job.diverged] == [0]
    (ensemble,), complaints = find_ensembles(tmp_path, "sine", 4)
    assert ([run.seed for run in ensemble.runs], complaints) == ([1], [])


def test_what_is_called_off_before_any_sound_validation_has_no_weights_and_can_go_on(tmp_path):
    def call_off(progress):
        if progress.iteration == 2:
            (tmp_path / "maml-k4-s0" / "cancel").touch()

    learner = make("maml", steps=2, inner_lr=1e30)
    (folder,) = sessions.train(learner, DISTRIBUTION, plan("maml"), (0,), tmp_path, report=call_off)
    assert read_record(folder)["status"] == "cancelled"
    assert not (folder / "weights.safetensors").exists()
    sessions.resume(folder)
    assert read_record(folder)["status"] == "diverged"
