"""What the page Learning behaviour shows, as tables and sentences: answers of the probes in, plain values out."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from dashboard.figures.behaviour import Difference, Line, Spot
from dashboard.widgets.numbers import number, percent
from probes.questions.behaviour import Curve
from probes.tools.comparisons import DIFFERENCE, KIND, LEVEL, RATIO, THESE, compare, holm, level_with_best
from probes.tools.intervals import Interval, of_any_sign, over_tasks_and_seeds
from probes.tools.statistics import relation

SHUFFLES = 1999
MEAN, SPREAD = "interval of the mean", "95 % of the tasks"
BANDS = (MEAN, SPREAD)


def by_accuracy(curves: Sequence[Curve]) -> bool:
    """Whether learners are compared by accuracies, of which more is better; otherwise by losses."""
    return all(curve.accuracies is not None for curve in curves)


def interval_of(scores: np.ndarray, *, accuracy: bool) -> Interval:
    """The mean of scores (seeds, tasks) with its interval: losses are skewed, accuracies are not and may be 0."""
    return of_any_sign(scores) if accuracy else over_tasks_and_seeds(scores)


def band(scores: np.ndarray, kind: str, *, accuracy: bool = False) -> tuple[float, float, float]:
    """Mean, low and high of scores (seeds, tasks): the interval of the mean, or the middle 95 % of all values."""
    found = interval_of(scores, accuracy=accuracy)
    if kind == MEAN:
        return found.mean, found.low, found.high
    every = scores[np.isfinite(scores)]
    low, high = np.quantile(every, [0.025, 0.975]) if len(every) else (np.nan, np.nan)
    return found.mean, float(low), float(high)


def lines(curves: Sequence[Curve], names: dict[str, str], kind: str) -> list[Line]:
    """The curves with their bands."""
    found = []
    for curve in curves:
        bands = [band(curve.scores[..., i], kind, accuracy=by_accuracy([curve])) for i in range(len(curve.steps))]
        mean, low, high = np.array(bands).T
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
    """Who starts best, who ends best, from whom that cannot be told apart, and who ran away."""
    accuracy, best = by_accuracy(curves), best_of(curves)
    ends = {c.learner: [interval_of(c.scores[..., i], accuracy=accuracy).mean for i in (0, -1)] for c in curves}
    sign = -1 if accuracy else 1
    start, end = (min(ends, key=lambda name, i=i: np.nan_to_num(sign * ends[name][i], nan=np.inf)) for i in (0, 1))
    before, after = ends[end]
    first = f"**{names[start]}** has the {best} before any step ({number(ends[start][0])}), "
    if start == end:
        first = f"**{names[end]}** has the {best} before any step ({number(before)}) and after the last one: "
        first += f"{number(after)}."
    else:
        first += f"**{names[end]}** after its last one: from {number(before)} to {number(after)}."
    tasks = next(curve.tasks for curve in curves if curve.learner == end)
    same = [curve for curve in curves if curve.tasks == tasks]
    level = level_sentence(
        [curve.scores[..., -1] for curve in same], [names[curve.learner] for curve in same], accuracy=accuracy
    )
    away = ran_away(names, ((c.learner, int(c.diverged.sum()), c.diverged.size) for c in curves))
    return " ".join(part for part in (first, level, away) if part)


def best_of(curves: Sequence[Curve]) -> str:
    """What the best of several learners has."""
    return "highest mean accuracy" if by_accuracy(curves) else "lowest mean loss"


def level_with(scores: Sequence[np.ndarray], *, accuracy: bool) -> tuple[int, list[int]]:
    """The place of the best of scores (seeds, tasks), and the places of those that cannot be told from it."""
    return level_with_best([-one for one in scores], DIFFERENCE) if accuracy else level_with_best(scores)


def level_sentence(scores: Sequence[np.ndarray], titles: Sequence[str], *, accuracy: bool) -> str:
    """Who cannot be told from the learner with the best mean of scores (seeds, tasks)."""
    if len(scores) < 2:
        return ""
    best, level = level_with(scores, accuracy=accuracy)
    n = len(scores) * (len(scores) - 1) // 2
    who = (
        f"Not to be told from {titles[best]} there: {', '.join(titles[i] for i in level)}"
        if level
        else f"No other is level with {titles[best]} there"
    )
    return f"{who} ({sure_over(n, of='pairs')})."


def spots(curves: Sequence[Curve], names: dict[str, str], step: int | None) -> list[Spot]:
    """The direct score and that after a step (None: each learner's last one)."""
    found = []
    for curve in curves:
        before, after = curve.at(0), curve.at(int(curve.steps[-1]) if step is None else step)
        seeds = [
            (seed, float(np.nanmean(b)), float(np.nanmean(a)))
            for seed, b, a in zip(curve.seeds, before, after, strict=True)
            if np.isfinite(b).any()
        ]
        two = [triple(interval_of(scores, accuracy=by_accuracy([curve]))) for scores in (before, after)]
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
    """Who pays for looking ahead: a start that is worse than the best one, by the trainings too, and a better end."""
    known = [spot for spot in found if np.isfinite([spot.before[0], spot.after[0]]).all()]
    if len(known) < 2:
        return ""
    starts, accuracy = {curve.learner: curve.at(0) for curve in curves}, by_accuracy(curves)
    place, level = level_with([starts[spot.name] for spot in known], accuracy=accuracy)
    best, sign = known[place], -1 if accuracy else 1
    text = f"**{best.title}** has the {best_of(curves)} at the start: {number(best.before[0])} → "
    text += f"{number(best.after[0])}."
    told = []
    for worse, words in ((True, "after a worse start"), (False, "after a start that cannot be told from its")):
        titles = [
            f"{spot.title} ({number(spot.before[0])} → {number(spot.after[0])})"
            for i, spot in enumerate(known)
            if sign * spot.after[0] < sign * best.after[0] and i != place and (i not in level) == worse
        ]
        if titles:
            told.append(f"{'Higher' if accuracy else 'Lower'} in the end, {words}: {', '.join(titles)}.")
    pairs = len(known) * (len(known) - 1) // 2
    nobody = f"Nobody has a {'higher' if accuracy else 'lower'} mean in the end."
    return " ".join([text, *(told or [nobody]), f"(Starts: {sure_over(pairs, KIND, 'pairs')}.)"])


def comparisons(
    curves: Sequence[Curve], names: dict[str, str], reference: str, measure: str = RATIO, scope: str = KIND
) -> tuple[list[Difference], list[str]]:
    """Every learner beside the reference after their last steps, and the titles of those that met other tasks."""
    base = next(curve for curve in curves if curve.learner == reference)
    rest = [curve for curve in curves if curve.learner != reference]
    found = [
        difference(curve, base, names[curve.learner], measure, scope) for curve in rest if curve.tasks == base.tasks
    ]
    return corrected(found), [names[curve.learner] for curve in rest if curve.tasks != base.tasks]


def difference(curve: Curve, base: Curve, title: str, measure: str = RATIO, scope: str = KIND) -> Difference:
    """One comparison after the last steps, by itself: the p-value is not corrected, nothing is decided.

    Accuracies are compared by their difference.
    """
    accuracy = by_accuracy([curve, base])
    sign, measure = (-1, DIFFERENCE) if accuracy else (1, measure)
    pair = compare(sign * curve.scores[..., -1], sign * base.scores[..., -1], measure)
    effect = pair.within(scope)
    mean, low, high = (-end for end in (effect.shown[0], *effect.shown[:0:-1])) if accuracy else effect.shown
    p, ratio = float(effect.p()), measure != DIFFERENCE
    of = (pair.won, effect.tasks, effect.seeds)
    return Difference(curve.learner, title, mean, low, high, *of, p, 0, ratio, higher=accuracy)


def corrected(found: Sequence[Difference]) -> list[Difference]:
    """The comparisons that are looked at together: p-values corrected by Holm, and the sides they decide."""
    every = holm([row.p for row in found])
    return [
        replace(row, p=float(p), side=0 if not p <= LEVEL else -1 if row.better else 1)
        for row, p in zip(found, every, strict=True)
    ]


def difference_rows(found: Sequence[Difference]) -> pd.DataFrame:
    """One row for each learner."""
    words = {-1: "better", 1: "worse", 0: "undecided"}
    return pd.DataFrame(
        [
            {
                "learner": row.title,
                "ratio" if row.ratio else "difference": row.mean,
                "low": row.low,
                "high": row.high,
                "better on": row.won,
                "tasks": row.tasks,
                "seeds": row.seeds,
                "corrected p": row.p,
                "decided": words[row.side],
            }
            for row in found
        ]
    )


def difference_sentence(found: Sequence[Difference], reference: str, scope: str = KIND) -> str:
    """Who differs, by the interval over tasks and trainings or, said so, of these trainings only."""
    alone = [row for row in found if not np.isfinite(row.p)]
    groups = {
        f"better than {reference}": [row.title for row in found if row.side < 0],
        "worse": [row.title for row in found if row.side > 0],
        "undecided": [row.title for row in found if not row.side and row not in alone],
        "one seed, which tells nothing of other trainings": [row.title for row in alone],
    }
    told = "; ".join(f"{words}: {', '.join(titles)}" for words, titles in groups.items() if titles)
    sure = sure_over(1, scope)
    corrected_for = f" Corrected for {len(found)} comparisons (Holm)." if len(found) > 1 else ""
    return f"{sure[:1].upper()}{sure[1:]}, {told}.{corrected_for}" if told else ""


def sure_over(n: int, scope: str = KIND, of: str = "comparisons") -> str:
    """Over what words are sure, and how many comparisons share the 5 %."""
    sure = "over tasks and trainings" if scope == KIND else f"over tasks, for {THESE} alone"
    how = " by Holm's method" if of == "comparisons" else ""
    return f"{sure}, corrected for {n} {of}{how}" if n > 1 else sure


def hardness_sentence(x: np.ndarray, y: np.ndarray, titles: tuple[str, str], *, accuracy: bool = False) -> str:
    """Whether what is hard for one learner is hard for the other."""
    found = relation(x, y, shuffles=SHUFFLES)
    better = y > x if accuracy else y < x
    wins = float(better[np.isfinite(x) & np.isfinite(y)].mean()) if found.n else float("nan")
    least = 1 / (SHUFFLES + 1)
    p = f"p ≤ {least:.4f}" if found.spearman_p <= least else f"p = {number(found.spearman_p)}"
    return (
        f"These trainings of {titles[1]} are better on {percent(wins)} of {found.n:,} tasks. What is hard for one is "
        f"hard for the other to this degree: Spearman ρ = {found.spearman:.2f} (permutation {p}), Pearson r = "
        f"{found.pearson:.2f}."
    )


def telling(x: np.ndarray, y: np.ndarray, *, accuracy: bool = False) -> dict[str, int]:
    """Tasks worth opening: the best and worst of the first learner, and where the two differ most.

    Losses differ as a ratio, accuracies by their difference.
    """
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & (accuracy | ((x > 0) & (y > 0))))
    if not len(kept):
        return {}
    gap = np.abs(x[kept] - y[kept]) if accuracy else np.abs(np.log(x[kept] / y[kept]))
    order = kept[np.argsort(-x[kept] if accuracy else x[kept])]
    return {
        "largest gap": int(kept[np.argmax(gap)]),
        "best": int(order[0]),
        "middle": int(order[len(order) // 2]),
        "worst": int(order[-1]),
    }
