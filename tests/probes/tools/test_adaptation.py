"""The probe against one run at a time, and against an error computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine import LEARNERS, Run, Sine, make
from engine.runs.ensembles import Ensemble
from engine.tasks import stream
from probes.tools.adaptation import Adaptation, Drawing, adaptation, adaptations, stops

REGRESSORS = [name for name, cls in LEARNERS.items() if "regression" in cls.kinds]
GRID = np.linspace(-5, 5, 9)
QUERY = np.linspace(-4, 4, 6)
POINTS = np.array([[0.5, 1.0], [-2.0, 0.3], [3.0, -1.0]])
FEW = {"finetuning": {"test_steps": 4}, "maml": {"steps": 2, "test_steps": 3}, "reptile": {"steps": 2, "test_steps": 3}}


def truth(x: np.ndarray) -> np.ndarray:
    return 2 * np.sin(x + 0.3)


def ensemble(name: str, seeds: int = 3, **settings: object) -> Ensemble:
    """Untrained seeds of one learner."""
    learner = make(name, **{**FEW.get(name, {}), **settings})
    params = [learner.init(stream("init", seed), Sine.spec) for seed in range(seeds)]
    return Ensemble(
        tuple(Run(Path(f"{name}-{i}"), learner, Sine(shots=3), p, {"seed": i}) for i, p in enumerate(params))
    )


def one_by_one(made: Ensemble, x: np.ndarray, steps: list[int]) -> np.ndarray:
    """What each run predicts on its own: (steps, seeds, len(x))."""
    rows = []
    for run in made.runs:
        trajectory = run.adapt(POINTS[:, :1], POINTS[:, 1:])
        last = len(trajectory) - 1
        rows.append([run.predict(trajectory, x[:, None], min(step, last))[:, 0].double().numpy() for step in steps])
    return np.swapaxes(np.array(rows), 0, 1)


@pytest.mark.parametrize("name", REGRESSORS)
def test_curves_are_those_of_each_run_alone(name: str):
    made, steps = ensemble(name), [0, 1, 2, 50]
    found = adaptation(made, POINTS, GRID, steps, truth, QUERY)
    assert found.learner == name
    assert found.steps.tolist() == steps
    assert found.curves.shape == (4, 3, 9)
    assert np.allclose(found.curves, one_by_one(made, GRID, steps), rtol=1e-4, atol=1e-5)
    assert np.ptp(found.curves, axis=1).max() > 1e-3, "seeds differ"


@pytest.mark.parametrize("name", REGRESSORS)
def test_errors_are_mean_squares_at_the_query(name: str):
    made, steps = ensemble(name), [0, 2]
    found = adaptation(made, POINTS, GRID, steps, truth, QUERY)
    expected = np.mean(np.square(one_by_one(made, QUERY, steps) - truth(QUERY)), axis=-1)
    assert found.errors == pytest.approx(expected, rel=1e-4)


def test_without_a_truth_errors_are_those_of_the_support():
    made = ensemble("maml")
    found = adaptation(made, POINTS, GRID, [0, 3])
    expected = np.mean(np.square(one_by_one(made, POINTS[:, 0], [0, 3]) - POINTS[:, 1]), axis=-1)
    assert found.errors == pytest.approx(expected, rel=1e-4)
    assert (found.errors[1] < found.errors[0]).all(), "gradient steps on the support lower its loss"


def test_stops_after_the_last_step_repeat_it():
    found = adaptation(ensemble("maml"), POINTS, GRID, [2, 3, 4, 100], truth, QUERY)
    assert np.array_equal(found.curves[1], found.curves[2])
    assert np.array_equal(found.curves[1], found.curves[3])
    assert np.array_equal(found.errors[1], found.errors[3])
    assert not np.array_equal(found.curves[0], found.curves[1])


def test_the_band_is_mean_lowest_and_highest():
    curves = np.random.default_rng(0).normal(size=(2, 3, 4))
    band = Adaptation("maml", np.array([0, 1]), np.zeros((2, 3)), np.array([0, 1]), curves).band()
    assert band.shape == (2, 3, 4)
    assert np.array_equal(band[:, 0], (curves[:, 0] + curves[:, 1] + curves[:, 2]) / 3)
    assert np.array_equal(band[:, 1], np.sort(curves, axis=1)[:, 0])
    assert np.array_equal(band[:, 2], np.sort(curves, axis=1)[:, -1])


OTHERS = [POINTS + 0.1 * k for k in range(3)]


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("of", [truth, None], ids=["query errors", "support errors"])
def test_several_tasks_at_once_are_each_alone(name: str, of: Callable[[np.ndarray], np.ndarray] | None):
    made, steps = ensemble(name), [0, 1, 2]
    found = adaptations(made, [Drawing(points, of(QUERY) if of else None) for points in OTHERS], GRID, steps, QUERY)
    alone = [adaptation(made, points, GRID, steps, of, QUERY if of else None) for points in OTHERS]
    for one, other in zip(found, alone, strict=True):
        assert np.allclose(one.curves, other.curves, rtol=1e-4, atol=1e-5)
        assert one.errors == pytest.approx(other.errors, rel=1e-3, abs=1e-6)
    if name != "mt-net":  # its masks are drawn, and all closed here
        assert not np.allclose(found[0].curves[-1], found[1].curves[-1], atol=1e-4), "tasks differ"


@pytest.mark.parametrize("name", ["maml", "lstm", "reptile"])
@pytest.mark.parametrize("drawings", [1, 3])
def test_curves_at_one_step_are_those_among_all(name: str, drawings: int):
    made, steps, tasks = ensemble(name), [0, 1, 2, 50], [Drawing(points, truth(QUERY)) for points in OTHERS[:drawings]]
    whole = adaptations(made, tasks, GRID, steps, QUERY)
    for step in (1, 50):
        some = adaptations(made, tasks, GRID, steps, QUERY, [step])
        for one, every in zip(some, whole, strict=True):
            assert one.drawn.tolist() == [step]
            assert np.allclose(one.curves[0], every.curves[steps.index(step)], rtol=1e-5, atol=1e-6)
            assert one.errors == pytest.approx(every.errors, rel=1e-4)
            assert one.band().shape == (1, 3, len(GRID))


def test_points_are_not_changed():
    before = POINTS.copy()
    adaptation(ensemble("maml"), POINTS, GRID, [0], truth, QUERY)
    assert np.array_equal(POINTS, before)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ([3], [0, 1, 2, 3]),
        ([12], [*range(11), 12]),
        ([3, 17], [*range(11), 15, 17]),
        ([100, 10], [*range(11), 15, 20, 30, 40, 50, 75, 100]),
    ],
)
def test_stops_are_dense_first_and_end_with_every_learner(last: list[int], expected: list[int]):
    assert stops([ensemble("finetuning", seeds=1, test_steps=steps) for steps in last]) == expected


def test_no_learner_has_no_stop_but_the_start():
    assert stops([]) == [0]
