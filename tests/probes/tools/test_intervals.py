"""Intervals against textbook cases, and against what they promise: 95 % of them hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probes.tools.intervals import of_any_sign, over_seeds, over_tasks_and_seeds, whole


def on_log_scale(values: np.ndarray) -> tuple[float, float]:
    """Student's interval of the mean, its relative half-width taken on the logarithm."""
    mean, end = values.mean(), stats.ttest_1samp(values, 0).confidence_interval(0.95).high
    return mean * np.exp(-(end - mean) / mean), mean * np.exp((end - mean) / mean)


def test_one_seed_gives_students_interval_over_tasks():
    x = np.random.default_rng(0).exponential(size=(1, 40))
    found = over_tasks_and_seeds(x)
    assert (found.low, found.high) == pytest.approx(on_log_scale(x[0]))
    assert (found.tasks, found.seeds) == (40, 1)


def test_seeds_that_agree_add_nothing():
    row = np.random.default_rng(1).exponential(size=30)
    alone, thrice = over_tasks_and_seeds(row[None]), over_tasks_and_seeds(np.tile(row, (3, 1)))
    assert (thrice.mean, thrice.low, thrice.high) == pytest.approx((alone.mean, alone.low, alone.high))


def test_tasks_that_agree_leave_the_seeds():
    seeds = np.array([1.0, 2.0, 4.0])
    found = over_tasks_and_seeds(np.tile(seeds[:, None], (1, 50)))
    assert (found.low, found.high) == pytest.approx(on_log_scale(seeds))


@pytest.mark.parametrize(("seed_sd", "task_sd", "rest_sd"), [(0.5, 1.0, 1.0), (0.0, 1.0, 1.0), (2.0, 1.0, 0.5)])
def test_intervals_hold_the_truth_95_times_in_100(seed_sd: float, task_sd: float, rest_sd: float):
    rng, held, rounds = np.random.default_rng(2), 0, 2000
    for _ in range(rounds):
        effects = seed_sd * rng.normal(size=(4, 1)) + task_sd * rng.normal(size=(1, 30))
        found = over_tasks_and_seeds(3.0 + effects + rest_sd * rng.normal(size=(4, 30)))
        held += found.low <= 3.0 <= found.high
    assert 0.93 <= held / rounds <= 0.985


def test_a_task_without_a_loss_for_one_seed_is_left_out_for_all():
    x = np.random.default_rng(3).exponential(size=(3, 20))
    holed = x.copy()
    holed[1, 4] = np.nan
    assert over_tasks_and_seeds(holed) == over_tasks_and_seeds(np.delete(x, 4, axis=1))
    assert whole(holed).shape == (3, 19)


def test_too_little_gives_no_interval():
    assert np.isnan(over_tasks_and_seeds(np.ones((2, 1))).low)
    assert np.isnan(over_tasks_and_seeds(np.full((2, 3), np.nan)).mean)


def test_values_of_any_sign_have_students_interval():
    x = np.random.default_rng(3).normal(size=(1, 25))
    found, expected = of_any_sign(x), stats.ttest_1samp(x[0], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_value_per_seed_has_students_interval():
    x = np.array([0.3, -0.1, 0.4, np.nan])
    found, expected = over_seeds(x), stats.ttest_1samp(x[:3], 0).confidence_interval(0.95)
    assert (found.low, found.high, found.seeds) == pytest.approx((expected.low, expected.high, 3))
    assert np.isnan(over_seeds(x[:1]).low)
