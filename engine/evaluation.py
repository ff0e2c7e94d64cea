"""The one evaluation: query error, and accuracy where there are classes, after every inner step; 95 % intervals.

On some tasks an adaptation may run away, and a single one would decide every mean. What counts as that is said here
once, for commands, records and pages (`diverged`): such tasks are counted, left out of means, and never forgotten by
medians (`Estimate`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.execution.batching import over_tasks
from engine.execution.memory import bytes_of
from engine.heads import Head, with_head
from engine.learners import Learner, Params
from engine.losses import ACCURACY, ERROR, Measure, are_values, uninformed
from engine.tasks import Pooled, Task, TaskDistribution, rows_of, stream
from engine.trees import tree_map

CHUNK = 250  # tasks at once: bounds memory
# Of a chunk of tasks whose inputs are gathered for it: on a processor so few that what a layer makes stays below the
# 32 MB from which on the C library hands memory back at once (`engine.processes`), which took as long as computing.
MOST_BYTES, MOST_BYTES_ON_CUDA = 100_000_000, 2_000_000_000
DIVERGED = 100.0  # times the loss of knowing nothing


def knowing_nothing(distribution: TaskDistribution, tasks: Task | Pooled) -> float:
    """The loss of saying 0 everywhere (mean over tasks and queries), or of all classes being equally likely."""
    return uninformed(distribution.spec, tasks.query_y)


def diverged(losses: np.ndarray, nothing: float | np.ndarray) -> np.ndarray:
    """Which adaptations of losses (..., steps) ran away: (...).

    Those whose query loss is not finite at any of the steps given, or after the last of them above 100 times that of
    knowing nothing; one that overshoots and comes back did not. Every evaluation gives all the steps that it looks at;
    a validation looks at the last one alone.
    """
    return np.logical_not(np.isfinite(losses).all(-1) & (losses[..., -1] <= DIVERGED * nothing))


class Scores(NamedTuple):
    """Query losses, and accuracies where the task is classification, of N tasks after 0 ... T steps: (N, T + 1)."""

    losses: Tensor
    accuracies: Tensor | None

    @property
    def measure(self) -> str:
        """What `headline` holds: "mse" or "accuracy"."""
        return self._measure.name

    @property
    def headline(self) -> Tensor:
        """What people compare, (N, T + 1): mean squared errors, or accuracies."""
        return self.losses if self.accuracies is None else self.accuracies

    @property
    def worst(self) -> float:
        """What a task that diverged counts as in a median: an infinite error, or no right answer."""
        return self._measure.worst

    @property
    def _measure(self) -> Measure:
        return ERROR if self.accuracies is None else ACCURACY

    def diverged(self, nothing: float) -> np.ndarray:
        """Which tasks diverged, (N,); `nothing` is the loss of knowing nothing."""
        return diverged(self.losses.double().numpy(), nothing)

    def final(self, nothing: float) -> "Estimate":
        """The headline after the last step, with the tasks that diverged counted."""
        return estimate(self.headline[:, -1].double().numpy(), self.diverged(nothing), worst=self.worst)


def step_scores(
    learner: Learner,
    params: Params,
    tasks: Task | Pooled,
    steps: int | None = None,
    heads: Head | None = None,
    device: str | None = None,
    *,
    last: bool = False,
) -> Scores:
    """How well each task is predicted before the first inner step and after each one.

    Args:
        learner: any learner.
        params: its meta-parameters (one seed).
        tasks: a batch of N tasks.
        steps: inner steps T; the learner's evaluation steps unless given.
        heads: output layers to start from instead of the learned one, one per task (see `engine.heads`).
        device: where to compute, a chunk of tasks at a time; where everything already is unless given.
        last: look at the last step alone.
    """
    classes = not are_values(tasks.query_y)

    def one(task: Task, head: Head | None = None) -> tuple[Tensor, ...]:
        start = params if head is None else with_head(learner, params, head)
        trajectory = learner.adapt(start, task.support_x, task.support_y, steps)
        trajectory = trajectory[-1:] if last else trajectory
        predicted = torch.stack([learner.predict(start, state, task.query_x) for state in trajectory])
        losses = torch.stack([learner.loss(prediction, task.query_y) for prediction in predicted])
        if not classes:
            return (losses,)
        right = (predicted.argmax(-1) == task.query_y) & predicted.isfinite().all(-1)  # the argmax of NaN is no answer
        return losses, right.to(losses).mean(-1)

    params = _on(device, params)
    size = at_once(learner, tasks, CHUNK, steps=steps, device=device)
    batches = (tasks,) if heads is None else (tasks, heads)
    losses, *accuracies = _by_chunks(over_tasks(one, learner), batches, device, size)
    return Scores(losses, accuracies[0] if classes else None)


def final_scores(learner: Learner, params: Params, tasks: Task | Pooled, device: str | None = None) -> Scores:
    """`step_scores` after the last step alone, (N, 1): of images, predicting takes longer than adapting."""
    return step_scores(learner, params, tasks, device=device, last=True)


def final_errors(learner: Learner, params: Params, tasks: Task | Pooled, device: str | None = None) -> Tensor:
    """The last losses of `step_scores`, (N,), without predicting after the steps before: what a validation needs."""

    def one(task: Task) -> Tensor:
        state = learner.adapt(params, task.support_x, task.support_y)[-1]
        return learner.loss(learner.predict(params, state, task.query_x), task.query_y)

    size = at_once(learner, tasks, CHUNK, device=device)
    errors: Tensor = _by_chunks(over_tasks(one, learner), (tasks,), device, size)
    return errors


def at_once(
    learner: Learner,
    tasks: Task | Pooled,
    most: int,
    *,
    steps: int | None = None,
    queries: int | None = None,
    copies: int = 1,
    device: str | None = None,
) -> int:
    """How many of some tasks are adapted to at once: `most`, or fewer of those whose inputs are gathered.

    Args:
        learner: says what a task takes: its network, what stands there, and its rule.
        tasks: the tasks.
        most: as many, where memory allows.
        steps: inner steps; the learner's evaluation steps unless given.
        queries: points that are predicted; those of the query unless given.
        copies: how many seeds adapt side by side.
        device: where; a processor unless given.
    """
    if not isinstance(tasks, Pooled):
        return most
    points = (tasks.support_x.shape[1], queries or tasks.query_x.shape[1])
    steps = learner.evaluation_steps if steps is None else steps
    one = copies * bytes_of(learner, tasks.spec, *points, steps=steps)
    available = MOST_BYTES_ON_CUDA if (device or "").startswith("cuda") else MOST_BYTES
    return min(most, max(1, available // one)) if one else most


def _by_chunks(function: Callable[..., Any], batches: tuple[Any, ...], device: str | None, size: int) -> Any:
    """What a function of a batch of tasks (and their heads) gives for N of them, (N, ...), without gradients.

    With a device, chunks are moved there, and the results to the processor.
    """
    tasks, *others = batches
    chunks = []
    with torch.no_grad():
        for part in (slice(i, i + size) for i in range(0, len(tasks.query_x), size)):
            chunk = (rows_of(tasks, part), *tree_map(lambda v: v[part], others))  # noqa: B023
            chunks.append(function(*_on(device, chunk)))
    return _on(device and "cpu", tree_map(lambda *parts: torch.cat(parts), *chunks))


def _on(device: str | None, tree: Any) -> Any:
    return tree if device is None else tree_map(lambda v: v.to(device), tree)


def held_out_tasks(distribution: TaskDistribution, tasks: int) -> Task:
    """The test tasks: the same for every learner and seed, never seen in training or validation."""
    return distribution.sample(stream("test"), tasks)


def held_out_lazily(distribution: TaskDistribution, tasks: int | None = None) -> Task | Pooled:
    """The same tasks for a test, whose inputs are gathered only when they are needed where they are large.

    As many as the distribution's `test_tasks` unless given; no more than there are different ones: an interval over
    tasks that are met twice would be too narrow.
    """
    wanted = distribution.test_tasks if tasks is None else tasks
    return distribution.lazy(stream("test"), min(wanted, distribution.distinct("test") or wanted))


@dataclass(frozen=True)
class Estimate:
    """A mean and a median over tasks with 95 % intervals (low, high).

    Attributes:
        mean, mean_interval: over the tasks that did not diverge, with a Student t interval; NaN if all did.
        median, median_interval: over all tasks, where those that diverged count as the worst there is (an infinite
            error, an accuracy of 0); the interval comes from order statistics (exact, distribution-free). Both may be
            infinite.
        tasks: how many there were.
        diverged: how many of them diverged.
    """

    mean: float
    mean_interval: tuple[float, float]
    median: float
    median_interval: tuple[float, float]
    tasks: int
    diverged: int

    @property
    def ci95(self) -> float:
        """Half-width of the mean's interval."""
        return (self.mean_interval[1] - self.mean_interval[0]) / 2


def estimate(values: np.ndarray, away: np.ndarray | None = None, *, worst: float = math.inf) -> Estimate:
    """Mean and median of values (N,), one per task, with 95 % intervals over tasks.

    Args:
        values: an error or an accuracy of each task.
        away: which tasks diverged, (N,); those whose value is not finite always did.
        worst: what these count as in the median.
    """
    from scipy import stats  # takes longer to import than most commands need

    values = np.asarray(values, dtype=np.float64)
    gone = ~np.isfinite(values) if away is None else away | ~np.isfinite(values)
    kept, every = np.sort(values[~gone]), np.sort(np.where(gone, worst, values))
    n, mean, half = len(kept), math.nan, math.nan
    if n:
        mean = float(kept.mean())
    if n > 1:
        half = float(stats.t.ppf(0.975, n - 1) * kept.std(ddof=1) / np.sqrt(n))
    low, high = (int(i) for i in stats.binom.ppf([0.025, 0.975], len(every), 0.5))
    median_interval = (float(every[max(low - 1, 0)]), float(every[min(high, len(every) - 1)]))
    return Estimate(
        mean, (mean - half, mean + half), float(np.median(every)), median_interval, len(every), int(gone.sum())
    )


def mean_of_rest(values: np.ndarray, away: np.ndarray) -> list[float]:
    """Means of values (N, ...) over the tasks that did not diverge; NaN if all did."""
    kept = values[~away]
    found: list[float] = kept.mean(0).tolist() if len(kept) else np.full(values.shape[1:], math.nan).tolist()
    return found


def mean_errors(
    learners: Sequence[Learner], params: Params, tasks: Task | Pooled, nothing: float
) -> tuple[list[float], int]:
    """Mean query errors after adaptation, over the tasks on which none of some learners diverges.

    Args:
        learners: they share their meta-parameters.
        params: these (one seed).
        tasks: a batch of N tasks.
        nothing: the loss of knowing nothing.

    Returns:
        A mean for each learner (NaN: there is no such task), and how many tasks are left out.
    """
    losses = torch.stack([final_errors(one, params, tasks) for one in learners], -1).double().cpu().numpy()
    away: np.ndarray = np.any(diverged(losses[..., None], nothing), -1)
    return mean_of_rest(losses, away), int(away.sum())


def left_out(count: int, tasks: int) -> str:
    """What became of the tasks that diverged, in words; "" if none did."""
    if not count:
        return ""
    if count == tasks:
        return f"All {tasks:,} tasks diverged: there is no mean."
    return f"{count:,} of {tasks:,} tasks diverged and {'is' if count == 1 else 'are'} left out of the mean."


def spoken(value: float | None, form: str = ".4f") -> str:
    """A mean or a median, in words where there is none or it is not finite."""
    return "none" if value is None or math.isnan(value) else "infinite" if math.isinf(value) else f"{value:{form}}"
