"""A function of one task for many of them: by vmap, or one after the other where that is sooner."""

from collections.abc import Callable
from typing import Any

from torch.func import vmap

from engine.execution.policy import one_by_one
from engine.learners import Learner
from engine.tasks import Task
from engine.trees import stack, tree_map


def over_tasks(function: Callable[..., Any], learner: Learner) -> Callable[..., Any]:
    """The function for arguments with a leading axis of tasks, the tasks themselves first, and results with one.

    Args:
        function: of one task, and more; its results are tensors, or trees of them.
        learner: whose network decides how.
    """

    def batched(tasks: Task, *more: Any) -> Any:
        if not one_by_one(learner, tasks):
            return vmap(function)(tasks, *more)
        number = len(tasks.query_x)
        return stack([function(*(tree_map(lambda v: v[i], one) for one in (tasks, *more))) for i in range(number)])  # noqa: B023

    return batched
