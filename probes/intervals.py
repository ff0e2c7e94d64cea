r"""How sure is a mean over tasks and seeds, and a difference between two learners? 95 % intervals.

Losses of S seeds on the same N tasks are each a mean + an effect of the seed + an effect of the task + a rest.
With the mean squares of the two-way table, MS_task, MS_seed and MS_rest, the mean over all of it has the variance

    V = (max(MS_task, MS_rest) + max(MS_seed, MS_rest) - MS_rest) / (S N)

which, with Student's t at Satterthwaite's degrees of freedom, gives an interval for other tasks *and* other trainings
(Satterthwaite, 1946; Cornfield & Tukey, 1956). Losses are positive and skewed, so that it is taken of the logarithm
(delta method): mean x exp(+- t sqrt(V) / mean). One seed says nothing of other trainings: the interval is then over
tasks alone. Differences between two learners are paired: the seeds are averaged within each task, and Student's t over
the N differences gives the interval, for these trainings and other tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.975


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval (NaN where there is too little to tell), over `tasks` tasks and `seeds` seeds."""

    mean: float
    low: float
    high: float
    tasks: int
    seeds: int


@dataclass(frozen=True)
class Paired:
    """A learner less (or divided by) its reference on the same tasks.

    Attributes:
        mean, low, high: of the difference (or ratio), with its 95 % interval over tasks.
        won: the share of tasks on which the learner's loss is the smaller one.
        tasks: how many tasks both learners have a loss on.
    """

    mean: float
    low: float
    high: float
    won: float
    tasks: int


def whole(losses: np.ndarray) -> np.ndarray:
    """Losses (seeds, tasks) without the tasks on which any seed has none (NaN)."""
    return losses[:, np.isfinite(losses).all(0)]


def over_tasks_and_seeds(losses: np.ndarray) -> Interval:
    """The mean of positive losses (seeds, tasks), with an interval for other tasks and other seeds; NaN: no loss."""
    x = whole(np.asarray(losses, float))
    mean = float(x.mean()) if x.size else float("nan")
    if x.shape[1] < 2:
        return Interval(mean, float("nan"), float("nan"), x.shape[1], x.shape[0])
    return Interval(mean, *_log_t(mean, *_two_way(x)), x.shape[1], x.shape[0])


def of_any_sign(values: np.ndarray) -> Interval:
    """The same for values (seeds, tasks) that may be negative, such as cosines: mean +- t sqrt(V), no logarithm."""
    x = whole(np.asarray(values, float))
    mean = float(x.mean()) if x.size else float("nan")
    if x.shape[1] < 2:
        return Interval(mean, float("nan"), float("nan"), x.shape[1], x.shape[0])
    return Interval(mean, *_t(mean, *_two_way(x)), x.shape[1], x.shape[0])


def _two_way(x: np.ndarray) -> tuple[float, float]:
    """The variance V of the mean of x (seeds, tasks >= 2) and its degrees of freedom; one seed: over tasks alone."""
    s, n = x.shape
    mean, by_task, by_seed = x.mean(), x.mean(0), x.mean(1)
    if s < 2:
        return float(by_task.var(ddof=1)) / n, n - 1
    df = np.array([n - 1, s - 1, (n - 1) * (s - 1)], float)
    rest = x - by_task - by_seed[:, None] + mean
    squares = s * np.square(by_task - mean).sum(), n * np.square(by_seed - mean).sum(), np.square(rest).sum()
    task, seed, other = np.array(squares) / df
    parts = np.array([max(task, other), max(seed, other), -other])
    if seed <= other:  # no sign of an effect of the seed: its part and that of the rest cancel
        parts, df = parts[:1], df[:1]
    elif task <= other:
        parts, df = parts[1:2], df[1:2]
    variance = float(parts.sum()) / (s * n)
    freedom = parts.sum() ** 2 / (np.square(parts) / df).sum() if variance > 0 else df[0]
    return variance, float(freedom)


def paired(losses: np.ndarray, reference: np.ndarray, *, ratio: bool = False) -> Paired:
    """A learner's losses (seeds, tasks) less its reference's (seeds', tasks) on the same tasks; NaN: no loss.

    With `ratio`, divided by them: the geometric mean of the tasks' ratios, from the differences of logarithms.
    """
    mine, other = np.asarray(losses, float).mean(0), np.asarray(reference, float).mean(0)
    known = np.isfinite(mine) & np.isfinite(other) & (((mine > 0) & (other > 0)) | (not ratio))
    difference = np.log(mine[known]) - np.log(other[known]) if ratio else mine[known] - other[known]
    n = len(difference)
    if not n:
        return Paired(*(float("nan"),) * 4, 0)
    mean, won = float(difference.mean()), float((difference < 0).mean())
    variance = float(difference.var(ddof=1)) / n if n > 1 else float("nan")
    low, high = _t(mean, variance, n - 1)
    if ratio:
        mean, low, high = (float(np.exp(value)) for value in (mean, low, high))
    return Paired(mean, low, high, won, n)


def of_runs(mine: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> Interval:
    """How many times another learner's error a learner's is, from its seeds' test errors alone: (mean, half width).

    The half widths are those of 95 % intervals over tasks. The interval is for other seeds (Welch's t of the
    logarithms) and other tasks; that both learners had the same ones could only narrow it, and is left out. NaN with a
    single seed.

    Returns:
        The ratio of the geometric means; `tasks` is 0: how many there were is not looked at.
    """
    logs, variances, freedoms, tasks = [], [], [], 0.0
    for runs in (mine, other):
        errors, halves = np.array(runs, float).reshape(-1, 2).T
        if len(errors) < 2 or not (errors > 0).all():
            return Interval(float("nan"), float("nan"), float("nan"), 0, len(errors))
        logs.append(float(np.log(errors).mean()))
        variances.append(float(np.log(errors).var(ddof=1)) / len(errors))
        freedoms.append(len(errors) - 1)
        tasks += float(np.square(halves / stats.norm.ppf(LEVEL) / errors).mean())
    variance, parts = sum(variances) + tasks, np.square(variances) / freedoms
    freedom = variance**2 / parts.sum() if parts.sum() > 0 else np.inf
    low, high = _t(logs[0] - logs[1], variance, min(freedom, 1e6))
    ratio = float(np.exp(logs[0] - logs[1]))
    return Interval(ratio, float(np.exp(low)), float(np.exp(high)), 0, min(len(mine), len(other)))


def over_seeds(values: np.ndarray) -> Interval:
    """The mean of one value per seed, (seeds,), of any sign, with Student's interval for other seeds."""
    x = np.asarray(values, float)
    x = x[np.isfinite(x)]
    mean, n = float(x.mean()) if len(x) else float("nan"), len(x)
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), 0, n)
    return Interval(mean, *_t(mean, float(x.var(ddof=1)) / n, n - 1), 0, n)


def _log_t(mean: float, variance: float, freedom: float) -> tuple[float, float]:
    """Student's interval of the logarithm of a positive mean, as an interval of the mean."""
    if mean <= 0:
        return float("nan"), float("nan")
    low, high = _t(0.0, variance / mean**2, freedom)
    return mean * float(np.exp(low)), mean * float(np.exp(high))


def _t(mean: float, variance: float, freedom: float) -> tuple[float, float]:
    half = float(stats.t.ppf(LEVEL, freedom) * np.sqrt(variance))
    return mean - half, mean + half
