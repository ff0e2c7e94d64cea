"""Query losses of all seeds at once against one run, one task and one step at a time, in float64."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Run, Sine, make
from engine.evaluation import held_out_tasks, knowing_nothing, step_scores
from engine.learners import LEARNERS
from engine.runs.ensembles import Ensemble
from engine.tasks import GaussianClasses, Stored, TaskDistribution, stream
from engine.trees import tree_map
from probes import asking
from probes.tools import scoring
from probes.tools.representations import tasks_lazily
from tests.images import Bars

REGRESSORS = [name for name, cls in LEARNERS.items() if "regression" in cls.kinds]


def ensemble(name: str, distribution: TaskDistribution, seeds: int = 2, **settings: object) -> Ensemble:
    """Untrained seeds of one learner in float64."""
    learner = make(name, **settings)
    params = [
        tree_map(torch.Tensor.double, learner.init(stream("init", seed), distribution.spec)) for seed in range(seeds)
    ]
    return Ensemble(
        tuple(Run(Path(f"{name}-{i}"), learner, distribution, p, {"seed": i}) for i, p in enumerate(params))
    )


def double(distribution: TaskDistribution, tasks: int):
    drawn = distribution.sample(stream("test"), tasks)
    return tree_map(lambda leaf: leaf.double() if leaf.is_floating_point() else leaf, drawn)


@pytest.mark.parametrize("name", REGRESSORS)
def test_all_at_once_equals_run_by_run(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    made = ensemble(name, Sine(shots=3, queries=4))
    tasks = double(made.distribution, 5)
    found = scoring.query_losses(made, tasks, [0, 2, 3])
    assert found.shape == (2, 5, 3)
    for seed, run in enumerate(made.runs):
        expected = step_scores(run.learner, run.params, tasks, 3).losses[:, [0, 2, 3]].numpy()
        assert found[seed] == pytest.approx(expected, rel=1e-9)


def test_classes_are_scored_by_cross_entropy():
    made = ensemble("maml", GaussianClasses(shots=2, queries=3))
    tasks = double(made.distribution, 4)
    found = scoring.query_losses(made, tasks, [1])
    expected = step_scores(made.learner, made.runs[1].params, tasks, 1).losses[:, [1]].numpy()
    assert found[1] == pytest.approx(expected, rel=1e-9)
    assert knowing_nothing(made.distribution, tasks) == np.log(made.distribution.spec.output_dim)
    assert scoring.measure(made.distribution) == "cross-entropy"


@pytest.mark.parametrize("name", [name for name, cls in LEARNERS.items() if "classification" in cls.kinds])
def test_accuracies_are_those_of_each_run_alone(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    made = ensemble(name, GaussianClasses(shots=2, queries=3))
    tasks = double(made.distribution, 5)
    losses, right = scoring.query_scores(made, tasks, [0, 1])
    for seed, run in enumerate(made.runs):
        expected = step_scores(run.learner, run.params, tasks, 1)
        assert losses[seed] == pytest.approx(expected.losses.numpy(), rel=1e-9)
        assert np.array_equal(right[seed], expected.accuracies.double().numpy())
    answer = asking.ask("behaviour", [made], {"tasks": 5})
    (curve,) = answer.curves
    assert (curve.scores is curve.accuracies, curve.chance) == (True, 1 / 5)
    waves = ensemble("maml", Sine(shots=2, queries=2))
    assert scoring.query_scores(waves, double(waves.distribution, 2), [0])[1] is None


def test_progress_is_told_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "CHUNK", 2)
    made, told = ensemble("maml", Sine(shots=2, queries=2)), []
    scoring.query_losses(made, double(made.distribution, 5), [1], progress=told.append)
    assert told == [2 / 5, 4 / 5, 1]
    assert [scoring.shared(lambda share: share, 1, 4)(share) for share in (0.0, 1.0)] == [0.25, 0.5]


def test_stops_are_dense_first_and_keep_what_is_asked():
    assert scoring.stops(4) == [0, 1, 2, 3, 4]
    assert scoring.stops(32, (12, 99)) == [*range(11), 12, 15, 20, 30, 32]


def test_behaviour_marks_what_ran_away_and_keeps_the_rest():
    """A step of length 1000 throws every adaptation off; step 0 alone would not show it."""
    wild, tame = (ensemble("maml", Sine(shots=3), inner_lr=lr, test_steps=3, steps=2) for lr in (1000.0, 1e-4))
    for made in (wild, tame):
        made.__dict__["params"] = tree_map(torch.Tensor.float, made.params)  # fills the cached property
    found = asking.ask("behaviour", [wild, tame], {"tasks": 6})
    away, kept = found.curves
    assert away.diverged.all()
    assert np.isnan(away.losses).all()
    assert not kept.diverged.any()
    assert np.isfinite(kept.losses).all()
    assert (kept.trained_steps, kept.tested_steps, kept.steps.tolist()) == (2, 3, [0, 1, 2, 3])
    assert away.tasks == kept.tasks
    assert set(kept.hidden) == {"amplitude", "phase"}


def test_behaviour_at_a_step_between_stops_is_the_stop_before():
    made = ensemble("finetuning", Sine(shots=3), test_steps=30)
    made.__dict__["params"] = tree_map(torch.Tensor.float, made.params)
    curve = asking.ask("behaviour", [made], {"tasks": 3}).curves[0]
    assert np.array_equal(curve.at(17), curve.losses[..., curve.steps.tolist().index(15)])
    assert np.array_equal(curve.at(99), curve.losses[..., -1])


@pytest.mark.parametrize("threads", [1, 2])
def test_who_watches_may_call_it_off(threads: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "CHUNK", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    made, told = ensemble("maml", Sine(shots=2, queries=2)), []

    def stop(share: float) -> None:
        told.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scoring.query_losses(made, double(made.distribution, 30), [1], progress=stop)
    assert told == [1 / 30]


def test_tasks_whose_inputs_wait_are_scored_a_chunk_at_a_time(monkeypatch):
    """As whole ones are, and never more of them are in memory than a chunk."""
    wide = ensemble("maml", Bars(), network={"widths": [6]}, steps=1, test_steps=2)
    made = Ensemble(tuple(replace(run, params=tree_map(torch.Tensor.float, run.params)) for run in wide.runs))
    seen, at = [], Stored.at
    whole, (lazily, hidden) = held_out_tasks(Bars(), 7), tasks_lazily(Bars(), 7)
    monkeypatch.setattr(scoring, "CHUNK", 2)
    monkeypatch.setattr(Stored, "at", lambda self, index: seen.append(len(index)) or at(self, index))
    found = scoring.query_losses(made, lazily, (0, 2))
    assert (hidden, max(seen)) == ({}, 2)
    assert found == pytest.approx(scoring.query_losses(made, whole, (0, 2)), rel=1e-5)
