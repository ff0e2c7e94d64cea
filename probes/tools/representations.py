"""What the probes of features share: stated inputs, stated tasks, and what every hidden layer makes of them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.learners import Learner, Params
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task, TaskDistribution, stream
from probes.tools.batches import each_task

BEFORE, AFTER = "before", "after"
PREDICTION = "prediction"


def inputs(distribution: TaskDistribution, points: int) -> Tensor:
    """The inputs at which features are looked at: an even grid over the range of single numbers, else drawn queries.

    They depend on the distribution's kind of input alone, so all learners are asked at the same ones.
    """
    if distribution.span:
        return torch.linspace(*distribution.span, points).unsqueeze(-1)
    drawn = distribution.lazy(stream("page", 8), points)
    first = drawn.query_x[:, 0]
    return drawn.pool.at(first) if isinstance(drawn, Pooled) else first


def tasks_of(distribution: TaskDistribution, tasks: int) -> tuple[Task, dict[str, np.ndarray]]:
    """Held-out tasks, the same for all learners, with the hidden numbers in which they differ, (tasks,) each.

    All at once, with all their inputs: of functions of one number. Others are drawn lazily.
    """
    drawn = distribution.draw(stream("test"), tasks)
    return drawn.task, {name: drawn.hidden[name].double().numpy() for name in hidden_numbers(distribution)}


def tasks_lazily(distribution: TaskDistribution, tasks: int) -> tuple[Task | Pooled, dict[str, np.ndarray]]:
    """The same, with inputs that are gathered when they are needed where they are large and nothing is hidden."""
    if hidden_numbers(distribution):
        return tasks_of(distribution, tasks)
    return distribution.lazy(stream("test"), tasks), {}


def truths(distribution: TaskDistribution, tasks: int, x: Tensor) -> np.ndarray | None:
    """The true functions of the same tasks at inputs x (points, 1): (tasks, points) float64; None if unknown."""
    truth = distribution.draw(stream("test"), tasks).truth
    return None if truth is None else truth(x.double().unsqueeze(0))[..., 0].numpy()


@lru_cache(maxsize=64)
def hidden_numbers(distribution: TaskDistribution) -> tuple[str, ...]:
    """The hidden numbers in which tasks of a distribution differ, by name: one for each task."""
    hidden = distribution.draw(stream("page"), 2).hidden
    return tuple(name for name, of in hidden.items() if of.shape == (2,) and bool(of[0] != of[1]))


@lru_cache(maxsize=64)
def has_truth(distribution: TaskDistribution) -> bool:
    """Whether the true functions of its tasks are known everywhere."""
    return distribution.draw(stream("page"), 1).truth is not None


def untrained(ensemble: Ensemble) -> Params:
    """The control: each run's meta-parameters as they were drawn for its seed, before any training."""
    return as_drawn(ensemble).params


def as_drawn(ensemble: Ensemble) -> Ensemble:
    """The same control as runs, for probes that take an ensemble."""
    spec = ensemble.distribution.spec
    drawn = [ensemble.learner.init(stream("init", run.seed), spec) for run in ensemble.runs]
    return Ensemble(tuple(replace(run, params=params) for run, params in zip(ensemble.runs, drawn, strict=True)))


def represent(
    learner: Learner,
    params: Params,
    tasks: Task | Pooled,
    x: Tensor,
    steps: Sequence[int],
    *,
    predictions: bool = False,
) -> dict[str, np.ndarray]:
    """Every hidden layer at inputs x, for each seed, task and inner step.

    Args:
        learner: any learner.
        params: its meta-parameters with a leading axis of seeds.
        tasks: a batch of tasks; only their supports are looked at.
        x: inputs (Q, *input_shape).
        steps: inner steps of the learner, negative ones from the end.
        predictions: give what the learner says as well, as the layer `PREDICTION`.

    Returns:
        (seeds, tasks, len(steps), Q, d) float64 by the name of the layer, in the order of the layers.
    """

    def one(params: Params, task: Task) -> dict[str, Tensor]:
        trajectory = learner.adapt(params, task.support_x, task.support_y)
        rows: list[dict[str, Any]] = []
        for state in (trajectory[step] for step in steps):
            said = {PREDICTION: learner.predict(params, state, x)} if predictions else {}
            rows.append({**learner.features(params, state, x), **said})
        return {layer: torch.stack([row[layer] for row in rows]) for layer in rows[0]}

    found = each_task(one, learner, params, tasks, queries=len(x))
    return {layer: value.double().numpy() for layer, value in found.items()}
