"""Where there are classes, learners are compared by accuracy: more is better, on every figure and in every sentence."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.figures import behaviour as figures
from dashboard.figures.behaviour import Difference
from dashboard.views.behaviour import sweep_tables, tables
from probes.questions.behaviour import Curve
from probes.questions.heads import Contribution
from probes.tools.comparisons import RATIO, compare

NAMES = {"a": "A", "b": "B"}
NOISE = np.random.default_rng(0).normal(0, 0.05, (3, 200))


def curve(name: str, before: float, after: float) -> Curve:
    """Three seeds on 200 tasks; a cross-entropy that says the contrary, so that nobody may look at it."""
    right = np.stack([np.clip(mean + NOISE, 0, 1) for mean in (before, after)], -1)
    return Curve(
        *(name, [0, 1, 2], "tasks", 1, np.array([0, 5]), 5, 5),
        *(1.0 + right, np.zeros((3, 200), bool), float(np.log(5)), {}, right, 0.2),
    )


GOOD, POOR = curve("a", 0.20, 0.90), curve("b", 0.25, 0.60)


def test_the_best_has_the_highest_mean_accuracy():
    said = tables.curve_sentence([GOOD, POOR], NAMES)
    assert said.startswith("**B** has the highest mean accuracy before any step (0.25), **A** after its last one")
    assert "No other is level with A there" in said
    spots = tables.spots([GOOD, POOR], NAMES, None)
    told = tables.spot_sentence(spots, [GOOD, POOR])
    assert told.startswith("**B** has the highest mean accuracy at the start: 0.25 → 0.60.")
    assert "Higher in the end, after a worse start: A (0.20 → 0.90)" in told
    assert spots[0].after[0] == pytest.approx(0.9, abs=0.01)


def test_a_difference_above_0_is_better():
    (row,), _ = tables.comparisons([GOOD, POOR], NAMES, "b", RATIO)
    right = GOOD.accuracies[..., -1].mean() - POOR.accuracies[..., -1].mean()
    assert (row.mean, row.side, row.won) == (pytest.approx(right), -1, pytest.approx(1.0))  # -1: on the better side
    assert row.low < row.mean < row.high
    assert row.better
    assert not row.ratio
    assert tables.difference_rows([row]).decided.tolist() == ["better"]
    (other,), _ = tables.comparisons([GOOD, POOR], NAMES, "a", RATIO)
    assert (other.mean, other.low, other.high) == pytest.approx((-row.mean, -row.high, -row.low))
    assert (other.side, other.won) == (1, 0.0)
    losses = compare(-GOOD.scores[..., -1], -POOR.scores[..., -1], "difference").effect.shown
    assert losses == pytest.approx((-row.mean, -row.high, -row.low))


def test_losses_are_compared_as_before():
    """The same numbers as losses: less is better, as a ratio."""
    low, high = (Curve(*(*vars(c).values(),)[:-2]) for c in (POOR, GOOD))
    (row,), _ = tables.comparisons([low, high], NAMES, "a", RATIO)
    assert (row.ratio, row.side, row.higher) == (True, -1, False)
    assert row.mean < 1


def test_axes_say_accuracy_and_are_linear():
    lines = tables.lines([GOOD, POOR], NAMES, tables.MEAN)
    fig = figures.curves(lines, 0.2, "accuracy", log=False, log_steps=True, dark=False, knowing_nothing="guessing")
    assert (fig.layout.yaxis.title.text, fig.layout.yaxis.type) == ("query accuracy", "linear")
    assert "guessing" in {note.text for note in fig.layout.annotations}
    fig = figures.plane(tables.spots([GOOD, POOR], NAMES, None), "accuracy", "the last step", False, accuracy=True)
    assert (fig.layout.xaxis.title.text, fig.layout.xaxis.type) == ("direct accuracy, at step 0", "linear")
    assert fig.layout.yaxis.title.text == "accuracy after the last step"


def test_a_task_with_no_right_answer_is_a_task():
    x, y = np.array([0.0, 0.5, 1.0]), np.array([0.4, 0.5, 0.2])
    marked = tables.telling(x, y, accuracy=True)
    assert (marked["best"], marked["worst"], marked["largest gap"]) == (2, 0, 2)
    assert "are better on 33 % of 3 tasks" in tables.hardness_sentence(x, y, ("A", "B"), accuracy=True)


def test_a_fresh_head_costs_accuracy():
    right, wrong = np.full((3, 40, 1), 0.9) + NOISE[:, :40, None], np.full((3, 40, 1), 0.5) + NOISE[:, :40, None]
    part = Contribution("a", [0, 1, 2], np.array([5]), wrong, right, (0, 0), float(np.log(5)), right, wrong)
    (row,) = sweep_tables.head_rows([part], NAMES).to_dict("records")
    assert row["difference"] == pytest.approx(-0.4)
    assert sweep_tables.head_sentence([part], NAMES) == "A fresh head changes the accuracy of A by −0.4."


def test_a_difference_without_a_direction_is_one_of_losses():
    row = Difference("a", "A", 0.5, 0.4, 0.6, 1.0, 10, 3, 0.01, -1)
    assert not row.better
    assert Difference("a", "A", 0.5, 0.4, 0.6, 1.0, 10, 3, 0.01, -1, higher=True).better
