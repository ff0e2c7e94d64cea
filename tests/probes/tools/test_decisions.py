"""One test for each claim: what it takes to hold, not to hold, and to be mixed; and how many seeds would tell."""

from __future__ import annotations

import numpy as np
import pytest

from probes.tools.comparisons import Effect, of_records
from probes.tools.decisions import (
    CONTRARY,
    FAILS,
    HOLDS,
    MIXED,
    MOST,
    NEAR,
    ONE_SEED,
    TASKS,
    UNDECIDED,
    above,
    all_of,
    below,
    equivalent,
    non_inferior,
    over_sets,
    superior,
)


def effect(ratio: float, error: float = 0.05, freedom: float = 20, task: float = 0.0, seeds: int = 3) -> Effect:
    """A log ratio of errors with this standard error between trainings."""
    return Effect(float(np.log(ratio)), ((error**2, freedom),), (task**2, np.inf), seeds, log=True)


@pytest.mark.parametrize(
    ("ratio", "verdicts"),
    [  # superior, non-inferior and equivalent with a margin of 1.25
        (0.5, (HOLDS, HOLDS, FAILS)),
        (0.8, (HOLDS, HOLDS, UNDECIDED)),
        (1.0, (UNDECIDED, HOLDS, HOLDS)),
        (1.24, (FAILS, UNDECIDED, UNDECIDED)),
        (2.0, (FAILS, FAILS, FAILS)),
    ],
)
def test_whole_intervals_decide(ratio: float, verdicts: tuple[str, ...]):
    assert tuple(test(effect(ratio)).verdict for test in (superior, non_inferior, equivalent)) == verdicts


def test_below_and_above_are_one_test_seen_from_two_sides():
    for ratio in (0.5, 1.0, 2.0):
        down, up = below(effect(ratio)), above(effect(ratio))
        assert (down.p_for, down.p_against) == (up.p_against, up.p_for)
    one = effect(2.0)
    assert above(one, one.low - 1e-9).verdict == HOLDS and above(one, one.low + 1e-9).verdict == UNDECIDED


def test_one_seed_decides_nothing_of_a_kind_of_training():
    found = superior(of_records([(0.1, 0.001)], [(9.0, 0.001)]))
    assert (found.verdict, found.needs) == (UNDECIDED, ONE_SEED)
    assert superior(effect(0.5).these).verdict == UNDECIDED
    assert over_sets([]).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ((0.5, 0.5), HOLDS),
        ((0.5, 1.0, 1.0), HOLDS),
        ((2.0, 1.0), FAILS),
        ((0.5, 2.0), MIXED),
        ((0.5, 0.5, 0.5, 2.0), MIXED),
        ((0.9, 1.0), UNDECIDED),
    ],
)
def test_the_mean_over_sets_decides_and_mixed_needs_two_sets_that_tell(ratios: tuple[float, ...], verdict: str):
    assert over_sets([effect(ratio) for ratio in ratios]).verdict == verdict


def test_one_lucky_set_among_many_is_not_enough():
    """The rule until now: lower in one set, higher in none. Here two of nine are just beyond their intervals."""
    sets = [effect(r, 0.2) for r in (0.6, 0.65, 1.2, 1.1, 1.2, 0.9, 1.3, 1.1, 1.2)]
    assert any(one.high < 0 for one in sets) and not any(one.low > 0 for one in sets)
    assert over_sets(sets).verdict == UNDECIDED
    against = [*sets[2:], effect(0.64, 0.2), effect(1.6, 0.2)]
    assert any(one.high < 0 for one in against) and any(one.low > 0 for one in against)
    assert over_sets(against).verdict == UNDECIDED, "mixed needs more than one set in twenty on either side"


def test_a_claim_of_parts_needs_every_part_and_falls_by_one_contrary():
    good, level, bad = superior(effect(0.5)), superior(effect(1.0)), superior(effect(2.0))
    assert all_of([good, good]).verdict == HOLDS
    assert all_of([good, level]).verdict == UNDECIDED
    assert all_of([good, bad]).verdict == FAILS
    just = superior(effect(1.0 + 0.11))  # contrary by itself, not among four
    assert just.verdict == FAILS
    assert all_of([just, level, level, level]).verdict == UNDECIDED
    alone = all_of([just, good, good, good])
    assert (alone.verdict, alone.needs) == (UNDECIDED, CONTRARY), "an undecided claim says why"
    assert all_of([]).verdict == UNDECIDED


def test_seeds_needed_have_the_power_they_promise():
    """As many seeds as told decide four times in five, if effect and spread are as seen."""
    spread, ratio = 0.3, 0.7
    seen = effect(ratio, spread * np.sqrt(2 / 3), 4)
    n = superior(seen).needed
    assert n is not None and 3 < n < 30
    rng, rounds = np.random.default_rng(0), 600
    runs = [np.exp(np.log(mean) + spread * rng.normal(size=(rounds, n))) for mean in (ratio, 1.0)]
    held = [
        superior(of_records([(x, 0.0) for x in a], [(x, 0.0) for x in b])).verdict == HOLDS
        for a, b in zip(*runs, strict=True)
    ]
    assert 0.75 < np.mean(held) < 0.9


def test_seeds_needed_are_honest_about_what_they_cannot_say():
    assert superior(effect(0.95, 0.3, 4)).needed == MOST + 1
    assert superior(effect(0.95, 0.3, 4)).needs == "More than 100 seeds of each learner would be needed."
    assert superior(effect(0.99, 0.3, 4)).needs == NEAR
    assert superior(effect(0.9, 0.01, 4, task=0.3)).needs == TASKS
    assert superior(effect(0.5)).needs == "" and superior(effect(1.0, 0.0)).needs == NEAR
    few, many = superior(effect(0.7, 0.2, 4)), superior(effect(0.85, 0.2, 4))
    assert all_of([few, many]).needed == many.needed > few.needed, "the hardest part decides"
    assert non_inferior(effect(1.1, 0.2, 4)).needed < non_inferior(effect(1.18, 0.2, 4)).needed
