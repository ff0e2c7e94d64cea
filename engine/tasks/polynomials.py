"""Polynomials: y = sum over i = 0 ... order of c_i x^i, c_i ~ U(-1, 1) (a synthetic family of Huisman 2024, chapter 6).

The order is a parameter; 2 is our choice. Inputs are U(-5, 5); the published generator lays them on one even grid.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.tasks.ranges import Range, uniform
from engine.tasks.sine import AXES
from engine.tasks.spec import LINE
from engine.tasks.task import Axis, Drawn, Task, TaskDistribution


@dataclass(frozen=True)
class Polynomials(TaskDistribution):
    """Polynomials of one order with uniform coefficients; ranges are (low, high).

    Attributes:
        order: the highest power of x.
        coefficients: lowest and highest coefficient of each power.
        inputs: lowest and highest x.
    """

    name = "polynomials"
    summary = "Regress a polynomial (of order 2) with random coefficients from a few points."
    spec = LINE

    shots: Annotated[int, Field(ge=1, le=10_000)] = 10
    queries: Annotated[int, Field(ge=1, le=10_000)] = 50
    order: Annotated[int, Field(ge=0, le=10)] = 2
    coefficients: Range = (-1.0, 1.0)
    inputs: Range = (-5.0, 5.0)

    @property
    def span(self) -> tuple[float, float]:
        return self.inputs

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(axis for axis in AXES if axis.name == "inputs")

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """Hidden are the coefficients (tasks, order + 1), c_0 first."""
        coefficients = uniform(generator, self.coefficients, (tasks, self.order + 1))
        x = uniform(generator, self.inputs, (tasks, self.shots + self.queries, 1))

        def truth(x: Tensor) -> Tensor:
            y = torch.zeros_like(x)
            for c in coefficients.flip(1).unbind(1):  # Horner's rule, the highest power first
                y = y * x + c.reshape(-1, 1, 1)
            return y

        support_x, query_x = x.split([self.shots, self.queries], dim=1)
        support_y, query_y = truth(x).split([self.shots, self.queries], dim=1)
        return Drawn(Task(support_x, support_y, query_x, query_y), {"coefficients": coefficients}, truth)
