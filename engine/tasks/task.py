"""A task, a distribution of tasks, and the random streams that keep training, validation and test apart."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.tasks.spec import TaskSpec

STREAMS = ("init", "train", "validation", "test", "page", "noise", "head")


class Task(NamedTuple):
    """Support and query of one task; a batch of tasks has further axes in front.

    Shapes: support_x (K, *input_shape), support_y (K, output_dim) for regression or (K,) class indices,
    query_x (Q, *input_shape), query_y as support_y with Q rows.
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor


class NoisyTask(NamedTuple):
    """A task with the uniform numbers that a learner asked for: `noise` (n,), new in every meta-update."""

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    noise: Tensor


@dataclass(frozen=True)
class TaskDistribution:
    """A distribution over tasks: a frozen set of parameters with `sample`.

    Subclasses state `name`, `summary` and `spec` and draw only from the generator they are given. `shots` and `queries`
    count the points of a regression task, and the points of each class of a classification task.

    Attributes:
        shots: support points (of each class, where there are classes).
        queries: query points (of each class), on which a meta-update or a test is scored.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    shots: int = 10
    queries: int = 50

    @property
    def spec(self) -> TaskSpec:
        """What learners must know: a class attribute where no parameter changes it, a property where one does."""
        raise NotImplementedError(f"{type(self).__name__} must define spec")

    def sample(self, generator: torch.Generator, tasks: int) -> Task:
        """Draws a batch: every tensor of the Task has a leading axis of length `tasks`."""
        raise NotImplementedError(f"{type(self).__name__} must define sample")


def stream(purpose: str, seed: int = 0, index: int = 0) -> torch.Generator:
    """A CPU generator for one purpose: the same arguments always give the same numbers.

    Streams of different purposes, seeds or indices are independent (numpy's SeedSequence mixes them), so training
    never sees a validation or test task, and a resumed run asks for exactly the numbers that it missed.

    Args:
        purpose: one of `STREAMS`; "validation" and "test" are used with seed 0 by every learner, so that all
            learners and all seeds meet the same tasks.
        seed: the seed of the run.
        index: the position in the stream, such as a block of training iterations.
    """
    entropy = (STREAMS.index(purpose), seed, index)
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
