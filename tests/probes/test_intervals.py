"""Intervals against textbook cases, and against what they promise: 95 % of them hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probes.intervals import of_any_sign, of_runs, over_seeds, over_tasks_and_seeds, paired, whole


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
    assert np.isnan(paired(np.full((2, 3), np.nan), np.ones((1, 3))).mean)
    assert np.isnan(paired(np.ones((1, 1)), np.zeros((1, 1))).low)


def test_pairs_are_those_of_the_paired_t_test():
    rng = np.random.default_rng(4)
    a, b = rng.exponential(size=(3, 25)), rng.exponential(size=(2, 25))
    found = paired(a, b)
    expected = stats.ttest_rel(a.mean(0), b.mean(0)).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.won == np.mean(a.mean(0) < b.mean(0))


def test_pairing_sees_what_unpaired_intervals_cannot():
    """Tasks differ by far more than the learners do."""
    rng = np.random.default_rng(5)
    hard = rng.exponential(10, size=200)
    a, b = hard + rng.normal(0, 0.1, 200) - 0.2, hard + rng.normal(0, 0.1, 200)
    found = paired(a[None], b[None])
    assert found.high < 0
    mine, other = over_tasks_and_seeds(a[None]), over_tasks_and_seeds(b[None])
    assert mine.high > other.low


def test_pairs_need_a_loss_on_both_sides():
    a, b = np.array([[1.0, 2.0, np.nan, 4.0]]), np.array([[0.0, np.nan, 0.0, 1.0]])
    found = paired(a, b)
    assert (found.mean, found.tasks, found.won) == (2.0, 2, 0.0)


def test_a_ratio_is_the_geometric_mean_of_the_tasks():
    rng = np.random.default_rng(6)
    b = rng.exponential(size=(1, 50))
    found = paired(2.0 * b, b, ratio=True)
    assert (found.mean, found.low, found.high, found.won) == pytest.approx((2.0, 2.0, 2.0, 0.0))
    a = rng.exponential(size=(1, 50))
    expected = stats.ttest_rel(np.log(a[0]), np.log(b[0])).confidence_interval(0.95)
    found = paired(a, b, ratio=True)
    assert (found.low, found.high) == pytest.approx((np.exp(expected.low), np.exp(expected.high)))


def test_values_of_any_sign_have_students_interval():
    x = np.random.default_rng(3).normal(size=(1, 25))
    found, expected = of_any_sign(x), stats.ttest_1samp(x[0], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_ratio_of_runs_is_welchs_t_of_the_logarithms_where_tasks_say_all():
    a, b = [0.1, 0.12, 0.09], [0.2, 0.3, 0.22, 0.25]
    found = of_runs([(x, 0.0) for x in a], [(x, 0.0) for x in b])
    expected = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((np.exp(expected.low), np.exp(expected.high)))
    assert found.mean == pytest.approx(np.exp(np.log(a).mean() - np.log(b).mean()))


def test_few_tasks_widen_the_ratio_and_one_seed_gives_none():
    a, b = [0.1, 0.12, 0.09], [0.2, 0.3, 0.22]
    sure, unsure = (of_runs([(x, h * x) for x in a], [(x, h * x) for x in b]) for h in (0.001, 0.5))
    assert unsure.low < sure.low < sure.mean < sure.high < unsure.high
    assert np.isnan(of_runs([(0.1, 0.01)], [(x, 0.0) for x in b]).low)
    assert np.isnan(of_runs([(0.0, 0.0), (0.1, 0.0)], [(x, 0.0) for x in b]).low), "no logarithm of 0"


def test_same_seeds_without_spread_leave_only_the_tasks():
    found = of_runs([(0.2, 0.02)] * 3, [(0.4, 0.04)] * 3)
    half = np.sqrt(2) * 0.1
    assert (found.low, found.high) == pytest.approx((0.5 * np.exp(-half), 0.5 * np.exp(half)), rel=1e-3)


def test_one_value_per_seed_has_students_interval():
    x = np.array([0.3, -0.1, 0.4, np.nan])
    found, expected = over_seeds(x), stats.ttest_1samp(x[:3], 0).confidence_interval(0.95)
    assert (found.low, found.high, found.seeds) == pytest.approx((expected.low, expected.high, 3))
    assert np.isnan(over_seeds(x[:1]).low)
