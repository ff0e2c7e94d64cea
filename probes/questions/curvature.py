r"""How curved are the task loss and the meta-loss? Eigenvalues, trace, spectral density, sharpness, of any run.

The task loss L(w) is looked at where a learner's adaptation to one held-out task has led (or any step before), on the
support points, where the inner loop walks, or on the query points. The meta-loss L_meta(theta) is that of the first
held-out tasks, around the meta-parameters: the query loss after the T inner steps of meta-training, differentiated
exactly, also for first-order learners. With the Hessian H of either, by exact Hessian-vector products:

    high, low   the k largest and the k smallest eigenvalues (Lanczos); a negative one is a direction downhill
    trace       mean of z^T H z over random signs z, with its standard error (Hutchinson, 1989)
    density     how the eigenvalues lie between: nodes and weights of stochastic Lanczos quadrature
    sharpness   the largest rise of the loss within radius r |w| of the centre (Keskar et al., ICLR 2017, in a ball),
                found by projected gradient ascent from the gradient and the first eigenvector: a lower bound

All are of the parameters as they are: a parametrisation that is used ten times as large has a hundredth of the
curvature (Dinh et al., ICML 2017). The task loss is one function of the same network for all learners; the meta-loss
is over each learner's own meta-parameters. Where a training kept weights, the same numbers along it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
import torch
from pydantic import Field

from engine.learners import Learner, Params
from engine.runs.ensembles import Ensemble
from engine.tasks import Task, stream
from probes.needs import AnyOf
from probes.probe import Probe, Progress, part
from probes.tools import surfaces
from probes.tools.losses import Surface, gradient, hessian_vector
from probes.tools.meta_curvature import hutchinson
from probes.tools.spectrum import Product, ascent, ends, quadrature
from probes.tools.surfaces import META, Loss, Points

DIRECTIONS = 41  # the stream that random directions are drawn from
OF_ENDS = 150  # products that both ends of a spectrum take, about: for the progress
OF_ASCENT = 2  # products that a step of the ascent costs from all its starts, about


class Asked(Protocol):
    """What both probes of the landscape are told."""

    @property
    def loss(self) -> Loss: ...
    @property
    def step(self) -> int: ...


@dataclass(frozen=True)
class Config:
    """Which loss, and how closely to look.

    Attributes:
        loss: "task" or "meta".
        task: number of the held-out task.
        step: inner step at whose weights the task loss is looked at; -1: the last one.
        points: "support" or "query", of the task loss.
        tasks: held-out tasks in the meta-loss.
        top: k, eigenvalues at each end.
        vectors: random directions for the trace.
        spectra, lanczos: random starts for the density, and Lanczos steps from each; 0 starts: no density.
        radius: r of the sharpness, in units of the length of the parameters.
        ascent: steps of the ascent.
        along: look at the weights that trainings kept, too.
        seeds: runs of each learner, the first ones.
    """

    loss: Loss = "task"
    task: Annotated[int, Field(ge=0, lt=surfaces.HELD_OUT)] = 0
    step: Annotated[int, Field(ge=-1, le=1000)] = -1
    points: Points = "support"
    tasks: Annotated[int, Field(ge=1, le=surfaces.HELD_OUT)] = 10
    top: Annotated[int, Field(ge=1, le=50)] = 5
    vectors: Annotated[int, Field(ge=2, le=1000)] = 30
    spectra: Annotated[int, Field(ge=0, le=100)] = 4
    lanczos: Annotated[int, Field(ge=2, le=500)] = 60
    radius: Annotated[float, Field(gt=0, le=1)] = 0.05
    ascent: Annotated[int, Field(ge=1, le=200)] = 10
    along: bool = False
    seeds: Annotated[int, Field(ge=1, le=100)] = 100


@dataclass(frozen=True)
class Curved:
    """One learner's loss at one moment.

    Attributes:
        learner: its registered name.
        iteration: of the training; -1: the weights of the run.
        size: parameters N.
        norm: their length, (seeds,).
        loss, slope: the loss there, and the length of its gradient, (seeds,).
        high, low: largest eigenvalues, falling, and smallest ones, rising, (seeds, k).
        trace, trace_error: of the Hessian, and the standard error, (seeds,).
        nodes, weights: of the spectral density, (seeds, spectra, lanczos).
        sharpness: the largest rise found in the ball, (seeds,).
    """

    learner: str
    iteration: int
    size: int
    norm: np.ndarray
    loss: np.ndarray
    slope: np.ndarray
    high: np.ndarray
    low: np.ndarray
    trace: np.ndarray
    trace_error: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    sharpness: np.ndarray


@dataclass(frozen=True)
class Curvature:
    """All learners, in the order asked.

    Attributes:
        loss: "task" or "meta".
        radius: of the ball, in units of the length of the parameters.
        seeds: of each learner's runs, by its name.
        steps: the inner step of the task loss, or T of the meta-loss, by name.
        curved: from the first kept weights to the trained ones.
        left_out: one sentence for each learner that does not have this loss, by name.
    """

    loss: str
    radius: float
    seeds: dict[str, list[int]]
    steps: dict[str, int]
    curved: list[Curved]
    left_out: dict[str, str]


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Curvature:
    """Looks at every learner, seed by seed, along its training where asked."""
    reasons = {e.learner.name: surfaces.why_not(e, config.loss) for e in ensembles}
    shown = [e for e in ensembles if reasons[e.learner.name] is None]
    curved: list[Curved] = []
    for index, ensemble in enumerate(shown):
        runs = ensemble.runs[: config.seeds]
        found = surfaces.moments(runs, along=config.along)
        share = part(progress, index / len(shown), (index + 1) / len(shown))
        for at, (iteration, every) in enumerate(found):
            rows = []
            for seed, params in enumerate(every):
                done = (at * len(every) + seed) / (len(found) * len(every))
                of_seed = part(share, done, done + 1 / (len(found) * len(every)))
                rows.append(measured(_surface(ensemble, params, config), config, of_seed))
            columns = {name: np.stack([row[name] for row in rows]) for name in rows[0] if name != "size"}
            curved.append(Curved(ensemble.learner.name, iteration, int(rows[0]["size"]), **columns))
    progress(1.0)
    return Curvature(
        config.loss,
        config.radius,
        {e.learner.name: [run.seed for run in e.runs[: config.seeds]] for e in shown},
        {e.learner.name: step_of(e.learner, config) for e in shown},
        curved,
        {name: reason for name, reason in reasons.items() if reason},
    )


def step_of(learner: Learner, config: Asked) -> int:
    """The inner step that the task loss is looked at, or T of the meta-loss."""
    if config.loss == META:
        return learner.train_steps
    return learner.evaluation_steps if config.step < 0 else config.step


def _surface(ensemble: Ensemble, params: Params, config: Config) -> Surface:
    learner, distribution = ensemble.learner, ensemble.distribution
    if config.loss == META:
        return surfaces.meta_loss(learner, params, surfaces.first_tasks(distribution, config.tasks))
    task: Task = surfaces.one_task(distribution, config.task)
    state = surfaces.adapted(learner, params, task, config.step)[-1]
    return surfaces.task_loss(learner, params, state, task, config.points)


def measured(surface: Surface, config: Config, progress: Progress) -> dict[str, np.ndarray]:
    """All measures at the centre of a surface, by the names of `Curved`."""
    n, at, directions = surface.size, surface.centre, stream("page", DIRECTIONS)
    with torch.no_grad():
        loss = float(surface.loss(at))
    slope = gradient(surface, at)
    total = OF_ENDS + config.vectors + config.spectra * min(config.lanczos, n) + OF_ASCENT * config.ascent
    product = counted(hessian_vector(surface, at), total, progress)
    found = ends(product, n, config.top)
    every = torch.ones(n, dtype=torch.bool)
    trace, error = hutchinson(product, n, {META: every}, directions, config.vectors)[META]
    nodes, weights = quadrature(product, n, directions, config.spectra, config.lanczos)
    first = torch.as_tensor(np.nan_to_num(found.vectors[0]))
    rise = ascent(surface, at, torch.stack([slope, first, -first]), config.radius * surfaces.length(at), config.ascent)
    progress(1.0)
    return {
        "size": np.array(n),
        "norm": np.array(surfaces.length(at)),
        "loss": np.array(loss),
        "slope": np.array(surfaces.length(slope)),
        "high": found.high,
        "low": found.low,
        "trace": np.array(trace),
        "trace_error": np.array(error),
        "nodes": nodes,
        "weights": weights,
        "sharpness": np.array(rise),
    }


def counted(product: Product, total: int, progress: Progress) -> Product:
    """The same product, which says after each one what share of about `total` is done; so any of them can cancel."""
    done = 0

    def counting(v: torch.Tensor) -> torch.Tensor:
        nonlocal done
        found = product(v)
        done += 1
        progress(min(done / total, 0.99))
        return found

    return counting


PROBE = Probe(
    name="curvature",
    question="How curved are the task loss around adapted weights and the meta-loss around meta-parameters?",
    config=Config,
    needs=(AnyOf(*surfaces.LOSSES.values()),),
    ask=ask,
)
