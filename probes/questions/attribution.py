r"""Which support points, which labels, which layers and which units made a prediction?

For one support set S of K points and one query x*, with f(x*; S) what a learner says after adapting to S:

    leave-one-out     f(x*; S) - f(x*; S without i)
    Shapley values    the mean over orders of f(x*; P and i) - f(x*; P), P the points that come before i; they sum to
                      f(x*; S) - f(x*; nothing), where nothing means the learner before its first inner step
    integrated        (y_i - y'_i) times the mean of df(x*; x, y)/dy_i along the line from labels y' to y, through the
    gradients         whole inner loop; they sum to f(x*; x, y) - f(x*; x, y'); y' is 0, or what the learner said before

    walked labels     the same line in a few stretches, in each of which one label after the other moves, there and
                      back; y_i gets what f changes by when it moves

The first two are about points: a coalition of points is adapted to as it is, nothing else stands in for those left
out. The third is about labels: all inputs stay. Learners that cut their graph in training (first-order ones) adapt by
the same function as their second-order siblings, and it is that function's derivative that is integrated.

    conductance       of a unit: integrated gradients of f(.; S) from input 0 to x*, as far as they pass through the
                      unit; over a hidden layer they sum to f(x*) - f(0). Before and after adapting.
    layers            Shapley values of the layers' changes: adapted weights in some layers, the first ones in others

Integrated gradients (Sundararajan, Taly & Yan 2017, arXiv 1703.01365) and conductance (Dhamdhere, Sundararajan & Yan
2018, arXiv 1805.12233) are Captum's. Shapley values (Castro, Gomez & Tejada 2009 for the sampled ones) come from one
table of coalitions for all queries at once; Captum's, which walk one query and one order at a time, are the oracle in
the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.func import vmap

from engine.errors import BadInput
from engine.learners import Learner, Params
from engine.runs.ensembles import Ensemble
from engine.tasks import TaskDistribution
from engine.trees import repeat
from probes.needs import OneInput, Rowwise
from probes.probe import Probe, Progress, part
from probes.tools.algorithms import after, stacks
from probes.tools.coalitions import baselines, coalitions_of, shapley_values
from probes.tools.conductance import Units, in_type, nothing, through_layers
from probes.tools.representations import tasks_of, truths

MOST_POINTS = 20
MOST_EXACT = 10  # points; 1,024 coalitions
FEW = 6  # so many points or fewer are always exact
QUERIES = 101  # even inputs
TASKS = 50  # that `task` counts
Coordinate = Annotated[float, Field(ge=-1e3, le=1e3)]


@dataclass(frozen=True)
class Config:
    """What is asked about.

    Attributes:
        task: a held-out task, unless points are given.
        points: support points (x, y).
        query: x*; the nearest of 101 even inputs is taken.
        orders: of the points for sampled Shapley values, in pairs of an order and its reverse; 0: all coalitions,
            which 6 points or fewer get anyway.
        baseline: labels y' that integrated gradients start from.
        steps: of the integral over labels (Gauss-Legendre).
        inside: whether layers and units are asked about.
    """

    task: Annotated[int, Field(ge=0, lt=TASKS)] = 0
    points: Annotated[tuple[tuple[Coordinate, Coordinate], ...], Field(max_length=MOST_POINTS)] = ()
    query: Annotated[float, Field(ge=-1e3, le=1e3)] = 1.0
    orders: Annotated[int, Field(ge=0, le=1000, multiple_of=2)] = 12
    baseline: Literal["zero", "before"] = "zero"
    steps: Annotated[int, Field(ge=2, le=500)] = 24
    inside: bool = True


@dataclass(frozen=True)
class OfLearner:
    """What made one learner's prediction at the query.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        before, after: predictions at the even inputs, (seeds, queries).
        leave_one_out: at the even inputs, (seeds, K, queries).
        shapley: at the even inputs, (seeds, K, queries).
        shapley_error: standard error of sampling at the query, (seeds, K); 0 where all coalitions were asked.
        integrated: at the query, (seeds, K).
        walked: at the even inputs, (seeds, K, queries).
        explained: what these two should sum to at the query, (seeds,).
        layers: names of the layers, () for a learner without a network that adapts, or if they were not asked about.
        by_layer: Shapley values of their changes at the query, (seeds, layers).
        units: of the hidden layers at the query.
        through: what conductances should sum to, before and after, (seeds, 2).
    """

    learner: str
    seeds: list[int]
    before: np.ndarray
    after: np.ndarray
    leave_one_out: np.ndarray
    shapley: np.ndarray
    shapley_error: np.ndarray
    integrated: np.ndarray
    walked: np.ndarray
    explained: np.ndarray
    layers: list[str]
    by_layer: np.ndarray
    units: list[Units]
    through: np.ndarray

    @property
    def completeness_error(self) -> np.ndarray:
        """How far integrated gradients miss their sum, as a share of the sum of their sizes, (seeds,)."""
        missed = np.abs(self.integrated.sum(-1) - self.explained)
        return np.asarray(missed / np.maximum(np.abs(self.integrated).sum(-1), 1e-12))


@dataclass(frozen=True)
class Attributions:
    """One answer per ensemble, in the order asked.

    Attributes:
        points: the support, (K, 2).
        grid: the even inputs, (queries,).
        at: the place of the query among them.
        exact: whether Shapley values come from all coalitions.
        truth: the true function at the even inputs, (queries,); NaN for points that were given and where it is unknown.
        answers: one for each learner.
    """

    points: np.ndarray
    grid: np.ndarray
    at: int
    exact: bool
    truth: np.ndarray
    answers: list[OfLearner]


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Attributions:
    """Attributes every learner's prediction.

    Raises:
        BadInput: all coalitions of too many points were asked for.
    """
    distribution = ensembles[0].distribution
    assert distribution.span is not None
    grid = np.linspace(*distribution.span, QUERIES)
    points, truth = support_of(distribution, config, grid)
    exact = not config.orders or len(points) <= FEW
    if exact and len(points) > MOST_EXACT:
        raise BadInput(f"All coalitions are asked of at most {MOST_EXACT} points; here are {len(points)}.")
    at, answers = int(np.abs(grid - config.query).argmin()), []
    for index, ensemble in enumerate(ensembles):
        share = part(progress, index / len(ensembles), (index + 1) / len(ensembles))
        answers.append(_answer(ensemble, points, grid, at, replace(config, orders=0) if exact else config, share))
    return Attributions(points, grid, at, exact, truth, answers)


def support_of(distribution: TaskDistribution, config: Config, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The support (K, 2) that a configuration means, and the true function on the grid (NaN where it is unknown)."""
    if config.points:
        return np.array(config.points, float), np.full(len(grid), np.nan)
    tasks, _ = tasks_of(distribution, TASKS)
    if tasks.support_x.shape[1] > MOST_POINTS:
        raise BadInput(f"At most {MOST_POINTS} points are attributed to; these tasks have {tasks.support_x.shape[1]}.")
    points = torch.cat([tasks.support_x[config.task], tasks.support_y[config.task]], -1).double().numpy()
    truth = truths(distribution, TASKS, torch.as_tensor(grid).unsqueeze(-1))
    return points, np.full(len(grid), np.nan) if truth is None else truth[config.task]


def _answer(
    ensemble: Ensemble, points: np.ndarray, grid: np.ndarray, at: int, config: Config, progress: Progress
) -> OfLearner:
    coalitions, k = coalitions_of(ensemble, points, grid), len(points)
    walked, without = coalitions.walk(config.baseline)  # first: it ends at the whole support
    progress(0.2)
    everything = coalitions.values([(1 << k) - 1])[:, 0]
    leave_one_out = everything[:, None] - coalitions.values([(1 << k) - 1 - (1 << i) for i in range(k)])
    shapley, error = shapley_values(coalitions, config.orders, part(progress, 0.2, 0.8))
    integrated = integrated_gradients(ensemble, points, float(grid[at]), config)
    progress(0.9)
    inside = through_layers(ensemble, points, float(grid[at])) if config.inside else nothing(len(ensemble.runs))
    progress(1.0)
    return OfLearner(
        ensemble.learner.name,
        [run.seed for run in ensemble.runs],
        coalitions.values([0])[:, 0],
        everything,
        leave_one_out,
        shapley,
        error[..., at],
        integrated,
        walked,
        (everything - without)[:, at],
        **inside,
    )


# ---- labels ------------------------------------------------------------------------------------------


def differentiable(learner: Learner) -> Learner:
    """The same adaptation with its whole graph: what first-order learners hide in training is part of the function."""
    changes: dict[str, Any] = {"first_order": False}
    return replace(learner, **changes) if "first_order" in {f.name for f in fields(learner)} else learner


def integrated_gradients(ensemble: Ensemble, points: np.ndarray, query: float, config: Config) -> np.ndarray:
    """Integrated gradients of the prediction over the labels, (seeds, K)."""
    from captum.attr import IntegratedGradients

    learner, seeds = differentiable(ensemble.learner), len(ensemble.runs)
    x, y, at = in_type(ensemble, points, query)

    def said(labels: Tensor) -> Tensor:
        """Predictions (rows,) from labels (rows, K): for every step of the integral all seeds in turn."""
        params, inputs = repeat(ensemble.params, len(labels) // seeds), x.expand(len(labels), -1, -1)
        return (adapted if stacks(learner) else vmap(adapted))(params, inputs, labels.unsqueeze(-1))

    def adapted(params: Params, inputs: Tensor, labels: Tensor) -> Tensor:
        state = after(learner, params, inputs, labels, learner.evaluation_steps)
        return learner.predict(params, state, at)[..., 0, 0]

    labels = y.expand(seeds, -1)
    baseline = baselines(ensemble, x, y.unsqueeze(-1), config.baseline).to(y)
    found = IntegratedGradients(said).attribute(labels, baseline, n_steps=config.steps)
    return np.asarray(found.detach().double().numpy())


PROBE = Probe(
    name="attribution",
    question="Which support points, labels, layers and units made a prediction?",
    config=Config,
    needs=(OneInput(), Rowwise()),
    ask=ask,
)
