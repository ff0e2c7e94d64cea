"""The claims: constructed numbers make each hold, fail or stay open; sentences carry the numbers that decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from probes.claims import (
    broad_features,
    cost,
    curvature,
    first_order,
    learned_optimisers,
    objectives,
    op_lstm,
    sap,
    specialisation,
)
from probes.claims.finding import MISSING, Finding, Pair, told
from probes.questions.shares import Shares
from probes.questions.updates import GRADIENT, ByLearner, Likeness, Moment
from probes.tools.comparisons import Effect
from probes.tools.cost import EXACT, Fit
from probes.tools.decisions import FAILS, HOLDS, UNDECIDED
from probes.tools.statistics import Relation


def pair(ratio: float, error: float = 0.05) -> list[Pair]:
    """One set of runs in which the first error is `ratio` times the other; `error` is that of its logarithm."""
    part = (error**2 / 2, 4.0)
    return [Pair("set", Effect(float(np.log(ratio)), (part, part), seeds=3, log=True))]


def plain(value: float, error: float = 0.02) -> list[Pair]:
    return [Pair("set", Effect(value, ((error**2, 4.0),), seeds=3))]


Decide = Callable[[float], Finding]
RATIOS: dict[str, tuple[Decide, dict[str, float]]] = {
    "claim 1, closed": (lambda r: learned_optimisers.gap_closes(pair(0.5), pair(r)), {HOLDS: 1.0, FAILS: 2.0}),
    "claim 1, a gap": (
        lambda r: learned_optimisers.gap_closes(pair(r), pair(0.5)),
        {HOLDS: 0.5, FAILS: 2, UNDECIDED: 1},
    ),
    "claim 1, on par": (lambda r: learned_optimisers.on_par(pair(r)), {HOLDS: 1.0, FAILS: 2.0, UNDECIDED: 1.2}),
    "claim 1, better": (
        lambda r: learned_optimisers.second_order_is_better(pair(r)),
        {HOLDS: 0.5, FAILS: 2.0, UNDECIDED: 1.0},
    ),
    "claim 2": (
        lambda r: curvature.more_curved({"A": pair(9.0), "B": pair(r)}),
        {HOLDS: 5.0, FAILS: 0.2, UNDECIDED: 1.0},
    ),
    "claim 3, little": (lambda r: first_order.little(pair(r)), {HOLDS: 1.0, FAILS: 2.0, UNDECIDED: 1.22}),
    "claim 3, much": (lambda r: first_order.much(pair(r), pair(9.0)), {HOLDS: 2.0, FAILS: 1.0, UNDECIDED: 1.3}),
    "claim 5, start": (
        lambda r: objectives.finetuning_starts_best({"A": pair(2.0), "B": pair(r)}, 1.0),
        {HOLDS: 1.5, FAILS: 0.5, UNDECIDED: 1.0},
    ),
    "claim 5, end": (lambda r: objectives.maml_ends_better(pair(r)), {HOLDS: 0.5, FAILS: 2.0, UNDECIDED: 1.0}),
    "claim 5, both": (
        lambda r: objectives.reptile_minds_both(pair(r), pair(0.5)),
        {HOLDS: 0.5, FAILS: 2.0, UNDECIDED: 1.0},
    ),
    "claim 6, heads": (
        lambda r: specialisation.heads_help({"A": pair(2.0), "B": pair(r)}),
        {HOLDS: 2.0, FAILS: 0.5, UNDECIDED: 1.0},
    ),
    "claim 6, scarce": (
        lambda r: specialisation.scarcity_helps({"A": (5, 20, pair(r)[0])}),
        {HOLDS: 0.5, FAILS: 2.0, UNDECIDED: 1.0},
    ),
}


@pytest.mark.parametrize("name", RATIOS)
def test_ratios_decide(name: str):
    decide, cases = RATIOS[name]
    for verdict, ratio in cases.items():
        found = decide(ratio)
        assert found.decision.verdict == verdict, ratio
        assert told(pair(ratio)[0].effect) in found.evidence, "the number that decided is said, with its interval"
        assert found.criterion and found.detail.startswith("| |")
    wide = [Pair("set", Effect(0.0, ((4.0, 4.0),), seeds=3, log=True))]
    assert learned_optimisers.on_par(wide).decision.verdict == UNDECIDED, "a wide interval shows no equality"


def test_what_is_missing_or_left_out_decides_nothing():
    nothing: Sequence[Pair] = []
    found = [
        learned_optimisers.gap_closes(nothing, pair(1)),
        curvature.more_curved({"A": nothing}),
        first_order.points_further_off({}, {}),
        cost.quadratic([], 0),
        objectives.reptile_minds_both(nothing, nothing),
        specialisation.scarcity_helps({"MAML": (5, 20, pair(0.5)[0])}, ["Reptile"]),
        broad_features.goes_with_error(None),
        op_lstm.like_descent(None),
        sap.matches({}),
    ]
    assert [one.decision.verdict for one in found] == [UNDECIDED] * len(found)
    assert found[1].evidence == MISSING
    assert "Reptile: no two trainings" in found[5].evidence and told(pair(0.5)[0].effect) in found[5].evidence


def test_a_confounded_comparison_is_told_and_does_not_decide():
    found = first_order.much(pair(1.3, 0.2), pair(9.0, 0.01))
    assert found.decision.verdict == UNDECIDED
    assert "preprocessed inputs as well" in found.evidence and told(pair(9.0, 0.01)[0].effect) in found.evidence


@pytest.mark.parametrize(("gap", "verdict"), [(-0.3, HOLDS), (0.3, FAILS), (-0.01, UNDECIDED)])
def test_directions_of_first_order_gradients(gap: float, verdict: str):
    found = first_order.points_further_off({"A": plain(-0.5), "B": plain(gap)}, {"MAML": 0.9, "A": 0.4, "B": 0.9 + gap})
    assert found.decision.verdict == verdict and told(plain(gap)[0].effect, "+") in found.evidence


@pytest.mark.parametrize(
    ("ends", "verdict"), [((0.9, 1.1), FAILS), ((1.8, 2.1), HOLDS), ((1.0, 2.5), UNDECIDED), ((2.2, 2.4), UNDECIDED)]
)
def test_exponents_of_the_cost(ends: tuple[float, float], verdict: str):
    fits = [Fit("maml", EXACT, one, sum(ends) / 2, *ends, 1.0, 10, 9) for one in ("seconds", "peak_bytes")]
    explicit = Fit("maml", "explicit", "seconds", 2.0, 1.9, 2.1, 1.0, 10, 9)
    assert cost.quadratic([*fits, explicit], 100).decision.verdict == verdict, "written-out Hessians do not count"
    mixed = [fits[0], Fit("turtle", EXACT, "seconds", 1.0, 0.9, 1.1, 1.0, 10, 9)]
    assert cost.quadratic(mixed, 100).decision.verdict == (FAILS if verdict == FAILS else UNDECIDED)


def shares(far: float, drawn: float = 0.5, seed: int = 0) -> Shares:
    values = 0.01 * np.random.default_rng(seed).normal(size=(2, 3, 8))
    empty = np.zeros((3, 8))
    return Shares("x", [0, 1, 2], far + values[0], np.full(8, 0.7), empty, np.zeros((2, 3, 8)), drawn + values[1])


@pytest.mark.parametrize(
    ("maml", "reptile", "verdict"), [(0.7, 0.7, HOLDS), (0.7, 0.3, FAILS), (0.3, 0.3, FAILS), (0.7, 0.5, UNDECIDED)]
)
def test_specialisation_is_beyond_the_same_learner_untrained(maml: float, reptile: float, verdict: str):
    found = specialisation.reaches_far({"MAML": shares(maml), "Reptile": shares(reptile, seed=1)})
    assert found.decision.verdict == verdict
    assert "untrained 50 %" in found.evidence
    level = specialisation.reaches_far({"MAML": shares(0.7, 0.7), "Reptile": shares(0.7, 0.7, seed=1)})
    assert level.decision.verdict == UNDECIDED, "whatever other learners reach"


@pytest.mark.parametrize(("mine", "box", "verdict"), [(0.52, 0.7, HOLDS), (0.68, 0.7, FAILS), (0.52, 0.5, UNDECIDED)])
def test_op_lstm_is_placed_between_maml_and_the_lstm(mine: float, box: float, verdict: str):
    found = {"op-lstm": shares(mine), "maml": shares(0.5, seed=1), "lstm": shares(box, seed=2)}
    assert op_lstm.reaches_as_maml(found).decision.verdict == verdict
    assert op_lstm.reaches_as_maml({}).decision.verdict == UNDECIDED


@pytest.mark.parametrize(
    ("cosines", "verdict"),
    [((0.95, 0.9), HOLDS), ((0.3, 0.4), FAILS), ((0.95, 0.4), FAILS), ((0.3, 0.95), FAILS), ((0.8, 0.95), UNDECIDED)],
)
def test_likeness_to_descent_early_and_late(cosines: tuple[float, float], verdict: str):
    rng, along = np.random.default_rng(0), []
    for iteration, cosine in zip((0, 500, 5000), (0, *cosines), strict=True):
        whole = cosine + 0.01 * rng.normal(size=(3, 6, 1))
        along.append(Moment(iteration, {}, {GRADIENT: Likeness(whole, whole)}, {}))
    found = ByLearner("op-lstm", [0, 1, 2], ["all"], [], np.ones(3), along[-1], along[0], np.zeros(0), along)
    assert op_lstm.like_descent(found).decision.verdict == verdict


@pytest.mark.parametrize(("others", "verdict"), [(0.3, HOLDS), (0.9, FAILS), (0.6, UNDECIDED)])
def test_broadness_and_far_tasks(others: float, verdict: str):
    three = np.array([-0.01, 0.0, 0.01])
    found = broad_features.broader(0.6 + three, {"A": others + three, "B": 0.3 + three})
    assert found.decision.verdict == verdict and f"A {others:.2f}" in found.evidence
    wins = broad_features.wins_far(0.6 + three, {"A": 0.36 / others + three})
    assert wins.decision.verdict == verdict, "0.36 / 0.3 is twice 0.6"
    assert broad_features.broader(None, {}).decision.verdict == UNDECIDED


@pytest.mark.parametrize(("rho", "p", "verdict"), [(-0.9, 0.01, HOLDS), (0.9, 0.01, FAILS), (-0.9, 0.2, UNDECIDED)])
def test_a_relation_over_learners(rho: float, p: float, verdict: str):
    found = broad_features.goes_with_error(Relation(8, rho, p, rho, p))
    assert found.decision.verdict == verdict and "8 learners" in found.evidence
    assert bool(found.decision.needs) == (verdict == UNDECIDED)


def counted(primary: float, control: float = 0.4, spread: float = 0.01) -> dict[str, dict]:
    """All forms and counts of the synthetic families; the others than the primary one are far from anything."""
    rng = np.random.default_rng(0)

    def one(mean: float) -> dict:
        return {"per_seed": list(mean + spread * rng.normal(size=5))}

    def form(mean: float) -> dict:
        controls = {name: {"protocols": {"P1": one(control), "P2": one(0.9)}} for name in ("untrained", "mismatched")}
        return {"protocols": {"P1": one(mean), "P2": one(0.1)}, "controls": controls, "families": [0], "factors": [0]}

    return {"mended": form(0.99), sap.FORM: form(primary)}


@pytest.mark.parametrize(
    ("primary", "control", "spread", "verdict"),
    [
        (0.75, 0.4, 0.01, HOLDS),
        (0.60, 0.4, 0.01, FAILS),
        (0.95, 0.4, 0.01, FAILS),
        (0.75, 0.9, 0.01, FAILS),
        (0.75, 0.4, 0.2, UNDECIDED),
    ],
)
def test_one_count_decides_and_others_are_told(primary: float, control: float, spread: float, verdict: str):
    found = sap.matches(counted(primary, control, spread))
    assert found.decision.verdict == verdict
    assert found.detail.count("\n") == 5 and "**published, P1** (primary)" in found.detail
