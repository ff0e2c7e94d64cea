"""Debiased CKA against the formula written out and on cases whose answer is known; the probe against pairs by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import BadInput
from engine.tasks import GaussianClasses
from probes import asking
from probes.probe import silent
from probes.questions import similarity
from probes.questions.similarity import debiased_cka
from probes.tools.representations import inputs, tasks_of
from tests.probes.questions.test_diversity import changed, ensemble

RNG = np.random.default_rng(0)


def hsic(k: np.ndarray, el: np.ndarray) -> float:
    """The unbiased estimator of Song et al. (2012), equation 5, term by term."""
    n = len(k)
    k, el = k * (1 - np.eye(n)), el * (1 - np.eye(n))
    one = np.ones(n)
    middle = (one @ k @ one) * (one @ el @ one) / ((n - 1) * (n - 2))
    return float(np.trace(k @ el) + middle - 2 / (n - 2) * one @ k @ el @ one) / (n * (n - 3))


def by_formula(f: np.ndarray, g: np.ndarray) -> float:
    k, el = f @ f.T, g @ g.T
    return hsic(k, el) / np.sqrt(hsic(k, k) * hsic(el, el))


def biased(f: np.ndarray, g: np.ndarray) -> float:
    """The usual CKA of Kornblith et al. (2019), from features of mean 0."""
    f, g = f - f.mean(0), g - g.mean(0)
    return float(np.square(f.T @ g).sum() / (np.linalg.norm(f.T @ f) * np.linalg.norm(g.T @ g)))


@pytest.mark.parametrize(("d", "e"), [(1, 1), (3, 7), (40, 40), (60, 5)])
def test_it_is_the_formula(d: int, e: int):
    f, g = RNG.normal(size=(25, d)) + 3.0, RNG.normal(size=(25, e)) ** 2
    f[:, 0] += g[:, 0]
    assert debiased_cka(f, g) == pytest.approx(by_formula(f, g), rel=1e-10)


def test_identical_rotated_scaled_and_shifted_features_are_the_same():
    f = RNG.normal(size=(30, 6)) * [5, 2, 1, 0.5, 0.1, 0.01]
    rotation, _ = np.linalg.qr(RNG.normal(size=(6, 6)))
    assert debiased_cka(f, f) == pytest.approx(1, abs=1e-12)
    assert debiased_cka(f, 0.01 * f @ rotation + RNG.normal(size=6)) == pytest.approx(1, abs=1e-10)


def test_an_invertible_map_that_is_no_rotation_changes_it():
    f = RNG.normal(size=(30, 3))
    assert debiased_cka(f, f @ np.diag([1.0, 5.0, 25.0])) < 0.9


def test_independent_features_are_unlike_where_the_usual_estimator_says_alike():
    """100 inputs, 80 units: 200 draws average to 0 within three standard errors; without the correction to 0.44."""
    draws = [(RNG.normal(size=(100, 80)), RNG.normal(size=(100, 80))) for _ in range(200)]
    ours = np.array([debiased_cka(f, g) for f, g in draws])
    usual = np.array([biased(f, g) for f, g in draws])
    assert abs(ours.mean()) < 3 * ours.std() / np.sqrt(200) + 1e-3
    assert usual.mean() > 0.4


def test_features_that_never_change_are_like_nothing():
    assert np.isnan(debiased_cka(np.ones((10, 3)), RNG.normal(size=(10, 3))))


def test_a_centred_kernel_has_no_diagonal_and_sums_to_nothing():
    k = similarity.u_centred(RNG.normal(size=(2, 12, 4)))
    assert np.abs(k.sum(-1)).max() < 1e-12
    assert np.abs(np.diagonal(k, axis1=1, axis2=2)).max() == 0


def test_every_entry_of_the_probe_is_a_mean_over_tasks_and_seeds():
    maml, lstm = changed(ensemble("maml"), 0.05), ensemble("lstm")
    found = asking.ask("similarity", [maml, lstm], {"tasks": 2, "points": 12, "kernels": True})
    assert [(i.layer, i.moment) for i in found.items[:3]] == [
        ("hidden 1", "untrained"),
        ("hidden 1", "before"),
        ("hidden 1", "after"),
    ]
    x, (tasks, _) = inputs(maml.distribution, 12), tasks_of(maml.distribution, 2)

    def features(run, task: int, moment: str, layer: str) -> np.ndarray:
        trajectory = run.adapt(tasks.support_x[task], tasks.support_y[task])
        state = trajectory[0 if moment == "before" else -1]
        return run.learner.features(run.params, state, x)[layer].double().numpy()

    index = {(i.learner, i.layer, i.moment): n for n, i in enumerate(found.items)}
    here, there = index["maml", "hidden 2", "before"], index["maml", "hidden 1", "after"]
    own = [
        [debiased_cka(features(r, t, "before", "hidden 2"), features(r, t, "after", "hidden 1")) for t in (0, 1)]
        for r in maml.runs
    ]
    assert found.cka[here, there] == pytest.approx(np.mean(own), abs=1e-4)
    assert found.low[here, there] == pytest.approx(np.mean(own, axis=1).min(), abs=1e-4)
    assert found.high[here, there] == pytest.approx(np.mean(own, axis=1).max(), abs=1e-4)
    other = index["lstm", "hidden 2", "after"]
    across = [
        debiased_cka(features(a, t, "after", "hidden 1"), features(b, t, "after", "hidden 2"))
        for a in maml.runs
        for b in lstm.runs
        for t in (0, 1)
    ]
    assert found.cka[there, other] == pytest.approx(np.mean(across), abs=1e-4)
    between = [debiased_cka(*(features(run, t, "after", "hidden 1") for run in maml.runs)) for t in (0, 1)]
    assert found.across_seeds[there] == pytest.approx(np.mean(between), abs=1e-4)
    assert found.cka == pytest.approx(found.cka.T)
    assert np.diag(found.cka) == pytest.approx(np.ones(len(found.items)))
    assert (found.kernels[here] * found.kernels[there]).sum() == pytest.approx(own[0][0], abs=1e-4)


def test_one_run_has_no_other_seed():
    found = asking.ask("similarity", [ensemble("maml", seeds=1)], {"tasks": 1, "points": 8})
    assert np.isnan(found.across_seeds).all()
    assert found.kernels.shape == (0, 8, 8)


def test_kinds_of_tasks_that_share_no_input_are_refused():
    maml = ensemble("maml")
    other = type(maml)(tuple(type(r)(r.path, r.learner, GaussianClasses(), r.params, r.record) for r in maml.runs))
    with pytest.raises(BadInput, match="one kind of task"):
        similarity.ask([maml, other], similarity.Config(), silent)
