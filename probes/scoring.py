"""What the probes of behaviour share: query losses of all seeds on many tasks, and what counts as diverged."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from engine.ensembles import Ensemble
from engine.heads import Head, with_head
from engine.learners import Params
from engine.tasks import Task, TaskDistribution
from engine.trees import tree_map
from probes.asking import Progress, silent

CHUNK = 40  # tasks at once: what an inner step touches stays in the processor's caches
DIVERGED = 100.0  # times the loss of knowing nothing


def stops(last: int, also: Iterable[int] = ()) -> list[int]:
    """The inner steps worth a stop from 0 to `last`: the first ten one by one, then ever fewer, and those in `also`."""
    return sorted(step for step in {*range(11), 15, 20, 30, 40, 50, 75, last, *also} if 0 <= step <= last)


def query_losses(
    ensemble: Ensemble,
    tasks: Task,
    steps: Sequence[int],
    *,
    heads: Head | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """The query loss of every seed on every task after each of the given inner steps.

    All seeds of a chunk of tasks adapt at once, and only the present state is kept.

    Args:
        ensemble: the seeds of a learner.
        tasks: a batch of N tasks.
        steps: inner steps in ascending order.
        heads: output layers to start from instead of the learned ones, with axes (N, seeds, ...).
        progress: told the share that is done.

    Returns:
        (seeds, N, len(steps)) float64.
    """
    learner, params = ensemble.learner, ensemble.params
    wanted = set(steps)

    def one(task: Task, head: Head | None = None) -> Tensor:
        start: Params = params if head is None else with_head(params, head)
        state = learner.start(start, task.support_x, task.support_y)
        losses = []
        for step in range(max(wanted) + 1):
            if step:
                state = learner.step(start, state, task.support_x, task.support_y)
            if step in wanted:
                loss = learner.loss(learner.predict(start, state, task.query_x), task.query_y)
                losses.append(loss.expand(len(ensemble.runs)))  # a start without parameters is the same for all seeds
        return torch.stack(losses, -1)  # (seeds, steps)

    arguments = (tasks,) if heads is None else (tasks, heads)
    chunks, n = [], len(tasks.query_x)
    with torch.no_grad():
        for i in range(0, n, CHUNK):
            chunks.append(vmap(one)(*tree_map(lambda leaf, i=i: leaf[i : i + CHUNK], arguments)))
            progress(min(i + CHUNK, n) / n)
    return torch.cat(chunks).transpose(0, 1).double().numpy()


def knowing_nothing(distribution: TaskDistribution, tasks: Task) -> float:
    """The loss of saying 0 everywhere (mean over tasks and queries), or of all classes being equally likely."""
    if tasks.query_y.is_floating_point():
        return float(tasks.query_y.double().square().mean())
    return float(np.log(distribution.spec.output_dim))


def diverged(losses: np.ndarray, nothing: float) -> np.ndarray:
    """Which adaptations of losses (..., steps) ran away: (...).

    Those whose loss is not finite, or above 100 times that of knowing nothing, at some step. They are counted and left
    out of means, which a single one would otherwise decide.
    """
    return np.logical_not((losses <= DIVERGED * nothing).all(-1))


def with_shots(distribution: TaskDistribution, shots: int | None) -> TaskDistribution:
    """The same distribution with another number of support points (None: as it is)."""
    return distribution if shots is None else replace(distribution, shots=shots)


def shared(progress: Progress, done: int, total: int) -> Progress:
    """The progress of one part, as a share of `total` parts of which `done` are behind."""
    return lambda share: progress((done + share) / total)


def measure(distribution: TaskDistribution) -> str:
    """What a loss is, for people."""
    return "mean squared error" if distribution.spec.kind == "regression" else "cross-entropy"
