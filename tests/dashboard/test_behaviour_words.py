"""What the page Learning behaviour says of learners beside each other: sure of other trainings, or said not to be."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.figures import behaviour as figures
from dashboard.figures.behaviour import Spot
from dashboard.views.behaviour import sweep_tables, tables
from probes.questions.behaviour import Curve
from probes.questions.heads import Contribution
from probes.questions.shift import Shift, Shifted
from probes.questions.shots import ByShots
from probes.tools.comparisons import BY_TASK, DIFFERENCE, KIND, MEASURES, RATIO, THESE

NAMES = {"a": "A", "b": "B", "c": "C", "d": "D"}
HARD = np.exp(np.random.default_rng(0).normal(size=60))  # tasks, for all learners


def losses(name: str, *seeds: float) -> np.ndarray:
    """Losses (seeds, tasks) with these means, on tasks that are as hard for everybody."""
    rng = np.random.default_rng(ord(name))
    return np.array(seeds)[:, None] * HARD * np.exp(0.05 * rng.normal(size=(len(seeds), 60)))


def curve(name: str, *seeds: float, start: float = 3.0, tasks: str = "same") -> Curve:
    n = len(seeds)
    two = np.stack([np.broadcast_to(start * HARD, (n, 60)), losses(name, *seeds)], -1)
    return Curve(name, list(range(n)), tasks, 10, np.array([0, 5]), 5, 5, two, np.zeros((n, 60), bool), 9.0, {})


# b is as good as a, but its three trainings happened to go better; c is better whatever the training; d has one seed
CURVES = [curve("a", 1.0, 1.3, 0.75), curve("b", 0.8, 1.05, 0.6), curve("c", 0.1, 0.11, 0.09), curve("d", 0.5)]


@pytest.mark.parametrize("measure", [RATIO, BY_TASK])
def test_lucky_trainings_are_better_themselves_and_not_their_kind(measure: str):
    these, _ = tables.comparisons(CURVES, NAMES, "a", measure, THESE)
    assert {row.title: row.side for row in these} == {"B": -1, "C": -1, "D": -1}
    kind, _ = tables.comparisons(CURVES, NAMES, "a", measure, KIND)
    assert {row.title: row.side for row in kind} == {"B": 0, "C": -1, "D": 0}
    said = tables.difference_sentence(kind, "A", KIND)
    assert said == (
        "Over tasks and trainings, better than A: C; undecided: B; one seed, which tells nothing of other trainings: "
        "D. Corrected for 3 comparisons (Holm)."
    )
    assert "Over tasks, for these trainings alone, better than A: B, C, D." in tables.difference_sentence(
        these, "A", THESE
    )
    assert tables.difference_rows(kind).set_index("learner").decided.to_dict() == {
        "B": "undecided",
        "C": "better",
        "D": "undecided",
    }


def test_a_comparison_that_stands_by_itself_can_fall_among_many():
    just = curve("b", 0.42, 0.56, 0.33)
    alone, _ = tables.comparisons([CURVES[0], just], NAMES, "a")
    names = NAMES | {f"x{i}": f"X{i}" for i in range(8)}
    level = [curve("a", 1.0, 1.3, 0.75) for _ in range(8)]
    many = [
        Curve(f"x{i}", *[getattr(one, f) for f in list(one.__dataclass_fields__)[1:]]) for i, one in enumerate(level)
    ]
    among, _ = tables.comparisons([CURVES[0], just, *many], names, "a")
    assert (alone[0].side, among[0].side) == (-1, 0)
    assert among[0].p == pytest.approx(9 * alone[0].p) and among[0].low == alone[0].low


def test_learners_that_met_other_tasks_are_not_paired():
    found, others = tables.comparisons([*CURVES[:2], curve("c", 0.1, 0.1, tasks="other")], NAMES, "a")
    assert [row.title for row in found] == ["B"] and others == ["C"]


@pytest.mark.parametrize("measure", MEASURES)
def test_undecided_marks_are_pale(measure: str):
    rows, _ = tables.comparisons(CURVES[:3], NAMES, "a", measure)
    drawn = figures.differences(rows, "axis", dark=False).data
    assert all(row.ratio == (measure != DIFFERENCE) for row in rows)
    for row, trace in zip(rows, drawn, strict=True):
        assert trace.opacity == (1.0 if row.side else figures.PALE)


def test_the_best_is_said_with_those_that_cannot_be_told_from_it():
    curves = [curve("a", 1.0, 1.3, 0.75), curve("b", 0.8, 1.05, 0.6), curve("c", 4.0, 4.1, 3.9)]
    said = tables.curve_sentence(curves, NAMES)
    assert "Not to be told from B there: A (over tasks and trainings, corrected for 3 pairs)." in said
    assert "No other is level with C there" in tables.curve_sentence([curve("c", 0.1, 0.11, 0.09), *curves[:2]], NAMES)


def spot(name: str, before: float, after: float) -> Spot:
    return Spot(name, NAMES[name], (before, before, before), (after, after, after), [])


def test_a_start_is_worse_only_if_other_trainings_would_be_too():
    curves = [curve("a", 1.0, 1.0, 1.0, start=1.0), curve("b", 0.5, 0.5, 0.5, start=1.2)]
    lucky = curves[1].losses
    lucky[..., 0] *= np.array([[0.7], [1.0], [1.5]])
    found = [spot("a", 1.0, 1.0), spot("b", 1.2, 0.5)]
    assert "after a start that cannot be told from its: B" in tables.spot_sentence(found, curves)
    sure = [curves[0], curve("b", 0.5, 0.5, 0.5, start=2.0)]
    assert "after a worse start: B" in tables.spot_sentence(found, sure)


def by_shots(name: str, trained: int, *means: tuple[float, ...]) -> ByShots:
    """Losses at 5 and 10 points, one tuple of seeds each."""
    both = np.stack([losses(name, *seeds) for seeds in means], -1)
    return ByShots(name, [0, 1, 2], trained, np.array([5, 10]), both, np.zeros(2, int), 9.0)


def test_sweeps_name_who_is_level_with_the_best():
    answers = [by_shots("a", 5, (1, 1.3, 0.75), (0.1, 0.11, 0.09)), by_shots("b", 5, (0.8, 1.05, 0.6), (1, 1.1, 0.9))]
    said = sweep_tables.shots_sentence(answers, NAMES)
    assert "with 5 points **B** (" in said and "level with A); with 10 points **A** (0." in said
    parts = [Shifted(a.learner, a.seeds, a.losses[..., None], np.zeros(2), np.ones((2, 1)), {}) for a in answers]
    shift = Shift("amplitude", np.array([1.0, 9.0]), None, np.zeros(1), parts)
    said = sweep_tables.shift_sentence(shift, NAMES, (0.0, 2.0), relative=False)
    assert "where training was: **B**" in said and "level with A); at 9: **A**" in said
    one, other = (Shift("amplitude", np.array([1.0, 9.0]), "phase", np.zeros(1), [part]) for part in parts)
    said = sweep_tables.map_sentence([one, other], {"a": "A", "b": "B"})
    assert said.startswith("A is better in 1 of 2 cells, B in 0; undecided in 1 (")


def test_trained_as_tested_is_best_only_where_that_is_sure():
    found = {
        5: by_shots("a", 5, (1, 1.3, 0.75), (1, 1.1, 0.9)),
        10: by_shots("b", 10, (1.2, 1.5, 0.9), (0.1, 0.11, 0.09)),
    }
    said = sweep_tables.scarcity_sentence({"A": found})
    assert "lowest mean in 2 of 2 cases; it is better than every other in 1, worse than one in 0" in said
    assert said.endswith("A 5 → 5, 10 → 10.")


def test_a_fresh_head_is_compared_with_the_same_trainings():
    learned = losses("a", 1.0, 3.0, 0.4)
    answer = Contribution("a", [0, 1, 2], np.array([0]), learned[..., None], 2 * learned[..., None], (0, 0), 9.0)
    row = sweep_tables.head_rows([answer], NAMES).iloc[0]
    assert (row.times, row.low, row.high) == pytest.approx((2, 2, 2)), "each seed is its own control"
    assert "of A by 2." in sweep_tables.head_sentence([answer], NAMES)
