"""Sums of two sine waves: y = f_1(x) + f_2(x), f = A sin(w x + p) (a synthetic family of Huisman 2024, chapter 6).

A ~ U(0.1, 5), p ~ U(0, pi) and w ~ U(0, 2.5), drawn for each of the two waves; x ~ U(-5, 5). (The published generator
can lay the inputs on one even grid that is support and query at once; here the two never share a point.)
"""

import math
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.tasks.ranges import Range, uniform
from engine.tasks.sine import AXES, Wave
from engine.tasks.spec import LINE
from engine.tasks.task import Axis, Drawn, Task, TaskDistribution

TITLES = {
    "amplitude": "amplitude A of both waves",
    "frequency": "frequency w of both waves",
    "phase": "phase p of both waves (radians)",
}


@dataclass(frozen=True)
class SineComposition(TaskDistribution):
    """The sum of two independent sine waves with amplitude, phase and frequency uniform; ranges are (low, high).

    Attributes:
        amplitude: lowest and highest A of each wave.
        phase: lowest and highest p, in radians.
        frequency: lowest and highest w.
        inputs: lowest and highest x.
    """

    name = "sine-composition"
    summary = "Regress the sum of two sine waves with frequencies up to 2.5 from a few points."
    spec = LINE

    shots: Annotated[int, Field(ge=1, le=10_000)] = 10
    queries: Annotated[int, Field(ge=1, le=10_000)] = 50
    amplitude: Range = (0.1, 5.0)
    phase: Range = (0.0, math.pi)
    frequency: Range = (0.0, 2.5)
    inputs: Range = (-5.0, 5.0)

    def wave(self, generator: torch.Generator, tasks: int) -> Wave:
        """Draws the hidden parameters of one of the two waves for `tasks` tasks."""
        return Wave(*(uniform(generator, bounds, (tasks,)) for bounds in (self.amplitude, self.phase, self.frequency)))

    @property
    def span(self) -> tuple[float, float]:
        return self.inputs

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(replace(axis, title=TITLES.get(axis.name, axis.title)) for axis in AXES if axis.name != "noise")

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """Hidden are the parameters of both waves: amplitude1, phase1, frequency1, amplitude2 ..."""
        first, second = self.wave(generator, tasks), self.wave(generator, tasks)
        x = uniform(generator, self.inputs, (tasks, self.shots + self.queries, 1))

        def truth(x: Tensor) -> Tensor:
            return first(x) + second(x)

        support_x, query_x = x.split([self.shots, self.queries], dim=1)
        support_y, query_y = truth(x).split([self.shots, self.queries], dim=1)
        waves = (("1", first), ("2", second))
        hidden = {f"{name}{number}": value for number, wave in waves for name, value in wave._asdict().items()}
        return Drawn(Task(support_x, support_y, query_x, query_y), hidden, truth)
