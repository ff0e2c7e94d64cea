r"""Which algorithm does a learner resemble, judged by its predictions alone? And does the order of the support matter?

A black box (a plain LSTM) says nothing of how it learns, but what it predicts from a support set can be laid beside
what known algorithms predict from the same one (scikit-learn; tuned, where they have settings, on other tasks of the
same distribution, for each number of points):

    sine basis          ridge regression on sin x and cos x: knows the family, as no other one does; only of tasks
                        whose every true function is a sum of the two
    kernel ridge        with a Gaussian kernel, its width and its strength tuned
    linear ridge        on 1 and x, its strength tuned
    nearest point       says what the nearest support point says
    T steps             gradient descent from a random network of the learners' size, T steps at rate 0.01

Two measures over held-out tasks, at even inputs: the mean squared *distance* of the two predictions, and the *same
mistakes*, the correlation of their errors against the true function. Two good learners are near to each other because
both are near to the truth; only the second tells whether they err alike. Adaptations that ran away (an error above 100
times that of saying 0) are left out.

Order: the support of a task in random orders. The spread is the standard deviation of predictions over the orders, root
mean square over inputs; 0 for a learner that treats the support as a set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from engine.evaluation import diverged
from engine.runs.ensembles import Ensemble
from probes.needs import OneInput, Rowwise, Truth
from probes.probe import Probe, Progress
from probes.tools.algorithms import Algorithm, algorithms, drawn, predictions

Counts = tuple[Annotated[int, Field(ge=1, le=200)], ...]


@dataclass(frozen=True)
class Config:
    """Held-out tasks and where they are looked at.

    Attributes:
        tasks: on which predictions are compared.
        shots: numbers of support points tried.
        points: even inputs.
        steps: of gradient descent from a random network.
        ordered: tasks whose support is shuffled.
        orders: of each.
    """

    tasks: Annotated[int, Field(ge=2, le=1000)] = 60
    shots: Annotated[Counts, Field(min_length=1)] = (1, 2, 3, 5, 7, 10, 15, 20)
    points: Annotated[int, Field(ge=3, le=500)] = 41
    steps: tuple[Annotated[int, Field(ge=1, le=2000)], ...] = (10, 100, 300)
    ordered: Annotated[int, Field(ge=1, le=200)] = 5
    orders: Annotated[int, Field(ge=2, le=1000)] = 100


@dataclass(frozen=True)
class Order:
    """A learner's predictions on supports in many orders.

    Attributes:
        spread: standard deviation over the orders, root mean square over inputs, (seeds, tasks).
        error: root mean squared error in the order of the task, (seeds, tasks).
        support: points (K, 2) of the first task.
        said: of the first seed on the first task, (orders, points).
        truth: of the first task, (points,).
    """

    spread: np.ndarray
    error: np.ndarray
    support: np.ndarray
    said: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class Box:
    """One learner.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        trained_shots: support points in its training.
        said: its predictions, (shots, seeds, tasks, points); NaN for an adaptation that ran away.
        error: mean squared, (seeds, shots).
        distance, mistakes: to each algorithm, (seeds, shots) by its name.
        order: what another order of the support does.
    """

    learner: str
    seeds: list[int]
    trained_shots: int
    said: np.ndarray
    error: np.ndarray
    distance: dict[str, np.ndarray]
    mistakes: dict[str, np.ndarray]
    order: Order


@dataclass(frozen=True)
class Boxes:
    """All learners, and the algorithms they are compared with.

    Attributes:
        shots: numbers of support points, ascending, (n,).
        inputs: where predictions are compared, (points,).
        truth: the true functions there, (tasks, points).
        algorithms: what they say.
        boxes: one for each ensemble, in the order asked.
    """

    shots: np.ndarray
    inputs: np.ndarray
    truth: np.ndarray
    algorithms: list[Algorithm]
    boxes: list[Box]


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Boxes:
    """Lays every learner's predictions beside those of the algorithms."""
    shots = tuple(sorted(set(config.shots)))
    first = ensembles[0].distribution
    known = algorithms(first, config.tasks, config.points, shots, config.steps)
    progress(0.3)
    boxes, (_, grid, truth) = [], drawn(first, max(shots), config.tasks, config.points)
    for index, ensemble in enumerate(ensembles):
        tasks = drawn(ensemble.distribution, max(shots), config.tasks, config.points)[0]
        columns = []
        for done, k in enumerate(shots, start=1):
            columns.append(predictions(ensemble, tasks.support_x[:, :k], tasks.support_y[:, :k], grid))
            progress(0.3 + 0.7 * (index + 0.6 * done / len(shots)) / len(ensembles))
        said = np.stack(columns)
        said[diverged(np.square(said - truth).mean(-1, keepdims=True), np.square(truth).mean())] = np.nan
        boxes.append(
            Box(
                ensemble.learner.name,
                [run.seed for run in ensemble.runs],
                ensemble.distribution.shots,
                said,
                distance(said, truth).T,
                {one.name: distance(said, one.said[:, None]).T for one in known},
                {one.name: mistakes(said, one.said[:, None], truth).T for one in known},
                shuffled(ensemble, config),
            )
        )
        progress(0.3 + 0.7 * (index + 1) / len(ensembles))
    return Boxes(np.array(shots), grid.double().numpy()[:, 0], truth, list(known), boxes)


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The mean squared distance of predictions (..., tasks, points), broadcast against each other."""
    gaps = np.square(a - b)
    known = np.isfinite(gaps)
    with np.errstate(invalid="ignore"):  # nothing is known where all of them ran away
        return np.asarray(np.where(known, gaps, 0.0).sum((-2, -1)) / known.sum((-2, -1)))


def mistakes(a: np.ndarray, b: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The correlation (about 0) of the errors of predictions (..., tasks, points); NaN where one makes none."""
    e, f = np.broadcast_arrays(a - truth, b - truth)
    known, sums = np.isfinite(e * f), []
    for product in (e * f, e * e, f * f):
        sums.append(np.where(known, product, 0.0).sum((-2, -1)))
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[0] / np.sqrt(sums[1] * sums[2]))


def shuffled(ensemble: Ensemble, config: Config) -> Order:
    """A learner's predictions with the support of each task in many orders, the first of them as drawn."""
    distribution = ensemble.distribution
    tasks, grid, truth = drawn(distribution, distribution.shots, config.ordered, config.points)
    k, rng = distribution.shots, np.random.default_rng(0)
    orders = np.stack([np.arange(k), *(rng.permutation(k) for _ in range(config.orders - 1))])
    places = torch.as_tensor(orders)
    x = tasks.support_x[:, places].flatten(0, 1)  # (tasks * orders, K, 1)
    said = predictions(ensemble, x, tasks.support_y[:, places].flatten(0, 1), grid)
    said = said.reshape(len(said), config.ordered, config.orders, -1)
    first = torch.cat([tasks.support_x[0], tasks.support_y[0]], -1).double().numpy()
    return Order(
        np.sqrt(said.var(2).mean(-1)),
        np.sqrt(np.square(said[:, :, 0] - truth).mean(-1)),
        first,
        said[0, 0],
        truth[0],
    )


PROBE = Probe(
    name="blackbox",
    question="Which algorithm does a learner resemble by its predictions, and does the order of the support matter?",
    config=Config,
    needs=(OneInput(), Truth(), Rowwise()),
    ask=ask,
)
