"""Sine-wave regression: y = a sin(f x + phi) (Finn et al. 2017; ranges as in Huisman 2024, chapters 3 and 5)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from engine.tasks.ranges import Range, uniform
from engine.tasks.spec import LINE
from engine.tasks.task import Axis, Drawn, Task, TaskDistribution


class Wave(NamedTuple):
    """The hidden parameters of sine tasks, each of shape (tasks,)."""

    amplitude: Tensor
    phase: Tensor
    frequency: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """The true function at x, (tasks, points, 1) or, for one wave of 0-d tensors, any shape."""
        shape = (-1, 1, 1) if self.amplitude.ndim else ()
        a, phase, frequency = (v.reshape(shape) for v in self)
        return a * torch.sin(frequency * x + phase)


AXES = (
    Axis("amplitude", "amplitude a", "hidden", (0.25, 1, 2, 3, 4, 5, 6, 7, 8, 10)),
    Axis("frequency", "frequency f", "hidden", (0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3)),
    Axis("phase", "phase φ (radians)", "hidden", tuple(round(math.pi * i / 6, 6) for i in range(13))),
    Axis("inputs", "half-width r of the inputs [-r, r]", "inputs", (1, 2, 3, 4, 5, 6, 7, 8, 10)),
    Axis("noise", "noise on the support labels (sd)", "number", (0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2)),
)


@dataclass(frozen=True)
class Sine(TaskDistribution):
    """y = a sin(f x + phi) + noise, with a, phi, f and x uniform.

    The defaults are the training distribution of the dissertation; any other value is a shifted one.
    Ranges are (low, high); x and phi in radians; noise is the standard deviation of Gaussian noise on the
    support labels only, so that the query error stays the distance to the true function.

    Attributes:
        amplitude: lowest and highest a.
        phase: lowest and highest phi, in radians.
        frequency: lowest and highest f; 1, 1 leaves it out.
        inputs: lowest and highest x.
        noise: standard deviation of the noise on support labels; queries have none.
    """

    name = "sine"
    summary = "Regress y = a sin(x + phi), a ~ U(0.1, 5), phi ~ U(0, pi), x ~ U(-5, 5), from a few points."
    spec = LINE

    shots: Annotated[int, Field(ge=1, le=10_000)] = 10
    queries: Annotated[int, Field(ge=1, le=10_000)] = 50
    amplitude: Range = (0.1, 5.0)
    phase: Range = (0.0, math.pi)
    frequency: Range = (1.0, 1.0)
    inputs: Range = (-5.0, 5.0)
    noise: Annotated[float, Field(ge=0)] = 0.0

    def waves(self, generator: torch.Generator, tasks: int) -> Wave:
        """Draws the hidden parameters of `tasks` tasks."""
        return Wave(*(uniform(generator, bounds, (tasks,)) for bounds in (self.amplitude, self.phase, self.frequency)))

    @property
    def span(self) -> tuple[float, float]:
        return self.inputs

    @property
    def axes(self) -> tuple[Axis, ...]:
        return AXES

    def function(self, hidden: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        return Wave(**hidden).__call__

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """Support and query inputs are drawn together, i.i.d.; the first `shots` of them are the support."""
        wave = self.waves(generator, tasks)
        x = uniform(generator, self.inputs, (tasks, self.shots + self.queries, 1))
        y = wave(x)
        support_x, query_x = x.split([self.shots, self.queries], dim=1)
        support_y, query_y = y.split([self.shots, self.queries], dim=1)
        if self.noise:
            support_y = support_y + self.noise * torch.randn(support_y.shape, generator=generator)
        return Drawn(Task(support_x, support_y, query_x, query_y), wave._asdict(), wave.__call__)
