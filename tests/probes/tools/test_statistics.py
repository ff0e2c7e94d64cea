"""Correlations against scipy's, and p-values against what is known of them."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from probes.tools.statistics import relation

RNG = np.random.default_rng(0)


def test_coefficients_are_scipys():
    x = RNG.normal(size=30)
    y = 0.5 * x + RNG.normal(size=30)
    y[3] = y[4]  # a tie
    found = relation(x, y)
    assert found.pearson == pytest.approx(stats.pearsonr(x, y)[0], rel=1e-12)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y)[0], rel=1e-12)
    assert found.n == 30


def test_the_p_value_is_that_of_all_permutations():
    x, y = np.array([1.0, 2.0, 4.0, 5.0, 9.0, 3.5]), np.array([2.0, 1.0, 3.0, 7.0, 5.0, 2.5])
    seen = abs(np.corrcoef(x, y)[0, 1])
    all_of_them = [abs(np.corrcoef(x, y[list(order)])[0, 1]) for order in permutations(range(6))]
    exact = np.mean(np.array(all_of_them) >= seen - 1e-12)
    found = relation(x, y, shuffles=40_000)
    assert found.pearson_p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000))


def test_p_values_of_unrelated_values_are_uniform():
    found = [relation(RNG.normal(size=12), RNG.normal(size=12), shuffles=199, seed=i) for i in range(300)]
    for name in ("pearson_p", "spearman_p"):
        assert stats.kstest([getattr(one, name) for one in found], "uniform").pvalue > 1e-3


def test_a_relation_between_groups_only_is_none_within():
    """Groups differ in both values; inside each, y falls as x rises."""
    groups = np.repeat(["a", "b", "c"], 6)
    inside = np.tile(np.arange(6.0), 3)
    shift = np.repeat([0.0, 50.0, 100.0], 6)
    assert relation(shift + inside, shift - inside).pearson > 0.99
    within = relation(shift + inside, shift - inside, groups)
    assert within.pearson == pytest.approx(-1)
    assert within.spearman == pytest.approx(-1)
    assert within.pearson_p == pytest.approx(1e-4)


def test_three_runs_of_one_learner_can_never_be_significant():
    """Three values have six orders, two of which are as extreme as any: p is 1/3 at best."""
    assert relation(np.arange(3.0), np.array([1.0, 2.0, 4.0]), ["a"] * 3).pearson_p >= 1 / 6


def test_what_cannot_be_correlated_is_nan():
    few = relation(np.array([1.0, 2.0, np.nan]), np.array([1.0, 3.0, 2.0]))
    assert few.n == 2
    assert np.isnan(few.pearson)
    constant = relation(np.ones(5), np.arange(5.0))
    assert np.isnan(constant.spearman)
    assert np.isnan(constant.spearman_p)
    assert relation(np.full(4, np.nan), np.arange(4.0)).n == 0
