"""Shots, shift and heads against the same question asked one run and one task at a time."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import Run, Sine, make
from engine.errors import BadConfig, BadInput
from engine.evaluation import held_out_tasks, step_scores
from engine.heads import fresh_heads
from engine.runs.ensembles import Ensemble
from engine.tasks import GaussianClasses, Polynomials, SineComposition, TaskDistribution, stream
from probes import asking
from probes.questions import shift


def ensemble(name: str, distribution: TaskDistribution | None = None, seeds: int = 2, **settings: object) -> Ensemble:
    learner, trained = make(name, **settings), distribution or Sine(shots=3)
    params = [learner.init(stream("init", seed), trained.spec) for seed in range(seeds)]
    return Ensemble(tuple(Run(Path(f"{name}-{i}"), learner, trained, p, {"seed": i}) for i, p in enumerate(params)))


@pytest.mark.parametrize("name", ["maml", "lstm"])
def test_more_shots_are_the_same_tasks_with_more_points(name: str):
    made = ensemble(name)
    found = asking.ask("shots", [made], {"tasks": 4, "shots": (7, 2, 5)}).answers[0]
    assert found.shots.tolist() == [2, 5, 7]
    assert found.trained_shots == 3
    tasks = held_out_tasks(replace(made.distribution, shots=7), 4)
    for j, k in enumerate((2, 5, 7)):
        for seed, run in enumerate(made.runs):
            for i in range(4):
                final = run.adapt(tasks.support_x[i, :k], tasks.support_y[i, :k])
                wrong = run.predict(final, tasks.query_x[i]) - tasks.query_y[i]
                assert found.losses[seed, i, j] == pytest.approx(float(wrong.square().mean()), rel=1e-4)


@pytest.mark.parametrize("axis", [axis.name for axis in Sine().axes])
def test_a_shift_is_the_evaluation_on_the_shifted_distribution(axis: str):
    made = ensemble("maml")
    values = (0.5, 2.0)
    found = asking.ask("shift", [made], {"tasks": 5, "axis": axis, "values": values})
    for i, value in enumerate(values):
        there = held_out_tasks(made.distribution.moved(axis, value), 5)
        for seed, run in enumerate(made.runs):
            expected = step_scores(run.learner, run.params, there).losses[:, -1].numpy()
            assert found.answers[0].losses[seed, :, i, 0] == pytest.approx(expected, rel=1e-4)
        assert found.answers[0].nothing[i, 0] == pytest.approx(float(there.query_y.square().mean()), rel=1e-5)


def test_a_map_holds_every_pair_of_values():
    made = ensemble("maml", seeds=1)
    settings = {"axis": "amplitude", "values": (1.0, 4.0), "second": "frequency", "second_values": (1.0, 2.0, 3.0)}
    both = asking.ask("shift", [made], {"tasks": 3, **settings})
    assert both.answers[0].losses.shape == (1, 3, 2, 3)
    there = made.distribution.moved("amplitude", 4.0).moved("frequency", 2.0)
    expected = step_scores(made.learner, made.runs[0].params, held_out_tasks(there, 3)).losses[:, -1].numpy()
    assert both.answers[0].losses[0, :, 1, 1] == pytest.approx(expected, rel=1e-4)


def test_places_are_drawn_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """A map of many places and many tasks would otherwise be drawn whole."""
    settings = {
        "tasks": 3,
        "axis": "amplitude",
        "values": (1.0, 4.0),
        "second": "phase",
        "second_values": (0.0, 1.0, 2.0),
    }
    made, drawn, told = ensemble("maml"), [], []
    whole = asking.ask("shift", [made], settings).answers[0]
    monkeypatch.setattr(shift, "MOST_DRAWN", 7)
    real = shift.scoring.query_losses
    monkeypatch.setattr(
        shift.scoring,
        "query_losses",
        lambda one, tasks, *a, **m: drawn.append(len(tasks.query_x)) or real(one, tasks, *a, **m),
    )
    few = asking.ask("shift", [made], settings, told.append).answers[0]
    assert drawn == [6, 6, 6]
    np.testing.assert_allclose(few.losses, whole.losses, rtol=1e-4)
    np.testing.assert_array_equal(few.nothing, whole.nothing)
    assert told == sorted(told) and told[-1] == 1.0


def test_the_same_waves_are_moved():
    """Saying 0 is wrong by a^2 times what it is at a = 1: every other random number stays."""
    found = asking.ask("shift", [ensemble("maml")], {"tasks": 6, "axis": "amplitude", "values": (1.0, 3.0)})
    one, three = found.answers[0].nothing[:, 0]
    assert three == pytest.approx(9 * one, rel=1e-5)


def test_tasks_of_different_kinds_are_moved_along_what_they_share():
    """A sum of waves has no noise to move, a polynomial only its inputs."""
    waves, sums, powers = (ensemble("maml", of(shots=3), seeds=1) for of in (Sine, SineComposition, Polynomials))
    assert list(shift.axes_of([waves])) == ["amplitude", "frequency", "phase", "inputs", "noise"]
    assert list(shift.axes_of([waves, sums])) == ["amplitude", "frequency", "phase", "inputs"]
    assert list(shift.axes_of([powers, waves])) == ["inputs"]
    found = asking.ask("shift", [powers], {"tasks": 3, "axis": "inputs"})
    assert found.values.tolist() == list(powers.distribution.axis("inputs").stops)
    with pytest.raises(BadInput, match=r"Tasks of polynomials can be moved along inputs; 'amplitude' was asked for\."):
        asking.ask("shift", [powers], {"tasks": 3})


def test_where_training_was():
    ranges = shift.trained_ranges(Sine(shots=3, noise=0.5))
    assert ranges["amplitude"] == (0.1, 5.0)
    assert ranges["phase"] == (0.0, math.pi)
    assert ranges["inputs"] == (0.0, 5.0)
    assert ranges["noise"] == (0.5, 0.5)


def test_heads_are_those_of_the_evaluation():
    made = ensemble("maml", test_steps=3)
    found = asking.ask("heads", [made], {"tasks": 4}).answers[0]
    tasks = held_out_tasks(made.distribution, 4)
    for seed, run in enumerate(made.runs):
        heads = fresh_heads(run.learner, run.params, stream("head", run.seed), 4)
        fresh = step_scores(run.learner, run.params, tasks, heads=heads).losses.numpy()
        assert found.fresh[seed] == pytest.approx(fresh, rel=1e-4)
        assert found.learned[seed] == pytest.approx(
            step_scores(run.learner, run.params, tasks).losses.numpy(), rel=1e-4
        )
    assert not np.allclose(found.learned, found.fresh)


def test_who_has_no_such_question_says_so():
    classes = ensemble("maml", GaussianClasses(shots=2))
    with pytest.raises(
        BadInput, match="targets are classes and not numbers: support sets are shortened point by point"
    ):
        asking.ask("shots", [classes], {})
    with pytest.raises(BadInput, match="cannot be moved"):
        asking.ask("shift", [classes], {})
    with pytest.raises(BadInput, match="no learned output layer"):
        asking.ask("heads", [ensemble("lstm")], {})


@pytest.mark.parametrize("values", [{"axis": "height"}, {"tasks": 0}, {"values": (-1.0,)}, {"second": "x"}])
def test_bad_settings_are_refused(values: dict[str, object]):
    with pytest.raises((BadConfig, BadInput)):
        asking.ask("shift", [ensemble("maml")], values)
