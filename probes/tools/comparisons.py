r"""Does one learner err less than another? An effect, over what it is sure, and the words that it carries.

Losses of two learners on the same N tasks, S seeds each, are turned into values z (seeds, tasks) whose means differ by
the effect:

    ratio        z = log m_s + (loss / m_s - 1), m_s the mean of seed s over tasks: log ratio of the seeds' mean losses
    task by task z = log loss: log of the geometric mean of the tasks' ratios
    difference   z = loss

Losses are positive and skewed, so that the ratio is the rule. The same effect can speak for two things:

    these trainings           V = s_d^2 / N, d_j the tasks' paired differences, seeds averaged; N - 1 degrees of freedom
    this kind of training     V = s_d^2 / N + s_a^2 / S_a + s_b^2 / S_b, with s_a, s_b the spread of the seeds' means

The second is Welch's t with the tasks as a third part (Welch, 1947; Satterthwaite, 1946): what seeds and tasks do to
each other is counted in both, which can only widen the interval. With three seeds it errs in at most 5 % of the cases
where the learners are about equally steady, and in about 6 % where one is much steadier (`python -m probes simulate`
shows both). One seed tells nothing of other trainings: the second is then not known (NaN). Several comparisons at once
are corrected by Holm's method (Holm, 1979).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from probes.tools.intervals import Interval

LEVEL = 0.05  # two-sided
RATIO, BY_TASK, DIFFERENCE = "ratio", "task by task", "difference"
MEASURES = (RATIO, BY_TASK, DIFFERENCE)
THESE, KIND = "these trainings", "this kind of training"
SCOPES = (THESE, KIND)
Value = Any  # a float, or, in a simulation, an array of floats


@dataclass(frozen=True)
class Effect:
    """An estimate, the parts of its variance, and over what it was taken.

    Attributes:
        estimate: the effect; of ratios, its logarithm.
        parts: (variance, degrees of freedom) of what other seeds would change; empty: of these trainings only.
        task_part: the same of what other tasks would change.
        seeds: of each learner; the smaller number where they differ.
        tasks: that both learners met; 0: from records, where they are not at hand one by one.
        sets: how many sets of runs it is the mean of.
        log: whether it is a logarithm, and shown as its exponential.
    """

    estimate: Value
    parts: tuple[tuple[Value, float], ...]
    task_part: tuple[Value, float] = (0.0, np.inf)
    seeds: int = 1
    tasks: int = 0
    sets: int = 1
    log: bool = False

    @classmethod
    def of(cls, found: Interval) -> "Effect":
        """The effect that an interval of `tools.intervals` tells of: a difference, a cosine, or (log) a ratio."""
        estimate, part = found.mean, (found.error**2, found.freedom)
        if found.log:
            estimate = float(np.log(found.mean)) if found.mean > 0 else float("nan")
        parts, task = ((part,), (0.0, np.inf)) if found.seeds > 1 else ((), part)
        return cls(estimate, parts, task, found.seeds, found.tasks, log=found.log)

    @property
    def variance(self) -> Value:
        """Of the estimate."""
        return self.task_part[0] + sum(part for part, _ in self.parts)

    @property
    def freedom(self) -> Value:
        """Satterthwaite's degrees of freedom; infinite where nothing varies."""
        every = [part for part in (self.task_part, *self.parts) if np.isfinite(part[1])]
        known = np.asarray(sum(part**2 / df for part, df in every), float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(known > 0, self.variance**2 / known, np.inf)[()]

    @property
    def error(self) -> Value:
        """Standard error."""
        return np.sqrt(self.variance)

    @property
    def low(self) -> Value:
        """Lower end of the 95 % interval."""
        return self.estimate - stats.t.ppf(1 - LEVEL / 2, self.freedom) * self.error

    @property
    def high(self) -> Value:
        """Upper end of the 95 % interval."""
        return self.estimate + stats.t.ppf(1 - LEVEL / 2, self.freedom) * self.error

    @property
    def shown(self) -> tuple[float, float, float]:
        """(estimate, low, high) as people read it: of a ratio, the ratio."""
        three = np.array([self.estimate, self.low, self.high], float)
        mean, low, high = np.exp(three) if self.log else three
        return float(mean), float(low), float(high)

    @property
    def these(self) -> "Effect":
        """The same effect of these trainings: sure over other tasks, not over other seeds."""
        return replace(self, parts=())

    @property
    def over(self) -> str:
        """Over what the interval is taken, in words."""
        sets = f", {self.sets} sets of runs" if self.sets > 1 else ""
        tasks = f"{self.tasks:,} tasks" if self.tasks else "tasks"
        trainings = f" and trainings, {_seeds(self.seeds)}" if self.parts else f", {THESE} of {_seeds(self.seeds)}"
        return f"over {tasks}{trainings}{sets}"

    def p(self, level: float = 0.0) -> Value:
        """Two-sided p of an effect at this level; NaN where it is not known."""
        return np.clip(2 * self._beyond(np.abs(self.estimate - level)), 0, 1)

    def p_side(self, sign: int, level: float = 0.0) -> Value:
        """Twice the one-sided p that it lies on this side of a level (1: above), at most 1: below 0.05, it does."""
        return np.clip(2 * self._beyond(sign * (self.estimate - level)), 0, 1)

    def _beyond(self, distance: Value) -> Value:
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.asarray(distance, float) / np.asarray(self.error, float)
        nothing = (np.asarray(self.error) == 0) & (np.asarray(distance) == 0)
        return stats.t.sf(np.where(nothing, 0.0, t), self.freedom)


@dataclass(frozen=True)
class Comparison:
    """A learner beside a reference.

    Attributes:
        effect: below 0 where the learner errs less; over tasks and trainings (see `Effect.these` for the other).
        won: the share of tasks on which the learner's loss, seeds averaged, is the smaller one.
        left_out: tasks that count for neither: a seed of one of the two has no loss there.
    """

    effect: Effect
    won: float
    left_out: int

    def within(self, scope: str) -> Effect:
        """The effect with its interval for `THESE` trainings or for this `KIND` of training."""
        return self.effect.these if scope == THESE else self.effect


def compare(mine: np.ndarray, other: np.ndarray, measure: str = RATIO) -> Comparison:
    """A learner's losses (seeds, tasks) beside its reference's (seeds', tasks) on the same tasks; NaN: no loss."""
    mine, other = np.asarray(mine, float), np.asarray(other, float)
    both = np.concatenate([mine, other])
    kept = np.isfinite(both).all(0) & ((both > 0).all(0) | (measure != BY_TASK))
    mine, other = mine[:, kept], other[:, kept]
    n = int(kept.sum())
    left, seeds = both.shape[1] - n, min(len(mine), len(other))
    if not n or (measure == RATIO and min(mine.mean(1).min(), other.mean(1).min()) <= 0):
        nan = float("nan")
        return Comparison(Effect(nan, ((nan, 1.0),), (nan, 1.0), seeds, n, log=measure != DIFFERENCE), nan, left)
    effect = effect_of(mine, other, measure)
    return Comparison(effect, float((mine.mean(0) < other.mean(0)).mean()), left)


def effect_of(mine: np.ndarray, other: np.ndarray, measure: str = RATIO) -> Effect:
    """The effect of losses (..., seeds, tasks), all there and (but for differences) positive."""
    a, b = (_values(losses, measure) for losses in (mine, other))
    n = a.shape[-1]
    return Effect(
        a.mean((-2, -1)) - b.mean((-2, -1)),
        tuple((_spread(z.mean(-1)), max(z.shape[-2] - 1, 1)) for z in (a, b)),
        (_spread(a.mean(-2) - b.mean(-2)), max(n - 1, 1)),
        min(a.shape[-2], b.shape[-2]),
        n,
        log=measure != DIFFERENCE,
    )


def _values(losses: np.ndarray, measure: str) -> np.ndarray:
    if measure == RATIO:
        mean = losses.mean(-1, keepdims=True)
        return np.log(mean) + losses / mean - 1
    return np.log(losses) if measure == BY_TASK else losses


def _spread(values: np.ndarray) -> Value:
    """The variance of the mean over the last axis; NaN for a single value."""
    n = values.shape[-1]
    return values.var(-1, ddof=1) / n if n > 1 else np.full(values.shape[:-1], np.nan)[()]


def of_change(before: np.ndarray, after: np.ndarray) -> Effect:
    """What a change does to the same trainings on the same tasks: log ratio of mean losses (seeds, tasks).

    Seeds are paired here: the spread is that of each seed's own ratio.
    """
    kept = np.isfinite(before).all(0) & np.isfinite(after).all(0)
    z = _values(after[:, kept], RATIO) - _values(before[:, kept], RATIO)
    seeds, tasks = z.shape
    task = (_spread(z.mean(0)), max(tasks - 1, 1))
    return Effect(float(z.mean()), ((_spread(z.mean(1)), max(seeds - 1, 1)),), task, seeds, tasks, log=True)


def of_seeds(mine: np.ndarray, other: np.ndarray) -> Effect:
    """How much larger one learner's values are than another's, one for each seed, (seeds,): Welch's t."""
    x, y = (np.asarray(values, float)[np.isfinite(values)] for values in (mine, other))
    if not len(x) or not len(y):
        return Effect(float("nan"), ((float("nan"), 1.0),), seeds=0)
    parts = tuple((_spread(values), max(len(values) - 1, 1)) for values in (x, y))
    return Effect(float(x.mean() - y.mean()), parts, seeds=min(len(x), len(y)))


def of_records(mine: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> Effect:
    """The log ratio of two learners' errors, from their seeds' test errors alone: (mean, half width of its interval).

    The half widths are those of 95 % intervals over tasks. That both learners had the same tasks could only narrow the
    interval, and is left out. Not known with a single seed, or an error that has no logarithm.
    """
    runs = [np.array(seeds, float).reshape(-1, 2) for seeds in (mine, other)]
    seeds = min(len(one) for one in runs)
    if not seeds or not all(np.isfinite(one).all() and (one[:, 0] > 0).all() for one in runs):
        return Effect(float("nan"), ((float("nan"), 1.0),), seeds=seeds, log=True)
    return effect_of_records(*((one[:, 0], one[:, 1]) for one in runs))


def effect_of_records(mine: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> Effect:
    """The same of mean errors and half widths (..., seeds)."""
    logs = [np.log(errors) for errors, _ in (mine, other)]
    tasks = sum(np.square(half / stats.norm.ppf(1 - LEVEL / 2) / error).mean(-1) for error, half in (mine, other))
    parts = tuple((_spread(one), max(one.shape[-1] - 1, 1)) for one in logs)
    seeds = min(one.shape[-1] for one in logs)
    return Effect(logs[0].mean(-1) - logs[1].mean(-1), parts, (tasks, np.inf), seeds, log=True)


def pooled(effects: Sequence[Effect]) -> Effect:
    """The unweighted mean of the effects in k sets of runs: it speaks for exactly these sets.

    Seeds of different sets are independent, so that their variances add up to sum(v_i) / k^2. Sets share their test
    tasks: what other tasks would change is taken to be fully shared, (mean of the standard errors)^2.
    """
    k = len(effects)
    parts = tuple((part / k**2, df) for one in effects for part, df in one.parts)
    task = np.square(sum(np.sqrt(one.task_part[0]) for one in effects) / k)
    return Effect(
        sum(one.estimate for one in effects) / k,
        parts,
        (task, min(one.task_part[1] for one in effects)),
        min(one.seeds for one in effects),
        min(one.tasks for one in effects),
        sum(one.sets for one in effects),
        effects[0].log,
    )


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """p-values (..., comparisons) corrected for being several: no call is wrong in 95 % of such families.

    The smallest is multiplied by their number, the next by one less, and so on, without ever falling. Unknown ones
    (NaN) stay unknown and are not counted.
    """
    p = np.asarray(p, float)
    order = np.argsort(p, -1)  # NaN last
    times = np.arange(p.shape[-1]) * -1 + np.isfinite(p).sum(-1, keepdims=True)
    scaled = np.maximum.accumulate(np.take_along_axis(p, order, -1) * np.maximum(times, 1), -1)
    found = np.empty_like(p)
    np.put_along_axis(found, order, np.minimum(scaled, 1.0), -1)
    return found


def sides(effects: Sequence[Effect], level: float = 0.0) -> list[int]:
    """Of several comparisons at once, corrected by Holm: 1: the effect lies above a level, -1: below, 0: undecided."""
    corrected = holm([one.p(level) for one in effects])
    return [int(np.sign(one.estimate - level)) if p <= LEVEL else 0 for one, p in zip(effects, corrected, strict=True)]


def level_with_best(losses: Sequence[np.ndarray], measure: str = RATIO) -> tuple[int, list[int]]:
    """Which of several learners has the lowest mean loss, and which of the others cannot be told from it.

    The best is chosen after looking, so that its comparisons are corrected for all pairs of learners (Bonferroni).

    Args:
        losses: (seeds, tasks) each, on the same tasks; NaN: no loss.
        measure: by which two are compared.

    Returns:
        Its place, and the places of the learners that are level with it, over tasks and trainings.
    """
    means = [float(x[:, kept].mean()) if (kept := np.isfinite(x).all(0)).any() else np.inf for x in losses]
    best, pairs = int(np.argmin(means)), len(losses) * (len(losses) - 1) // 2
    p = [compare(x, losses[best], measure).effect.p() for x in losses]
    return best, [i for i in range(len(losses)) if i != best and np.isfinite(means[i]) and not pairs * p[i] <= LEVEL]


def _seeds(n: int) -> str:
    return f"{n} seed{'s' * (n != 1)} each"
