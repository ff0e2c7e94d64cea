"""What the page Learning behaviour shows, as tables and sentences: answers of the probes in, plain values out."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from dashboard.figures.behaviour import Difference, Line, Spot
from engine.ensembles import Ensemble
from probes.behaviour import Curve
from probes.intervals import Interval, over_tasks_and_seeds, paired
from probes.statistics import relation

SHUFFLES = 1999
MEAN, SPREAD = "interval of the mean", "95 % of the tasks"
BANDS = (MEAN, SPREAD)


def number(value: float) -> str:
    """A loss in a sentence: two digits, without a power of ten where it can be read without."""
    return f"{value:.2g}" if value < 10 or value >= 1e5 else f"{value:.0f}"


def band(losses: np.ndarray, kind: str) -> tuple[float, float, float]:
    """Mean, low and high of losses (seeds, tasks): the interval of the mean, or the middle 95 % of all values."""
    found = over_tasks_and_seeds(losses)
    if kind == MEAN:
        return found.mean, found.low, found.high
    every = losses[np.isfinite(losses)]
    low, high = np.quantile(every, [0.025, 0.975]) if len(every) else (np.nan, np.nan)
    return found.mean, float(low), float(high)


def lines(curves: Sequence[Curve], names: dict[str, str], kind: str) -> list[Line]:
    """The curves with their bands."""
    found = []
    for curve in curves:
        mean, low, high = np.array([band(curve.losses[..., i], kind) for i in range(len(curve.steps))]).T
        found.append(Line(curve.learner, names[curve.learner], curve.steps, mean, low, high, curve.trained_steps))
    return found


def line_rows(found: Sequence[Line]) -> pd.DataFrame:
    """One row for each learner and step."""
    rows = [
        {
            "learner": line.title,
            "step": int(step),
            "mean": mean,
            "low": low,
            "high": high,
            "trained for": step <= line.trained_steps or not line.trained_steps,
        }
        for line in found
        for step, mean, low, high in zip(line.steps, line.mean, line.low, line.high, strict=True)
    ]
    return pd.DataFrame(rows)


def ran_away(names: dict[str, str], counts: Iterable[tuple[str, int, int]]) -> str:
    """A sentence for adaptations that diverged, given (learner, how many, of how many); empty if none did."""
    told = [f"{names[learner]} {n:,} of {of:,}" for learner, n, of in counts if n]
    if not told:
        return ""
    return f"Ran away, and left out of means with their tasks: {', '.join(told)} adaptations."


def curve_sentence(curves: Sequence[Curve], names: dict[str, str]) -> str:
    """Who starts best, who ends best, and who ran away."""
    ends = {curve.learner: [over_tasks_and_seeds(curve.losses[..., i]).mean for i in (0, -1)] for curve in curves}
    start, end = (min(ends, key=lambda name, i=i: np.nan_to_num(ends[name][i], nan=np.inf)) for i in (0, 1))
    before, after = ends[end]
    first = f"**{names[start]}** has the lowest loss before any step ({number(ends[start][0])}), "
    if start == end:
        first = f"**{names[end]}** has the lowest loss before any step ({number(before)}) and after the last one: "
        first += f"{number(after)}."
    else:
        first += f"**{names[end]}** after its last one: from {number(before)} to {number(after)}."
    return f"{first} {ran_away(names, ((c.learner, int(c.diverged.sum()), c.diverged.size) for c in curves))}".strip()


def spots(curves: Sequence[Curve], names: dict[str, str], step: int | None) -> list[Spot]:
    """Direct loss and loss after a step (None: each learner's last one)."""
    found = []
    for curve in curves:
        before, after = curve.at(0), curve.at(int(curve.steps[-1]) if step is None else step)
        seeds = [
            (seed, float(np.nanmean(b)), float(np.nanmean(a)))
            for seed, b, a in zip(curve.seeds, before, after, strict=True)
            if np.isfinite(b).any()
        ]
        two = [triple(over_tasks_and_seeds(losses)) for losses in (before, after)]
        found.append(Spot(curve.learner, names[curve.learner], two[0], two[1], seeds))
    return found


def triple(found: Interval) -> tuple[float, float, float]:
    """(mean, low, high)."""
    return found.mean, found.low, found.high


def spot_rows(found: Sequence[Spot]) -> pd.DataFrame:
    """One row for each learner."""
    return pd.DataFrame(
        [
            {"learner": spot.title}
            | dict(zip(("direct", "direct low", "direct high"), spot.before, strict=True))
            | dict(zip(("after", "after low", "after high"), spot.after, strict=True))
            for spot in found
        ]
    )


def spot_sentence(found: Sequence[Spot], curves: Sequence[Curve]) -> str:
    """Who pays for looking ahead: a start that is worse than the best one beyond the paired interval, a better end."""
    known = [spot for spot in found if np.isfinite([spot.before[0], spot.after[0]]).all()]
    if len(known) < 2:
        return ""
    best = min(known, key=lambda spot: spot.before[0])
    starts = {curve.learner: curve.at(0) for curve in curves}
    groups: dict[str, list[str]] = {"Worse at first beyond the interval": [], "Level with it at first": []}
    for spot in known:
        if spot.after[0] < best.after[0]:
            worse = paired(starts[spot.name], starts[best.name]).low > 0
            where = "Worse at first beyond the interval" if worse else "Level with it at first"
            groups[where].append(f"{spot.title} ({number(spot.before[0])} → {number(spot.after[0])})")
    text = f"**{best.title}** starts best: {number(best.before[0])} → {number(best.after[0])}."
    told = [f"{where} and better in the end: {', '.join(titles)}." for where, titles in groups.items() if titles]
    return " ".join([text, *(told or ["Nobody ends better."])])


def comparisons(
    curves: Sequence[Curve], names: dict[str, str], reference: str, *, ratio: bool = False
) -> tuple[list[Difference], list[str]]:
    """Every learner against the reference after their last steps, and the titles of those that met other tasks."""
    base = next(curve for curve in curves if curve.learner == reference)
    found, others = [], []
    for curve in curves:
        if curve.learner == reference:
            continue
        if curve.tasks != base.tasks:
            others.append(names[curve.learner])
            continue
        pair = paired(curve.losses[..., -1], base.losses[..., -1], ratio=ratio)
        found.append(Difference(curve.learner, names[curve.learner], **asdict(pair)))
    return found, others


def difference_sentence(found: Sequence[Difference], reference: str, *, ratio: bool = False) -> str:
    """Who differs beyond the interval."""
    level = 1.0 if ratio else 0.0
    groups = {
        f"better than {reference} beyond the interval": [row.title for row in found if row.high < level],
        f"worse than {reference} beyond the interval": [row.title for row in found if row.low > level],
        "undecided": [row.title for row in found if not (row.high < level or row.low > level)],
    }
    told = "; ".join(f"{words}: {', '.join(titles)}" for words, titles in groups.items() if titles)
    return f"{told[:1].upper()}{told[1:]}." if told else ""


def hardness_sentence(x: np.ndarray, y: np.ndarray, titles: tuple[str, str]) -> str:
    """Whether what is hard for one learner is hard for the other."""
    found = relation(x, y, shuffles=SHUFFLES)
    wins = float((y < x)[np.isfinite(x) & np.isfinite(y)].mean()) if found.n else float("nan")
    least = 1 / (SHUFFLES + 1)
    p = f"p ≤ {least:.4f}" if found.spearman_p <= least else f"p = {found.spearman_p:.2g}"
    return (
        f"{titles[1]} is better on {wins:.0%} of {found.n:,} tasks. What is hard for one is hard for the other to this "
        f"degree: Spearman ρ = {found.spearman:.2f} (permutation {p}), Pearson r = {found.pearson:.2f}."
    )


def telling(x: np.ndarray, y: np.ndarray) -> dict[str, int]:
    """Tasks worth opening: the best and worst of the first learner, and where the two differ most (as a ratio)."""
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0))
    if not len(kept):
        return {}
    gap = np.abs(np.log(x[kept] / y[kept]))
    order = kept[np.argsort(x[kept])]
    return {
        "largest gap": int(kept[np.argmax(gap)]),
        "best": int(order[0]),
        "middle": int(order[len(order) // 2]),
        "worst": int(order[-1]),
    }


def titles(ensembles: Sequence[Ensemble]) -> dict[str, str]:
    """The learners' names for people, by their registered names."""
    return {e.learner.name: e.learner.title for e in ensembles}
