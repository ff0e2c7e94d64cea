"""Comparisons of learners against textbook tests, and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probes.tools.comparisons import (
    BY_TASK,
    DIFFERENCE,
    MEASURES,
    RATIO,
    Effect,
    compare,
    holm,
    of_change,
    of_records,
    of_seeds,
    pooled,
    sides,
)
from probes.tools.intervals import of_any_sign, over_seeds, over_tasks_and_seeds


def ends(effect: Effect) -> tuple[float, float]:
    return effect.low, effect.high


def losses(seed: int, seeds: int = 3, tasks: int = 25) -> np.ndarray:
    return np.random.default_rng(seed).exponential(size=(seeds, tasks))


def test_these_trainings_have_the_paired_t_test_over_tasks():
    a, b = losses(4), losses(5, seeds=2)
    found = compare(a, b, DIFFERENCE)
    expected = stats.ttest_rel(a.mean(0), b.mean(0))
    assert ends(found.effect.these) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.effect.these.p() == pytest.approx(expected.pvalue)
    assert found.won == np.mean(a.mean(0) < b.mean(0))
    by_task = stats.ttest_rel(np.log(a).mean(0), np.log(b).mean(0))
    assert ends(compare(a, b, BY_TASK).effect.these) == pytest.approx(tuple(by_task.confidence_interval(0.95)))


@pytest.mark.parametrize("measure", MEASURES)
def test_where_tasks_agree_this_kind_of_training_has_welchs_t_test_over_seeds(measure: str):
    a, b = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 4.0, 9.0])
    found = compare(np.tile(a[:, None], 30), np.tile(b[:, None], 30), measure)
    if measure != DIFFERENCE:
        a, b = np.log(a), np.log(b)
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert ends(found.effect) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.effect.p() == pytest.approx(expected.pvalue)
    assert ends(found.effect.these) == pytest.approx((found.effect.estimate,) * 2), "no task differs"


def test_other_trainings_can_only_widen_the_interval_and_one_seed_tells_nothing_of_them():
    a, b = losses(1) * np.array([[1], [1.5], [0.7]]), losses(2)
    both, alone = compare(a, b).effect, compare(a, b).effect.these
    assert both.low < alone.low < alone.high < both.high
    assert "and trainings, 3 seeds each" in both.over and "these trainings of 3 seeds each" in alone.over
    one = compare(a[:1], b)
    assert np.isnan(one.effect.p()) and np.isnan(one.effect.low) and np.isfinite(one.effect.these.low)


def test_the_ratio_of_means_is_that_of_the_means_and_agrees_with_a_bootstrap_over_tasks():
    a, b = losses(6, 1, 400), losses(7, 1, 400)
    found = compare(a, b).effect.these
    assert found.shown[0] == pytest.approx(a.mean() / b.mean())
    drawn = np.random.default_rng(0).integers(400, size=(4000, 400))
    again = np.log(a[0][drawn].mean(1) / b[0][drawn].mean(1))
    assert found.error == pytest.approx(again.std(), rel=0.05)


def test_pairing_sees_what_unpaired_intervals_cannot():
    """Tasks differ by far more than the learners do."""
    rng = np.random.default_rng(5)
    hard = rng.exponential(10, size=200) + 1
    a, b = hard + rng.normal(0, 0.1, (3, 200)) - 0.2, hard + rng.normal(0, 0.1, (3, 200))
    assert compare(a, b).effect.high < 0
    assert over_tasks_and_seeds(a).high > over_tasks_and_seeds(b).low


def test_tasks_without_a_loss_are_left_out_for_both_and_counted():
    a, b = np.array([[1.0, 2.0, np.nan, 4.0]]), np.array([[0.0, np.nan, 0.0, 1.0]])
    found = compare(a, b, DIFFERENCE)
    assert (found.effect.estimate, found.effect.tasks, found.won, found.left_out) == (2.0, 2, 0.0, 2)
    assert compare(a, b, BY_TASK).effect.tasks == 1, "no logarithm of 0"
    nothing = compare(np.full((2, 3), np.nan), np.ones((2, 3)))
    assert np.isnan(nothing.effect.p()) and nothing.left_out == 3
    assert np.isnan(compare(np.zeros((2, 3)), np.ones((2, 3))).effect.p()), "no logarithm of 0"
    same = compare(np.ones((2, 3)), np.ones((2, 3))).effect
    assert (same.p(), same.low, same.high) == (1, 0, 0)


def test_a_change_of_the_same_trainings_is_paired_by_seeds():
    rng = np.random.default_rng(8)
    before = np.exp(rng.normal(size=(3, 1)) + 0.1 * rng.normal(size=(3, 50)))
    assert of_change(before, 1.2 * before).p() < 1e-6
    assert compare(1.2 * before, before).effect.p() > 0.2
    assert of_change(before, 1.2 * before).shown[0] == pytest.approx(1.2)


def test_one_value_for_each_seed_has_welchs_t():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 4.0, np.nan])
    assert of_seeds(a, b).p() == pytest.approx(stats.ttest_ind(a, b[:3], equal_var=False).pvalue)
    assert np.isnan(of_seeds(a[:1], b).p()) and np.isnan(of_seeds(a, b[3:]).p())


def test_records_alone_give_welchs_t_of_the_logarithms_where_tasks_say_all():
    a, b = [0.1, 0.12, 0.09], [0.2, 0.3, 0.22, 0.25]
    found = of_records([(x, 0.0) for x in a], [(x, 0.0) for x in b])
    expected = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval(0.95)
    assert ends(found) == pytest.approx((expected.low, expected.high))
    assert found.estimate == pytest.approx(np.log(a).mean() - np.log(b).mean())


def test_few_tasks_widen_the_ratio_and_one_seed_gives_none():
    a, b = [0.1, 0.12, 0.09], [0.2, 0.3, 0.22]
    sure, unsure = (of_records([(x, h * x) for x in a], [(x, h * x) for x in b]) for h in (0.001, 0.5))
    assert unsure.low < sure.low < sure.high < unsure.high
    assert np.isnan(of_records([(0.1, 0.01)], [(x, 0.0) for x in b]).low)
    for bad in (0.0, float("nan"), float("inf")):
        assert np.isnan(of_records([(bad, 0.0), (0.1, 0.0)], [(x, 0.0) for x in b]).p())
    assert np.isnan(of_records([], [(0.1, 0.1)]).p())


def test_same_seeds_without_spread_leave_only_the_tasks():
    found = of_records([(0.2, 0.02)] * 3, [(0.4, 0.04)] * 3)
    half = np.sqrt(2) * 0.1
    assert found.shown[1:] == pytest.approx((0.5 * np.exp(-half), 0.5 * np.exp(half)), rel=1e-3)


def test_pooling_adds_what_seeds_do_and_shares_what_tasks_do():
    one = Effect(-0.4, ((0.08, 2), (0.01, 2)), (0.04, np.inf), seeds=3, log=True)
    two = Effect(-0.2, ((0.02, 4), (0.03, 4)), (0.16, np.inf), seeds=5, log=True)
    found = pooled([one, two])
    assert (found.estimate, found.seeds, found.sets) == (pytest.approx(-0.3), 3, 2)
    assert found.variance == pytest.approx(0.14 / 4 + ((0.2 + 0.4) / 2) ** 2)
    again = pooled([one] * 4)
    assert again.task_part[0] == pytest.approx(0.04), "the same test tasks do not average out"
    assert again.freedom > one.freedom
    assert "3 seeds each, 4 sets of runs" in again.over


def test_an_effect_keeps_the_interval_it_is_made_of():
    x = losses(9)
    for interval in (of_any_sign(x - 1), over_seeds(np.array([0.1, 0.3, 0.2]))):
        assert Effect.of(interval).shown == pytest.approx((interval.mean, interval.low, interval.high))
    interval = over_tasks_and_seeds(x)
    assert Effect.of(interval).shown == pytest.approx((interval.mean, interval.low, interval.high))
    assert not Effect.of(of_any_sign(x[:1])).parts, "one seed: over tasks alone"


def test_holm_is_the_textbook_example_and_skips_the_unknown():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    found = holm([0.01, np.nan, 0.03])
    assert found[[0, 2]] == pytest.approx([0.02, 0.03]) and np.isnan(found[1])
    assert holm(np.array([[0.9, 0.8], [0.01, 0.02]])) == pytest.approx(np.array([[1, 1], [0.02, 0.02]]))
    assert not holm([]).size


def test_a_comparison_that_stands_alone_may_fall_among_many():
    one = Effect(-1.0, ((0.0, 2),), (0.2, np.inf))
    none = Effect(0.0, ((0.0, 2),), (0.2, np.inf))
    assert sides([one]) == [-1]
    assert sides([one, *[none] * 7]) == [0] * 8
    assert sides([Effect(-2.0, (), (0.1, 50)), Effect(9.0, (), (0.1, 50))], level=1.0) == [-1, 1]


def test_measures_agree_on_a_plain_factor():
    b = losses(10) + 0.1
    assert [compare(2 * b, b, m).effect.shown[0] for m in (RATIO, BY_TASK)] == pytest.approx([2, 2])
