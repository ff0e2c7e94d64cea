"""What the probe says of a SAP, and sentences and tables from it."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from dashboard.figures.operations import spoken
from dashboard.widgets import page
from dashboard.widgets.holds import side
from dashboard.widgets.numbers import number
from engine.runs.ensembles import Ensemble
from probes.claims.finding import told
from probes.questions.subspace import Anatomy
from probes.tools.intervals import Interval, over_seeds

TASKS = 200


def anatomy(ensemble: Ensemble, *, importance: bool) -> Anatomy | None:
    """What the probe says of one learner; importance takes a while unless it is shipped."""
    kept = page.known("subspace", [ensemble], tasks=TASKS, importance=True)
    found = kept or page.answer(
        "subspace",
        [ensemble],
        f"Switching off the operations of {ensemble.learner.title}, one by one ..." if importance else "",
        tasks=TASKS,
        importance=importance,
    )
    return found.anatomies[0] if found else None


def strength_sentence(found: Anatomy, strengths: np.ndarray | None = None) -> str:
    """What grew and shrank most, and whether small operations are preferred, whatever the training.

    Args:
        found: the anatomy.
        strengths: at some moment of training, (seeds, operations); without: after it.
    """
    relative = (found.strengths if strengths is None else strengths) / found.start
    if np.allclose(relative, 1.0, atol=1e-3):
        return "Before any training every operation stands at its start: nothing is preferred."
    mean = relative.mean(0)
    first, last = int(mean.argmax()), int(mean.argmin())
    small = [i for i, size in enumerate(found.sizes) if 0 < size <= 40]
    large = [i for i, size in enumerate(found.sizes) if size > 40]
    said = (
        f"**{spoken(found.operations[first]).capitalize()}** grew most, to {mean[first]:.2f} times its start "
        f"({relative[:, first].min():.2f} to {relative[:, first].max():.2f} over seeds); "
        f"{spoken(found.operations[last])} shrank most, to {mean[last]:.2f}."
    )
    if small and large:
        few, many = relative[:, small].mean(1), relative[:, large].mean(1)  # of each seed
        apart = over_seeds(few - many)
        verdict = {1: "are preferred", -1: "are not preferred", 0: "cannot be said to be preferred"}[side(apart)]
        said += (
            f" Operations with at most 40 numbers stand at {few.mean():.2f} times their start on average, larger ones "
            f"at {many.mean():.2f}: low-dimensional ones {verdict} (difference {told(apart, '+')} over trainings)."
        )
    return said


def worth_relation(found: Anatomy) -> Interval:
    """Spearman's rho of strength over start with what each operation is worth, over seeds."""
    moving = np.flatnonzero(found.adapting)
    relative = (found.strengths / found.start)[:, moving]
    cost = np.nanmean(found.still, 2).T  # (seeds, operations)
    return over_seeds(np.array([_rank(a, b) for a, b in zip(relative, cost, strict=True)]))


def _rank(a: np.ndarray, b: np.ndarray) -> float:
    """Not known where one of them is the same everywhere, as strengths are before any training."""
    return float(spearmanr(a, b).statistic) if np.ptp(a) and np.ptp(b) else np.nan


def worth_sentence(found: Anatomy, moving: list[str], baseline: float) -> str:
    """What is missed most, how many are not missed, and whether strengths say so."""
    cost = np.nanmean(found.still, (1, 2)) / baseline
    first = int(cost.argmax())
    rank = worth_relation(found).mean
    moves = found.moved.any((0, 1))  # one that never moves is held still for nothing
    free = int((cost[moves] < 1.02).sum())
    ranks = (
        f" Strength and worth rank the operations {'alike' if rank > 0.5 else 'differently'} (rank correlation "
        f"{rank:.2f}, mean over seeds)."
    )
    return (
        f"Without **{spoken(moving[first])}** adapting, the error is {number(cost[first])} times as high; {free} of "
        f"the {int(moves.sum())} operations can stay still for less than 2 % each."
    ) + (ranks if np.isfinite(rank) else "")


def answers_sentence(found: Anatomy, moving: list[str]) -> str:
    """Which operation's movement follows which parameter of the task most."""
    values = found.correlations.mean(0)
    single = {name: int(size) == 1 for name, size in zip(found.operations, found.sizes, strict=True)}
    told = []
    for k, parameter in enumerate(found.parameters):
        size = np.abs(np.nan_to_num(values[:, k]))
        j = int(size.argmax())
        least = np.abs(found.correlations[:, j, k]).min()
        sign = f"{values[j, k]:.2f}" if single[moving[j]] else f"{size[j]:.2f} in size"
        told.append(
            f"**{parameter}** is followed most by {spoken(moving[j])} (r = {sign}; at least {least:.2f} in every seed)"
        )
    return f"{'; '.join(told)}."


def enough(losses: np.ndarray, baseline: float) -> int:
    """The least n whose mean loss (n + 1, seeds, tasks) is within 10 % of the baseline; all if there is none."""
    near = np.flatnonzero(losses.mean((1, 2)) <= 1.1 * baseline)
    return int(near[0]) if len(near) else len(losses) - 1


def pruning_sentence(found: Anatomy, baseline: float) -> str:
    """How many operations are enough, in both orders, and whether fewer are better than all."""
    means = found.by_worth.mean((1, 2))
    least = int(means.argmin())
    best = f" The least error, {number(means[least])}, comes with {least}." if means[least] < 0.95 * baseline else ""
    return (
        f"**{enough(found.by_worth, baseline)}** of {len(found.by_worth) - 1} operations, taken by worth, come within "
        f"10 % of the error with all ({number(baseline, 3)}); taken by strength it needs "
        f"{enough(found.by_strength, baseline)}.{best}"
    )


def strength_rows(found: Anatomy, strengths: np.ndarray | None = None, alpha: float = float("nan")) -> pd.DataFrame:
    """Strengths of every operation and seed; at some moment of training where they are given, with the inner rate."""
    step_sizes = found.step_sizes if strengths is None else alpha * strengths**2
    strengths = found.strengths if strengths is None else strengths
    return pd.DataFrame(
        [
            {
                "operation": name,
                "seed": seed,
                "strength": strengths[s, i],
                "start": found.start[i],
                "times its start": strengths[s, i] / found.start[i],
                "effective step size": step_sizes[s, i],
                "numbers": int(found.sizes[i]),
            }
            for i, name in enumerate(found.operations)
            for s, seed in enumerate(found.seeds)
        ]
    )


def along_rows(found: Anatomy) -> pd.DataFrame:
    """Strengths through training."""
    return pd.DataFrame(
        [
            {"operation": name, "seed": seed, "update": int(moment), "strength": found.along[m, s, i]}
            for m, moment in enumerate(found.moments)
            for s, seed in enumerate(found.seeds)
            for i, name in enumerate(found.operations)
        ]
    )


def worth_rows(found: Anatomy, moving: list[str]) -> pd.DataFrame:
    """Errors without each operation, by seed."""
    return pd.DataFrame(
        [
            {
                "operation": name,
                "seed": seed,
                "all adapt": found.losses[s].mean(),
                "not adapted": found.still[j, s].mean(),
                "removed": found.removed[j, s].mean(),
                "mean movement": found.moved[s, :, j].mean(),
            }
            for j, name in enumerate(moving)
            for s, seed in enumerate(found.seeds)
        ]
    )


def pruning_rows(found: Anatomy) -> pd.DataFrame:
    """Errors with the first n operations, in both orders."""
    lines = []
    for label, losses, order in (
        ("by worth", found.by_worth, found.order_by_worth),
        ("by strength", found.by_strength, found.order_by_strength),
    ):
        for n, one in enumerate(losses):
            lines.append({"order": label, "operations": n, "last": order[n - 1] if n else "", "error": one.mean()})
    return pd.DataFrame(lines)


def curve_rows(x: np.ndarray, whole: np.ndarray, changed: np.ndarray, seeds: list[int], named: str) -> pd.DataFrame:
    """Two sets of curves (seeds, grid) at places x: all adapt, and what is `named`."""
    return pd.DataFrame(
        [
            {"seed": seed, "x": place, "all adapt": whole[s, i], named: changed[s, i]}
            for s, seed in enumerate(seeds)
            for i, place in enumerate(x)
        ]
    )
