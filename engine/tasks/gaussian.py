"""Gaussian classes: N-way K-shot classification of points around class means that are drawn anew for every task.

    mu_c ~ scale N(0, I),   x = mu_c + spread e with e ~ N(0, I),   c = 0 ... ways - 1

`spread` against `scale` is the difficulty. With the true means known, the nearest one is the best guess.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.tasks.spec import Classes, Numbers, TaskSpec
from engine.tasks.task import Drawn, Task, TaskDistribution


@dataclass(frozen=True)
class GaussianClasses(TaskDistribution):
    """`ways` Gaussian classes; the support has `shots` points of each, the query `queries` of each, in random order.

    Labels are class indices (int64) that mean something within one task only: class 2 of one task has nothing to do
    with class 2 of the next.

    Attributes:
        ways: classes of a task.
        dimensions: numbers that an input consists of.
        scale: standard deviation of the class means.
        spread: standard deviation of the points of a class around its mean.
    """

    name = "gaussian-classes"
    summary = (
        "Tell Gaussian classes apart (5 ways, 2 dimensions) from a few points of each; means are new in every task."
    )

    shots: Annotated[int, Field(ge=1, le=1000)] = 5
    queries: Annotated[int, Field(ge=1, le=1000)] = 15
    ways: Annotated[int, Field(ge=2, le=100)] = 5
    dimensions: Annotated[int, Field(ge=1, le=1000)] = 2
    scale: Annotated[float, Field(gt=0)] = 1.0
    spread: Annotated[float, Field(ge=0)] = 0.3

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Numbers(self.dimensions), Classes(self.ways))

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """Hidden are the class means (tasks, ways, dimensions)."""
        means = self.scale * torch.randn((tasks, self.ways, self.dimensions), generator=generator)
        support_x, support_y = self._points(generator, means, self.shots)
        query_x, query_y = self._points(generator, means, self.queries)
        return Drawn(Task(support_x, support_y, query_x, query_y), {"means": means})

    def _points(self, generator: torch.Generator, means: Tensor, of_each: int) -> tuple[Tensor, Tensor]:
        """Inputs (tasks, points, dimensions) and labels (tasks, points), every class equally often."""
        tasks, points = len(means), of_each * self.ways
        order = torch.rand((tasks, points), generator=generator).argsort(dim=1)
        y = order % self.ways  # a random order of ways x of_each labels
        noise = torch.randn((tasks, points, self.dimensions), generator=generator)
        return means[torch.arange(tasks).unsqueeze(1), y] + self.spread * noise, y
