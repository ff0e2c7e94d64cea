"""The result table says what a reader could compute from the runs by hand."""

import json
import shutil

import numpy as np
import pytest
import torch

from engine.errors import BadConfig
from engine.evaluation import Scores, held_out_tasks
from engine.learners import make
from engine.networks import MLP
from engine.runs.run import describe, load, save
from engine.studies.report import evaluate_run, lines, markdown, rows
from engine.tasks import GaussianClasses, Sine, stream


@pytest.fixture
def root(tmp_path):
    learner, task = make("maml", network=MLP((5,)), steps=1, test_steps=2), Sine(shots=4, queries=6)
    for seed in range(3):
        status = "done" if seed < 2 else "running"
        extra = {"status": status, "shots": 4, "training": {"iterations": 7, "meta_batch": 3}, "seconds": 90}
        params = learner.init(stream("init", seed), Sine.spec)
        save(tmp_path / "mine" / f"maml-k4-s{seed}", params, {**describe(learner, task, seed), **extra})
    return tmp_path


@pytest.fixture
def classes(tmp_path):
    """A run on Gaussian classes."""
    learner, task = make("protonet", encoder=MLP((5,), output_bias=True)), GaussianClasses(shots=3, queries=2)
    extra = {"status": "done", "shots": 3, "training": {"iterations": 7, "meta_batch": 3}, "seconds": 90}
    path = tmp_path / "classes" / "protonet-k3-s0"
    save(path, learner.init(stream("init"), task.spec), {**describe(learner, task, 0), **extra})
    return path


def test_classes_are_reported_by_their_accuracy(classes, root):
    run = load(classes)
    drawn = held_out_tasks(run.distribution, 9)
    accuracies = []
    for j in range(9):
        logits = run.predict(run.adapt(drawn.support_x[j], drawn.support_y[j]), drawn.query_x[j])
        accuracies.append(float((logits.argmax(-1) == drawn.query_y[j]).double().mean()))
    (row,) = rows(classes.parent.parent / "classes", 9)
    mean = pytest.approx(np.mean(accuracies))
    assert (row["accuracy"], row["per_seed"]) == (mean, [mean])
    assert "mse" not in row
    result = evaluate_run(run, 9)
    assert result["accuracy"] == result["per_step"][-1] == mean
    assert result["per_step"][0] < result["per_step"][-1]  # before its step, ProtoNet guesses
    assert result["loss_per_step"][0] == pytest.approx(np.log(5))
    assert lines(result)[0].startswith(f"{classes}: query accuracy {result['accuracy']:.4f} ± ")


def test_errors_and_accuracies_stand_in_tables_of_their_own(classes, root):
    text = markdown(rows(root, 9), 9)
    errors, accuracies, legend = text.split("\n\n")
    assert "test MSE, mean" in errors
    assert "| mine | maml |" in errors
    assert "test accuracy, mean" in accuracies
    assert "| classes | protonet |" in accuracies
    assert legend.startswith("9 test tasks")


def test_other_inputs_or_outputs_than_trained_are_refused(classes):
    with pytest.raises(BadConfig, match=r"inputs \(2,\) and has 5 outputs; a task with \(2,\) and 7 was asked for"):
        evaluate_run(load(classes), 9, changes={"ways": 7})
    assert evaluate_run(load(classes), 9, changes={"shots": 8})["shots"] == 8


def by_hand(root, tasks):
    """Query errors of the two finished seeds, task by task, (2, tasks)."""
    runs = [load(root / "mine" / f"maml-k4-s{seed}") for seed in (0, 1)]
    drawn = held_out_tasks(Sine(shots=4, queries=6), tasks)
    errors = np.empty((2, tasks))
    for i, run in enumerate(runs):
        for j in range(tasks):
            final = run.predict(run.adapt(drawn.support_x[j], drawn.support_y[j]), drawn.query_x[j])
            errors[i, j] = float((final - drawn.query_y[j]).square().mean())
    return errors


def test_rows(root):
    errors, (row,) = by_hand(root, 9), rows(root, 9)
    assert (row["collection"], row["learner"], row["shots"], row["seeds"]) == ("mine", "maml", 4, 2)
    assert (row["iterations"], row["meta_batch"], row["minutes"]) == (7, 3, 1.5)
    assert row["mse"] == pytest.approx(errors.mean(), rel=1e-5)
    assert row["per_seed"] == pytest.approx(errors.mean(1), rel=1e-5)
    assert row["median"] == pytest.approx(np.median(errors.mean(0)), rel=1e-5)  # of two seeds, the median is the mean
    # the seeds share their tasks: the interval is over 9 tasks, not over 18 errors
    half = 2.306004 * errors.mean(0).std(ddof=1) / 3
    assert row["ci95"] == pytest.approx(half, rel=1e-4)


def test_copies_are_one_seed_and_another_budget_is_another_row(root):
    (before,), mine = rows(root, 9), root / "mine"
    for name in ("copy", "copy-2", "shorter"):
        shutil.copytree(mine / "maml-k4-s0", mine / name)
    record = json.loads((mine / "shorter" / "run.json").read_text())
    record["training"]["iterations"] = 3
    (mine / "shorter" / "run.json").write_text(json.dumps(record))
    both, shorter = rows(root, 9)
    assert (both["seeds"], both["differs"]) == (2, [])
    assert (shorter["seeds"], shorter["differs"]) == (1, ["training.iterations = 3"])
    assert {**both, "per_seed": sorted(both["per_seed"])} == {**before, "per_seed": sorted(before["per_seed"])}
    assert "| mine | maml, training.iterations = 3 | 4 |" in markdown([both, shorter], 9)


def test_markdown_shows_every_row_and_both_seeds(root):
    (row,) = content = rows(root, 9)
    text = markdown(content, 9).splitlines()
    assert text[2].count("|") == text[0].count("|")
    assert f"| mine | maml | 4 | {row['mse']:.4f} ± {row['ci95']:.4f} |" in text[2]
    assert all(f"{value:.3g}" in text[2] for value in row["per_seed"])
    assert "9 test tasks" in text[-1]


def test_a_task_that_diverges_for_one_seed_is_left_out_for_all(root, monkeypatch):
    nan, wild = np.nan, 1e9
    given = iter([[[1.0], [2.0], [nan], [4.0]], [[1.0], [wild], [3.0], [6.0]]])
    monkeypatch.setattr("engine.studies.report.step_scores", lambda *_, **__: Scores(torch.tensor(next(given)), None))
    (row,) = content = rows(root, 4)
    assert (row["tasks"], row["diverged"]) == (4, 2)
    assert row["per_seed"] == [2.5, 3.5]
    assert row["mse"] == 3.0 == np.mean(row["per_seed"])
    assert row["median"] == np.inf  # of 1, infinite, infinite, 5
    text = markdown(content, 4)
    assert "| 3.0000 ± 25.4124 (2 of 4 tasks diverged) |" in text
    assert "| infinite (1.0000 to infinite) |" in text
    assert text.endswith(
        "Tasks that diverged for any seed are left out of all means of their row; in medians they count as the worst "
        "there is."
    )
    assert "diverged" not in markdown([{**row, "diverged": 0}], 4)


def test_evaluating_counts_what_diverges_and_means_the_others(root):
    """Far inputs throw the inner step of some tasks off; the numbers are those of the others, at every step."""
    run = load(root / "mine" / "maml-k4-s0")
    changes = {"inputs": [-40.0, 40.0]}
    result, drawn = evaluate_run(run, 40, 2, changes), held_out_tasks(Sine(shots=4, queries=6, **changes), 40)
    squares = []
    for j in range(40):
        trajectory = run.adapt(drawn.support_x[j], drawn.support_y[j], 2)
        squares.append(
            [float((run.predict(trajectory, drawn.query_x[j], t) - drawn.query_y[j]).square().mean()) for t in range(3)]
        )
    squares = np.array(squares)
    usual = held_out_tasks(run.distribution, 40).query_y
    kept = squares[:, -1] <= 100 * max(float(y.square().mean()) for y in (usual, drawn.query_y))
    assert 0 < kept.sum() < 40
    assert (result["tasks"], result["diverged"]) == (40, int((~kept).sum()))
    assert result["per_step"] == pytest.approx(squares[kept].mean(0), rel=1e-4)
    assert result["mse"] == pytest.approx(result["per_step"][-1])
    first, second, *_ = lines(result)
    assert f" over {kept.sum()} of 40 test tasks, median " in first
    assert second == f"{40 - kept.sum()} of 40 tasks diverged and are left out of the mean."


def test_small_waves_are_no_reason_for_mistrust(root):
    """A hundred times the loss of saying 0 is little where waves are small: the usual ones are the measure then."""
    result = evaluate_run(load(root / "mine" / "maml-k4-s0"), 20, changes={"amplitude": [1e-6, 1e-5]})
    assert result["diverged"] == 0
    assert result["mse"] > 100 * 1e-10
