r"""How sure is a mean over tasks and seeds? 95 % intervals.

Losses of S seeds on the same N tasks are each a mean + an effect of the seed + an effect of the task + a rest.
With the mean squares of the two-way table, MS_task, MS_seed and MS_rest, the mean over all of it has the variance

    V = (max(MS_task, MS_rest) + max(MS_seed, MS_rest) - MS_rest) / (S N)

which, with Student's t at Satterthwaite's degrees of freedom, gives an interval for other tasks *and* other trainings
(Satterthwaite, 1946; Cornfield & Tukey, 1956). Losses are positive and skewed, so that it is taken of the logarithm
(delta method): mean x exp(+- t sqrt(V) / mean). One seed says nothing of other trainings: the interval is then over
tasks alone. Two learners beside each other: see `probes.tools.comparisons`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.975


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval (NaN where there is too little to tell).

    Attributes:
        mean, low, high: of the values.
        tasks, seeds: over how many; one seed: over tasks alone.
        error, freedom: the standard error and its degrees of freedom, of the logarithm if `log`.
        log: whether the interval was taken of the logarithm.
    """

    mean: float
    low: float
    high: float
    tasks: int
    seeds: int
    error: float = float("nan")
    freedom: float = float("nan")
    log: bool = False


def whole(losses: np.ndarray) -> np.ndarray:
    """Losses (seeds, tasks) without the tasks on which any seed has none (NaN)."""
    return losses[:, np.isfinite(losses).all(0)]


def over_tasks_and_seeds(losses: np.ndarray) -> Interval:
    """The mean of positive losses (seeds, tasks), with an interval for other tasks and other seeds; NaN: no loss."""
    return _over_both(losses, log=True)


def of_any_sign(values: np.ndarray) -> Interval:
    """The same for values (seeds, tasks) that may be negative, such as cosines: mean +- t sqrt(V), no logarithm."""
    return _over_both(values, log=False)


def _over_both(values: np.ndarray, log: bool) -> Interval:
    x = whole(np.asarray(values, float))
    seeds, tasks = x.shape
    mean = float(x.mean()) if x.size else float("nan")
    if tasks < 2 or (log and mean <= 0):
        return Interval(mean, float("nan"), float("nan"), tasks, seeds, log=log)
    variance, freedom = _two_way(x)
    error = float(np.sqrt(variance)) / (mean if log else 1.0)
    half = float(stats.t.ppf(LEVEL, freedom)) * error
    ends = (mean * float(np.exp(-half)), mean * float(np.exp(half))) if log else (mean - half, mean + half)
    return Interval(mean, *ends, tasks, seeds, error, freedom, log)


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


def over_seeds(values: np.ndarray) -> Interval:
    """The mean of one value per seed, (seeds,), of any sign, with Student's interval for other seeds."""
    x = np.asarray(values, float)
    x = x[np.isfinite(x)]
    mean, n = float(x.mean()) if len(x) else float("nan"), len(x)
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), 0, n)
    error = float(x.std(ddof=1)) / float(np.sqrt(n))
    half = float(stats.t.ppf(LEVEL, n - 1)) * error
    return Interval(mean, mean - half, mean + half, 0, n, error, n - 1)
