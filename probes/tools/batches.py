"""All seeds on many tasks, a few at a time: as many as fit into memory, with large inputs gathered when needed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from engine.evaluation import at_once
from engine.execution.batching import over_tasks
from engine.learners import Learner, Params
from engine.networks import network_of
from engine.tasks import Pooled, Task
from engine.trees import leaves, stack, tree_map
from probes.tools.weights import gathered

CHUNK = 50  # tasks at once: bounds memory


def each_task(
    function: Callable[..., Any],
    learner: Learner,
    params: Params,
    tasks: Task | Pooled,
    *also: Tensor,
    most: int = CHUNK,
    queries: int | None = None,
) -> Any:
    """What a function gives for every seed on every task, without gradients.

    Args:
        function: of one seed's meta-parameters, one task, and a row of what else there is; gives tensors, or a tree.
        learner: whose network decides how many tasks go at once, and whether by `vmap`.
        params: meta-parameters with a leading axis of seeds.
        tasks: a batch of N tasks; they are given in the number type of the meta-parameters.
        also: more, with a leading axis of N.
        most: so many tasks at once, or fewer.
        queries: points that the function predicts; those of the query unless given.

    Returns:
        The same tree with leading axes (seeds, N).
    """
    network, seeds = network_of(learner), len(next(leaves(params)))
    size = at_once(learner, tasks, most, queries=queries, copies=seeds)

    def chunk(part: slice) -> Any:
        some, more = gathered(tasks, part, params), [each[part] for each in also]
        if network is None or network.broadcasts:
            others = (0,) * len(more)
            return vmap(vmap(function, (None, 0, *others)), (0, None, *(None for _ in more)))(params, some, *more)

        def one(seed: int) -> Any:
            mine = tree_map(lambda leaf: leaf[seed], params)
            return over_tasks(lambda task, *rest: function(mine, task, *rest), learner)(some, *more)

        return stack([one(seed) for seed in range(seeds)])

    with torch.no_grad():
        chunks = [chunk(slice(i, i + size)) for i in range(0, len(tasks.query_x), size)]
    return tree_map(lambda *parts: torch.cat(parts, 1), *chunks)
