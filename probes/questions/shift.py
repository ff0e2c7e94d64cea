"""What happens when test tasks leave the training distribution? Along one axis, or over two.

For sine waves y = a sin(f x + phi): all tasks get the same amplitude a, frequency f, phase phi, range of inputs
[-r, r] (support and query) or noise on the support labels; everything else is drawn as in training, with the same
random numbers for every value, so that the same tasks are moved. Errors are query errors against the true function
after the learner's last inner step; since a larger wave is wronger to miss, `nothing` gives the error of saying 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from engine.evaluation import diverged, held_out_tasks, knowing_nothing
from engine.runs.ensembles import Ensemble
from engine.tasks import Sine, Task
from engine.trees import tree_map
from probes.asking import Progress
from probes.tools import scoring

QUESTION = "What happens to the error when test tasks leave the training distribution?"
Axis = Literal["amplitude", "frequency", "phase", "inputs", "noise"]
AXES: dict[str, tuple[float, ...]] = {
    "amplitude": (0.25, 1, 2, 3, 4, 5, 6, 7, 8, 10),
    "frequency": (0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3),
    "phase": tuple(round(math.pi * i / 6, 6) for i in range(13)),
    "inputs": (1, 2, 3, 4, 5, 6, 7, 8, 10),
    "noise": (0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2),
}
Values = tuple[Annotated[float, Field(ge=0, le=100)], ...]


@dataclass(frozen=True)
class Config:
    """How many held-out tasks, and the values of one axis or, as a map, of two (none: a default list for the axis)."""

    tasks: Annotated[int, Field(ge=1, le=10_000)] = 100
    axis: Axis = "amplitude"
    values: Values = ()
    second: Axis | None = None
    second_values: Values = ()


@dataclass(frozen=True)
class Shifted:
    """One learner's errors at every place.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        losses: query MSE (seeds, tasks, n, m); NaN for an adaptation that ran away.
        diverged: how many did at each place, of seeds x tasks, (n, m).
        nothing: MSE of saying 0, (n, m).
        trained: (low, high) of each axis in training, by its name.
    """

    learner: str
    seeds: list[int]
    losses: np.ndarray
    diverged: np.ndarray
    nothing: np.ndarray
    trained: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Shift:
    """One answer per learner; n values of the first axis, m of the second (m = 1 and `second` None: no second)."""

    axis: str
    values: np.ndarray
    second: str | None
    second_values: np.ndarray
    answers: list[Shifted]


def applies(ensemble: Ensemble) -> str | None:
    """None for sine waves, otherwise one sentence."""
    if not isinstance(ensemble.distribution, Sine):
        return f"Tasks can be moved along these axes for sine waves only, not for {ensemble.distribution.name}."
    return None


def probe(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Shift:
    """Adapts every seed to the moved tasks."""
    values = _values(config.axis, config.values)
    second = config.second if config.second != config.axis else None
    others = _values(second, config.second_values) if second else np.zeros(1)
    answers = []
    for i, ensemble in enumerate(ensembles):
        show = scoring.shared(progress, i, len(ensembles))
        answers.append(_asked(ensemble, config, (config.axis, values), (second, others), show))
    return Shift(config.axis, values, second, others, answers)


def _values(axis: str, given: Values) -> np.ndarray:
    return np.array(sorted(set(given or AXES[axis])), float)


def _asked(
    ensemble: Ensemble,
    config: Config,
    first: tuple[str, np.ndarray],
    second: tuple[str | None, np.ndarray],
    progress: Progress,
) -> Shifted:
    distribution = ensemble.distribution
    assert isinstance(distribution, Sine)
    places = []
    for value in first[1]:
        for other in second[1]:
            there = moved(distribution, first[0], float(value))
            there = moved(there, second[0], float(other)) if second[0] else there
            places.append(held_out_tasks(there, config.tasks))
    shape = (len(first[1]), len(second[1]))
    tasks: Task = tree_map(lambda *leaves: torch.cat(leaves), *places)
    losses = scoring.query_losses(ensemble, tasks, [ensemble.learner.evaluation_steps], progress=progress)
    losses = np.moveaxis(losses[..., 0].reshape(-1, *shape, config.tasks), -1, 1)  # (seeds, tasks, n, m)
    nothing = tasks.query_y.double().square().mean((1, 2)).reshape(*shape, config.tasks).mean(-1).numpy()
    usual = knowing_nothing(distribution, held_out_tasks(distribution, config.tasks))
    ran_away = diverged(losses[..., None], np.maximum(nothing, usual))  # small waves: no reason for mistrust
    seeds = [run.seed for run in ensemble.runs]
    kept = np.where(ran_away, np.nan, losses)
    return Shifted(ensemble.learner.name, seeds, kept, ran_away.sum((0, 1)), nothing, trained_ranges(distribution))


def moved(distribution: Sine, axis: str, value: float) -> Sine:
    """The distribution with all tasks at one value of one axis."""
    changes: dict[str, Any] = {"inputs": {"inputs": (-value, value)}, "noise": {"noise": value}}
    return replace(distribution, **changes.get(axis, {axis: (value, value)}))


def trained_ranges(distribution: Sine) -> dict[str, tuple[float, float]]:
    """(low, high) of each axis in training; inputs of [-r, r] cover every smaller range."""
    return {
        "amplitude": distribution.amplitude,
        "frequency": distribution.frequency,
        "phase": distribution.phase,
        "inputs": (0.0, max(abs(end) for end in distribution.inputs)),
        "noise": (distribution.noise, distribution.noise),
    }
