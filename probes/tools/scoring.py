"""What the probes of behaviour share: query losses of all seeds on many tasks."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine import losses
from engine.evaluation import at_once
from engine.execution.batching import over_tasks
from engine.heads import Head, with_head
from engine.learners import Params
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task, TaskDistribution
from engine.trees import count, tree_map
from probes.probe import Progress, silent
from probes.tools.weights import gathered, network_below, plain_of

CHUNK, LARGE_CHUNK = 20, 10  # tasks at once, and for large states: what a step touches stays in the processor's caches
LARGE = 100_000  # numbers in the states of all seeds on one task
WORKERS = 2  # chunks side by side, where PyTorch itself uses one thread


def stops(last: int, also: Iterable[int] = ()) -> list[int]:
    """The inner steps worth a stop from 0 to `last`: the first ten one by one, then ever fewer, and those in `also`."""
    return sorted(step for step in {*range(11), 15, 20, 30, 40, 50, 75, last, *also} if 0 <= step <= last)


def query_losses(
    ensemble: Ensemble,
    tasks: Task | Pooled,
    steps: Sequence[int],
    *,
    heads: Head | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """The losses of `query_scores`: (seeds, N, len(steps)) float64."""
    return query_scores(ensemble, tasks, steps, heads=heads, progress=progress)[0]


def query_scores(
    ensemble: Ensemble,
    tasks: Task | Pooled,
    steps: Sequence[int],
    *,
    heads: Head | None = None,
    progress: Progress = silent,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The query loss of every seed on every task after each of the given inner steps, and the accuracy with classes.

    All seeds of a chunk of tasks adapt at once, and only the present state is kept. `progress` is called from the
    thread that asks; what it raises ends the work.

    Args:
        ensemble: the seeds of a learner.
        tasks: a batch of N tasks.
        steps: inner steps in ascending order.
        heads: output layers to start from instead of the learned ones, with axes (N, seeds, ...).
        progress: told the share that is done.

    Returns:
        Losses (seeds, N, len(steps)) float64; accuracies likewise, None where targets are numbers.
    """
    classes = not losses.are_values(tasks.query_y)
    learner, params, seeds = ensemble.learner, ensemble.params, len(ensemble.runs)
    network, wanted = network_below(learner), set(steps)

    def along(start: Params, task: Task, *stack: int) -> Tensor:
        """The losses after the steps, the last axis, for one seed or a stack of them; with classes, two rows of them.

        The second row is of accuracies.
        """
        state = learner.start(start, task.support_x, task.support_y)
        found: list[Tensor] = []
        right: list[Tensor] = []
        for step in range(max(wanted) + 1):
            if step:
                state = learner.step(start, state, task.support_x, task.support_y)
            if step in wanted:
                said = learner.predict(start, state, task.query_x)
                loss = learner.loss(said, task.query_y)
                found.append(loss.expand(stack))  # a start without parameters is the same for all seeds
                if classes:
                    hit = (said.argmax(-1) == task.query_y) & said.isfinite().all(-1)
                    right.append(hit.to(loss).mean(-1).expand(stack))
        rows = torch.stack(found, -1)
        return torch.stack([rows, torch.stack(right, -1)], -2) if classes else rows

    def one(task: Task, head: Head | None = None) -> Tensor:
        start: Params = params if head is None else with_head(learner, params, head)
        if network is None or network.broadcasts:
            return along(start, task, seeds)
        return torch.stack([along(tree_map(lambda leaf: leaf[seed], start), task) for seed in range(seeds)])  # noqa: B023

    others, batched = () if heads is None else (heads,), over_tasks(one, plain_of(learner))
    n, size = len(tasks.query_x), _chunk_size(ensemble, tasks)

    def chunk(i: int) -> Tensor:
        with torch.no_grad():  # every thread has its own
            part = slice(i, i + size)
            return batched(gathered(tasks, part, params), *tree_map(lambda leaf: leaf[part], others))

    chunks = []
    pool = ThreadPoolExecutor(WORKERS if torch.get_num_threads() == 1 else 1)
    try:
        for part in pool.map(chunk, range(0, n, size)):
            chunks.append(part)
            progress(min(len(chunks) * size, n) / n)
    finally:
        pool.shutdown(cancel_futures=True)  # who watches may have called it off
    whole = torch.cat(chunks).transpose(0, 1).double().numpy()
    return (whole[..., 0, :], whole[..., 1, :]) if classes else (whole, None)


def _chunk_size(ensemble: Ensemble, tasks: Task | Pooled) -> int:
    learner, params, seeds = ensemble.learner, ensemble.params, len(ensemble.runs)
    network = network_below(learner)
    first = tree_map(lambda leaf: leaf[0], gathered(tasks, slice(0, 1), params))
    if alone := network is not None and not network.broadcasts:
        params = tree_map(lambda leaf: leaf[0], params)
    with torch.no_grad():
        start = learner.start(params, first.support_x, first.support_y)
    most = LARGE_CHUNK if count(start) * (seeds if alone else 1) > LARGE else CHUNK
    return at_once(plain_of(learner), tasks, most, copies=WORKERS * seeds)


def with_shots(distribution: TaskDistribution, shots: int | None) -> TaskDistribution:
    """The same distribution with another number of support points (None: as it is)."""
    return distribution if shots is None else replace(distribution, shots=shots)


def shared(progress: Progress, done: int, total: int) -> Progress:
    """The progress of one part, as a share of `total` parts of which `done` are behind."""
    return lambda share: progress((done + share) / total)


def measure(distribution: TaskDistribution) -> str:
    """What a loss is, for people."""
    return losses.measure(distribution.spec).loss
