r"""Over many tasks: how far does a point reach, does its order matter, and how many units carry a prediction?

`probes.questions.attribution` looks at one support set; here are its measures as one number for each seed and task:

    far       the share of all influence (sizes of Shapley values over even inputs) that falls more than a distance
              away from the point that it comes from; beside it the share that would if influence were spread evenly
    turned    how much of the influence changes when the points come in the reverse order:
              sum |phi_i - phi'_i| / sum |phi_i|; 0 for a learner that treats the support as a set
    carrying  units of the last hidden layer that carry the prediction at one query of the task, (sum |c|)^2 / sum c^2
              of their conductances c, before and after adapting; learners without a network that adapts have none
    drawn     `far` of the control: the same learner with the same inner loop, as drawn for the run's seed, before any
              training. Only meta-training is between the two

Shapley values are exact: supports have at most 6 points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from engine.runs.ensembles import Ensemble
from probes.needs import OneInput, Rowwise
from probes.probe import Probe, Progress
from probes.questions.attribution import FEW
from probes.tools.coalitions import Coalitions, shapley_values
from probes.tools.conductance import carrying, through_layers
from probes.tools.representations import as_drawn, tasks_of


@dataclass(frozen=True)
class Config:
    """Held-out tasks, even inputs, and the distance beyond which a point is far."""

    tasks: Annotated[int, Field(ge=2, le=1000)] = 50
    inputs: Annotated[int, Field(ge=5, le=501)] = 41
    far: Annotated[float, Field(gt=0, le=10)] = 1.5


@dataclass(frozen=True)
class Shares:
    """One learner.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        far: share of far influence, (seeds, tasks); NaN where there is no influence at all.
        even: the share if it were spread evenly, (tasks,).
        turned: share of influence that the reverse order changes, (seeds, tasks).
        carrying: units before and after adapting, (2, seeds, tasks); empty without a network that adapts.
        drawn: share of far influence of the untrained control, (seeds, tasks).
    """

    learner: str
    seeds: list[int]
    far: np.ndarray
    even: np.ndarray
    turned: np.ndarray
    carrying: np.ndarray
    drawn: np.ndarray


@dataclass(frozen=True)
class AllShares:
    """One per learner, in the order asked."""

    answers: list[Shares]


@dataclass(frozen=True)
class FewPoints:
    """So few points that all coalitions of them can be asked."""

    says = f"Its tasks have at most {FEW} support points."

    def __call__(self, ensemble: Ensemble) -> str | None:
        few = ensemble.distribution.shots <= FEW
        title = ensemble.learner.title
        return None if few else f"Exact Shapley values need at most {FEW} points; {title} was trained on more."


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> AllShares:
    """Attributes many predictions of every learner."""
    answers = []
    for index, ensemble in enumerate(ensembles):
        distribution = ensemble.distribution
        assert distribution.span is not None
        grid = np.linspace(*distribution.span, config.inputs)
        drawn, _ = tasks_of(distribution, config.tasks)
        supports = torch.cat([drawn.support_x, drawn.support_y], -1).double().numpy()  # (tasks, K, 2)
        found, control = [], as_drawn(ensemble)
        for task, points in enumerate(supports):
            of_task = _of_task(ensemble, points, grid, float(drawn.query_x[task, 0]), config.far)
            found.append((*of_task, _far(_shapley(control, points, grid), points, grid, config.far)))
            progress((index + (task + 1) / config.tasks) / len(ensembles))
        far, turned, carried, untrained = (np.stack(values, -1) for values in zip(*found, strict=True))
        away = np.abs(supports[:, :, :1] - grid) > config.far  # (tasks, K, inputs)
        seeds = [run.seed for run in ensemble.runs]
        even = away.mean((1, 2))
        answers.append(Shares(ensemble.learner.name, seeds, far, even, turned, carried, untrained))
    return AllShares(answers)


def _of_task(
    ensemble: Ensemble, points: np.ndarray, grid: np.ndarray, query: float, far: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Far and turned, (seeds,) each, and carrying units, (2, seeds) or (0, seeds)."""
    values = _shapley(ensemble, points, grid)
    other = _shapley(ensemble, points[::-1].copy(), grid)[:, ::-1]
    last = through_layers(ensemble, points, query)["units"][-1:]
    carried = [moment for layer in last for moment in (carrying(layer.before), carrying(layer.after))]
    turned = np.abs(values - other).sum((1, 2)) / _size(values)
    return _far(values, points, grid, far), turned, np.array(carried).reshape(-1, len(values))


def _far(values: np.ndarray, points: np.ndarray, grid: np.ndarray, far: float) -> np.ndarray:
    """The share of influence (seeds, K, inputs) further than `far` from its point, (seeds,)."""
    away = np.abs(points[:, :1] - grid) > far
    return np.asarray((np.abs(values) * away).sum((1, 2)) / _size(values))


def _size(values: np.ndarray) -> np.ndarray:
    """All influence, (seeds,); NaN where there is none."""
    size = np.abs(values).sum((1, 2))
    return np.where(size > 0, size, np.nan)


def _shapley(ensemble: Ensemble, points: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Exact Shapley values of all points at all inputs, (seeds, K, inputs)."""
    return shapley_values(Coalitions(ensemble, points, grid), 0)[0]


PROBE = Probe(
    name="shares",
    question="Over many tasks: how far do points reach, does their order matter, and how many units carry predictions?",
    config=Config,
    needs=(OneInput(), FewPoints(), Rowwise()),
    ask=ask,
)
