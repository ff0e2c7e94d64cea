"""Steps: y = h if x > s, else -h; h ~ U(0.5, 3), s ~ U(-3, 3)."""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.tasks.ranges import Range, uniform
from engine.tasks.spec import LINE
from engine.tasks.task import Drawn, Task, TaskDistribution


@dataclass(frozen=True)
class Steps(TaskDistribution):
    """Steps of a random height at a random place.

    Attributes:
        height: lowest and highest h.
        place: lowest and highest s.
        inputs: lowest and highest x.
    """

    name = "steps"
    summary = "Regress a step of a random height at a random place from a few points."
    spec = LINE  # a number in, a number out: what can be drawn as a curve

    shots: Annotated[int, Field(ge=1, le=10_000)] = 10
    queries: Annotated[int, Field(ge=1, le=10_000)] = 50
    height: Range = (0.5, 3.0)
    place: Range = (-3.0, 3.0)
    inputs: Range = (-5.0, 5.0)

    @property
    def span(self) -> tuple[float, float]:
        return self.inputs

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        h, s = (uniform(generator, between, (tasks,)) for between in (self.height, self.place))
        x = uniform(generator, self.inputs, (tasks, self.shots + self.queries, 1))

        def truth(x: Tensor) -> Tensor:
            return torch.where(x > s[:, None, None], h[:, None, None], -h[:, None, None]).to(x.dtype)

        support_x, query_x = x.split([self.shots, self.queries], dim=1)
        support_y, query_y = truth(x).split([self.shots, self.queries], dim=1)
        return Drawn(Task(support_x, support_y, query_x, query_y), {"height": h, "place": s}, truth)
