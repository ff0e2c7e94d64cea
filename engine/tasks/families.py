"""Sine families: y = A sin(w x + p) + c, in which only some of the four factors vary (Huisman 2024, chapter 6).

    factor       if it varies      if not
    amplitude A  U(0.1, 5)         1
    frequency w  U(0.8, 3)         1
    phase p      U(0, pi)          0
    offset c     U(-2, 2)          0

Four switches make 15 families, and one wave that never changes. Inputs are U(-5, 5) for support and query alike. (The
published generator lays all inputs on one even grid, whose left end is the support: `ordered_grid` gives that.)
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import AfterValidator, BeforeValidator, Field
from torch import Tensor

from engine.errors import BadConfig, quoted
from engine.tasks.ranges import uniform
from engine.tasks.spec import LINE
from engine.tasks.task import Drawn, Task, TaskDistribution

FACTORS = ("amplitude", "frequency", "phase", "offset")
RANGES = {"amplitude": (0.1, 5.0), "frequency": (0.8, 3.0), "phase": (0.0, math.pi), "offset": (-2.0, 2.0)}
FIXED = {"amplitude": 1.0, "frequency": 1.0, "phase": 0.0, "offset": 0.0}
INPUTS = (-5.0, 5.0)


class Factors(NamedTuple):
    """The hidden parameters of sine tasks, each of shape (tasks,)."""

    amplitude: Tensor
    frequency: Tensor
    phase: Tensor
    offset: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """The true function at x, (tasks, points, 1) or, for one wave of 0-d tensors, any shape."""
        shape = (-1, 1, 1) if self.amplitude.ndim else ()
        a, w, p, c = (v.reshape(shape) for v in self)
        return a * torch.sin(w * x + p) + c


def _listed(value: Any) -> Any:
    """Factors in one string, as one writes them on the command line, "amplitude,phase", are a list."""
    return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value


def _known(varied: tuple[str, ...]) -> tuple[str, ...]:
    """The factors in the order of `FACTORS`."""
    unknown = [factor for factor in varied if factor not in FACTORS]
    repeated = [factor for factor in FACTORS if varied.count(factor) > 1]
    if unknown or repeated or not varied:
        given = (
            f"{quoted((unknown + repeated)[0])} is {'unknown' if unknown else 'repeated'}"
            if varied
            else "none was given"
        )
        raise BadConfig(f"A family varies one or more of {', '.join(FACTORS)}, each named once; {given}")
    return tuple(factor for factor in FACTORS if factor in varied)


@dataclass(frozen=True)
class SineFamilies(TaskDistribution):
    """y = A sin(w x + p) + c with the factors in `varied` drawn anew for every task and the others fixed.

    `varied` names one or more of amplitude, frequency, phase, offset. A factor's values depend on the generator alone,
    so two families that share a factor meet the same values of it, at the same inputs.

    Attributes:
        varied: what differs from task to task, separated by commas: amplitude, frequency, phase, offset.
        ordered_grid: all inputs on one even grid, whose left end is the support, as the published generator has it.
    """

    name = "sine-families"
    summary = "Regress y = A sin(w x + p) + c, where only the chosen factors differ between tasks."
    spec = LINE

    shots: Annotated[int, Field(ge=1, le=10_000)] = 10
    queries: Annotated[int, Field(ge=1, le=10_000)] = 50
    varied: Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_known)] = FACTORS
    ordered_grid: bool = False

    def __post_init__(self) -> None:
        _known(self.varied)

    def factors(self, generator: torch.Generator, tasks: int) -> Factors:
        """Draws the hidden parameters of `tasks` tasks."""
        drawn = {factor: uniform(generator, RANGES[factor], (tasks,)) for factor in FACTORS}
        return Factors(*(drawn[f] if f in self.varied else torch.full((tasks,), FIXED[f]) for f in FACTORS))

    @property
    def span(self) -> tuple[float, float]:
        return INPUTS

    def function(self, hidden: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        return Factors(**hidden).__call__

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """Hidden are all four factors, the fixed ones as well."""
        factors = self.factors(generator, tasks)
        points = self.shots + self.queries
        if self.ordered_grid:
            x = torch.linspace(*INPUTS, points).reshape(1, -1, 1).repeat(tasks, 1, 1)
        else:
            x = uniform(generator, INPUTS, (tasks, points, 1))
        support_x, query_x = x.split([self.shots, self.queries], dim=1)
        support_y, query_y = factors(x).split([self.shots, self.queries], dim=1)
        return Drawn(Task(support_x, support_y, query_x, query_y), factors._asdict(), factors.__call__)


def all_families(**parameters: Any) -> list[SineFamilies]:
    """The 15 families with one to four varied factors, those with fewer first; `parameters` hold for all of them."""
    chosen = [varied for size in range(1, len(FACTORS) + 1) for varied in combinations(FACTORS, size)]
    return [SineFamilies(varied=varied, **parameters) for varied in chosen]
