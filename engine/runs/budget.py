"""How a run is trained: the part of a record that says so, with its defaults."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class Training:
    """The meta-training budget and optimiser.

    Attributes:
        iterations: meta-updates.
        meta_batch: tasks per meta-update and seed; their gradients are averaged.
        optimiser: "adam" (default betas) or "sgd" (plain; Reptile's epsilon is its learning rate).
        lr: outer learning rate at the start.
        schedule: "constant", "cosine" (to 0) or "linear" (to 0).
        clip: largest norm of a seed's meta-gradient (None: no clipping).
        validate_every: iterations between validations; one more comes before training and one at the end.
        validation_tasks: fixed tasks, the same for every seed and learner.
        snapshot_every: iterations between snapshots, from which an interrupted run resumes.
        keep_every: iterations between copies of the weights that stay in the run folder (None: no copies).
        tasks_at_once: most tasks of a seed that a meta-gradient is taken of at once, so that memory stays bounded; the
            gradients of such chunks are averaged (None: all tasks of the meta-batch at once).
    """

    iterations: Annotated[int, Field(ge=1)] = 10_000
    meta_batch: Annotated[int, Field(ge=1)] = 4
    optimiser: Literal["adam", "sgd"] = "adam"
    lr: Annotated[float, Field(gt=0)] = 0.001
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    clip: Annotated[float, Field(gt=0)] | None = None
    validate_every: Annotated[int, Field(ge=1)] = 500
    validation_tasks: Annotated[int, Field(ge=1)] = 500
    snapshot_every: Annotated[int, Field(ge=1)] = 1000
    keep_every: Annotated[int, Field(ge=1)] | None = None
    tasks_at_once: Annotated[int, Field(ge=1)] | None = None

    def total_tasks(self, seeds: int) -> int:
        """The number of tasks that so many seeds are trained on, all together."""
        return self.iterations * self.meta_batch * seeds

    def lr_at(self, iteration: int) -> float:
        """The learning rate of one iteration, counted from 0."""
        done = iteration / self.iterations
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * done)) / 2
        return self.lr * (1 - done) if self.schedule == "linear" else self.lr
