"""A function of one task for many of them: by vmap, or one after the other where that is sooner."""

from collections.abc import Callable
from typing import Any

import torch
from torch.func import vmap

from engine.execution.policy import one_by_one
from engine.learners import Learner
from engine.trees import leaves, stack, tree_map


def over_tasks(
    function: Callable[..., Any], learner: Learner, device: str | torch.device | None = None
) -> Callable[..., Any]:
    """The function for arguments with a leading axis of tasks, and results with one.

    Args:
        function: of one task; its results are tensors, or trees of them.
        learner: whose network decides.
        device: where it will run; the processor unless given.
    """
    if not one_by_one(learner, device or "cpu"):
        batched: Callable[..., Any] = vmap(function)
        return batched

    def each(*arguments: Any) -> Any:
        tasks = len(next(iter(leaves(arguments[0]))))
        found = [function(*(tree_map(lambda v: v[i], one) for one in arguments)) for i in range(tasks)]  # noqa: B023
        return stack(found)

    return each
