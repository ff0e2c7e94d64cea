"""The one evaluation: query error after every inner step, with 95 % intervals."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.func import vmap

from engine.learners import Learner, Params
from engine.tasks import Task, TaskDistribution, stream
from engine.trees import tree_map

CHUNK = 250  # tasks at once: bounds memory


def step_errors(learner: Learner, params: Params, tasks: Task, steps: int | None = None) -> Tensor:
    """Query loss of each task before the first inner step and after each one.

    Args:
        learner: any learner.
        params: its meta-parameters (one seed).
        tasks: a batch of N tasks.
        steps: inner steps T; the learner's evaluation steps unless given.

    Returns:
        (N, T + 1).
    """

    def one(task: Task) -> Tensor:
        trajectory = learner.adapt(params, task.support_x, task.support_y, steps)
        losses = [learner.loss(learner.predict(params, state, task.query_x), task.query_y) for state in trajectory]
        return torch.stack(losses)

    with torch.no_grad():
        chunks = [vmap(one)(tree_map(lambda v: v[i : i + CHUNK], tasks)) for i in range(0, len(tasks.query_x), CHUNK)]  # noqa: B023
    return torch.cat(chunks)


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
