"""The one evaluation: query error, and accuracy where there are classes, after every inner step; 95 % intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.func import vmap

from engine.heads import Head, with_head
from engine.learners import Learner, Params
from engine.tasks import Task, TaskDistribution, stream
from engine.trees import tree_map

CHUNK = 250  # tasks at once: bounds memory


class Scores(NamedTuple):
    """Query losses, and accuracies where the task is classification, of N tasks after 0 ... T steps: (N, T + 1)."""

    losses: Tensor
    accuracies: Tensor | None

    @property
    def measure(self) -> str:
        """What `headline` holds: "mse" or "accuracy"."""
        return "mse" if self.accuracies is None else "accuracy"

    @property
    def headline(self) -> Tensor:
        """What people compare, (N, T + 1): mean squared errors, or accuracies."""
        return self.losses if self.accuracies is None else self.accuracies


def step_scores(
    learner: Learner,
    params: Params,
    tasks: Task,
    steps: int | None = None,
    heads: Head | None = None,
    device: str | None = None,
) -> Scores:
    """How well each task is predicted before the first inner step and after each one.

    Args:
        learner: any learner.
        params: its meta-parameters (one seed).
        tasks: a batch of N tasks.
        steps: inner steps T; the learner's evaluation steps unless given.
        heads: output layers to start from instead of the learned one, one per task (see `engine.heads`).
        device: where to compute, a chunk of tasks at a time; where everything already is unless given.
    """
    classes = not tasks.query_y.is_floating_point()

    def one(task: Task, head: Head | None = None) -> tuple[Tensor, ...]:
        start = params if head is None else with_head(params, head)
        trajectory = learner.adapt(start, task.support_x, task.support_y, steps)
        predicted = torch.stack([learner.predict(start, state, task.query_x) for state in trajectory])
        losses = torch.stack([learner.loss(prediction, task.query_y) for prediction in predicted])
        return (losses, (predicted.argmax(-1) == task.query_y).to(losses).mean(-1)) if classes else (losses,)

    params = _on(device, params)
    losses, *accuracies = _by_chunks(one, (tasks,) if heads is None else (tasks, heads), device)
    return Scores(losses, accuracies[0] if classes else None)


def step_errors(learner: Learner, params: Params, tasks: Task, steps: int | None = None) -> Tensor:
    """The query losses of `step_scores` alone, (N, T + 1)."""
    return step_scores(learner, params, tasks, steps).losses


def final_errors(learner: Learner, params: Params, tasks: Task) -> Tensor:
    """The last column of `step_errors`, (N,), without predicting after the steps before: what a validation needs."""

    def one(task: Task) -> Tensor:
        state = learner.adapt(params, task.support_x, task.support_y)[-1]
        return learner.loss(learner.predict(params, state, task.query_x), task.query_y)

    errors: Tensor = _by_chunks(one, (tasks,))
    return errors


def _by_chunks(function: Callable[..., Any], batches: tuple[Any, ...], device: str | None = None) -> Any:
    """What a function of one task (and its head) gives for N of them, (N, ...), without gradients.

    With a device, chunks are moved there, and the results to the processor.
    """
    starts = range(0, len(batches[0].query_x), CHUNK)
    with torch.no_grad():
        chunks = [vmap(function)(*_on(device, tree_map(lambda v: v[i : i + CHUNK], batches))) for i in starts]  # noqa: B023
    return _on(device and "cpu", tree_map(lambda *parts: torch.cat(parts), *chunks))


def _on(device: str | None, tree: Any) -> Any:
    return tree if device is None else tree_map(lambda v: v.to(device), tree)


def held_out_tasks(distribution: TaskDistribution, tasks: int) -> Task:
    """The test tasks: the same for every learner and seed, never seen in training or validation."""
    return distribution.sample(stream("test"), tasks)


@dataclass(frozen=True)
class Estimate:
    """A mean and a median with 95 % intervals (low, high).

    The mean's is a Student t interval; the median's comes from order statistics (exact, distribution-free).
    """

    mean: float
    mean_interval: tuple[float, float]
    median: float
    median_interval: tuple[float, float]

    @property
    def ci95(self) -> float:
        """Half-width of the mean's interval."""
        return (self.mean_interval[1] - self.mean_interval[0]) / 2


def estimate(values: np.ndarray) -> Estimate:
    """Mean and median of values (N,), one per task, with 95 % intervals over tasks."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    n = len(values)
    mean, half = float(values.mean()), float("nan")
    if n > 1:
        half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    low, high = (int(i) for i in stats.binom.ppf([0.025, 0.975], n, 0.5))
    median_interval = (float(values[max(low - 1, 0)]), float(values[min(high, n - 1)]))
    return Estimate(mean, (mean - half, mean + half), float(np.median(values)), median_interval)
