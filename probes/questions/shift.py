"""What happens when test tasks leave the training distribution? Along one axis, or over two.

All tasks get the same value of one axis of their distribution (`engine.tasks.Axis`): of sine waves
y = a sin(f x + phi), the amplitude a, frequency f, phase phi, range of inputs [-r, r] (support and query) or noise on
the support labels. Everything else is drawn as in training, with the same random numbers for every value, so that the
same tasks are moved. Errors are query errors against the true function
after the learner's last inner step; since a larger wave is wronger to miss, `nothing` gives the error of saying 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from engine.evaluation import diverged, held_out_lazily, knowing_nothing
from engine.runs.ensembles import Ensemble
from engine.tasks import Axis, Pooled, TaskDistribution, stream
from engine.trees import tree_map
from probes.needs import Axes, Regression
from probes.probe import Probe, Progress, part
from probes.tools import scoring

MOST_DRAWN = 2_000  # tasks of several places that are held at once
Stops = tuple[Annotated[float, Field(ge=0, le=100)], ...]


@dataclass(frozen=True)
class Config:
    """How many held-out tasks, and the values of one axis or, as a map, of two (none: those that the axis names)."""

    tasks: Annotated[int, Field(ge=1, le=10_000)] = 100
    axis: str = "amplitude"
    values: Stops = ()
    second: str | None = None
    second_values: Stops = ()


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


def axes_of(ensembles: Sequence[Ensemble]) -> dict[str, Axis]:
    """The axes along which the tasks of all of them can be moved, by name, in the order of the first."""
    moving = [ensemble.distribution for ensemble in ensembles if PROBE.applies(ensemble) is None]
    shared = [{axis.name: axis for axis in distribution.axes} for distribution in moving]
    return {name: axis for name, axis in shared[0].items() if all(name in one for one in shared)} if shared else {}


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Shift:
    """Adapts every seed to the moved tasks.

    Raises:
        BadInput: the tasks of one of them cannot be moved along an axis, or not so far.
    """
    first = ensembles[0].distribution
    values = _values(first, config.axis, config.values)
    second = config.second if config.second != config.axis else None
    others = _values(first, second, config.second_values) if second else np.zeros(1)
    answers = []
    for i, ensemble in enumerate(ensembles):
        show = scoring.shared(progress, i, len(ensembles))
        answers.append(_asked(ensemble, config, (config.axis, values), (second, others), show))
    return Shift(config.axis, values, second, others, answers)


def _values(distribution: TaskDistribution, axis: str, given: Stops) -> np.ndarray:
    return np.array(sorted(set(given or distribution.axis(axis).stops)), float)


def _asked(
    ensemble: Ensemble,
    config: Config,
    first: tuple[str, np.ndarray],
    second: tuple[str | None, np.ndarray],
    progress: Progress,
) -> Shifted:
    distribution, shape = ensemble.distribution, (len(first[1]), len(second[1]))
    places = []
    for value in first[1]:
        there = distribution.moved(first[0], float(value))
        places += [there.moved(second[0], float(other)) if second[0] else there for other in second[1]]
    losses, nothing = _losses(ensemble, places, config.tasks, progress)
    losses = np.moveaxis(losses.reshape(-1, *shape, config.tasks), -1, 1)  # (seeds, tasks, n, m)
    nothing = nothing.reshape(shape)
    usual = knowing_nothing(distribution, held_out_lazily(distribution, config.tasks))
    ran_away = diverged(losses[..., None], np.maximum(nothing, usual))  # small waves: no reason for mistrust
    seeds = [run.seed for run in ensemble.runs]
    kept = np.where(ran_away, np.nan, losses)
    return Shifted(ensemble.learner.name, seeds, kept, ran_away.sum((0, 1)), nothing, trained_ranges(distribution))


def _losses(
    ensemble: Ensemble, places: Sequence[TaskDistribution], tasks: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Losses at all places, (seeds, places * tasks), and the error of saying 0 at each; drawn a few at a time."""
    few, last = max(1, MOST_DRAWN // tasks), [ensemble.learner.evaluation_steps]
    losses, nothing = [], []
    for start in range(0, len(places), few):
        drawn = [place.lazy(stream("test"), tasks) for place in places[start : start + few]]
        nothing += [float(each.query_y.double().square().mean()) for each in drawn]
        pooled = any(isinstance(each, Pooled) for each in drawn)  # each with a pool of its own
        together = drawn if pooled else [tree_map(lambda *leaves: torch.cat(leaves), *drawn)]
        for i, some in enumerate(together):
            low, high = (start + (i + end) * len(drawn) / len(together) for end in (0, 1))
            show = part(progress, low / len(places), high / len(places))
            losses.append(scoring.query_losses(ensemble, some, last, progress=show)[..., 0])
    return np.concatenate(losses, 1), np.array(nothing)


def trained_ranges(distribution: TaskDistribution) -> dict[str, tuple[float, float]]:
    """(low, high) of each axis in training."""
    return {axis.name: distribution.trained(axis.name) for axis in distribution.axes}


PROBE = Probe(
    name="shift",
    question="What happens to the error when test tasks leave the training distribution?",
    config=Config,
    needs=(Axes(), Regression()),
    ask=ask,
)
