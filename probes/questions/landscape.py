r"""What do the task loss around adapted weights, and the meta-loss around meta-parameters, look like on a plane?

A plane through the centre c (see `probes.tools.planes`), its axes in units of |c|:

    path        the two directions that hold most of the way to the centre (principal components about it)
    random      two random directions, filter-normalised (Li, Xu, Taylor, Studer & Goldstein, NeurIPS 2018)
    eigen       the eigenvectors of the two largest Hessian eigenvalues: where the loss is sharpest
    gradient    the gradient at the centre, and the way to the centre made perpendicular to it
    runs        through three runs (seeds) of the same training: what lies between them

The task loss is that of one held-out task; the way to its centre is the inner loop, step by step. The meta-loss is that
of the first held-out tasks after the T inner steps of meta-training; the way to its centre is the meta-training, from
the weights as drawn, through those that were kept, to the trained ones. A path lies *off* the plane it is drawn on: the
loss at a point of the path and the plane's height below it are different numbers, and both are given, with the share
of the path that the plane holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from engine.errors import BadInput
from engine.learners import Params
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import stream
from probes.needs import AnyOf
from probes.probe import Probe, Progress, part
from probes.questions import curvature
from probes.tools import planes, surfaces
from probes.tools.losses import Surface, double, flat
from probes.tools.surfaces import META, Loss, Points
from probes.tools.weights import weights_of

Directions = Literal["path", "random", "eigen", "gradient", "runs"]
REACH = {"random": 0.5, "eigen": 0.05}  # how far an axis goes to either side at least, in units of |c|; others: 0
DRAWS = 42  # the stream that random directions are drawn from
CHUNK = {"task": 200, "meta": 40}  # networks evaluated at once: bounds memory
LEARNED = 3  # runs that span a plane


@dataclass(frozen=True)
class Config:
    """Which loss, and which plane.

    Attributes:
        loss: "task" or "meta".
        directions: "path", "random", "eigen", "gradient" or "runs".
        task: number of the held-out task.
        step: inner step whose weights are the centre of the task loss; -1: the last one.
        points: "support" or "query", of the task loss.
        tasks: held-out tasks in the meta-loss.
        run: which run of a learner is the centre, counted from 0; its last one for a learner with fewer.
        draw: another number draws other random directions.
        size: places along each axis.
        reach: how far the axes go to either side at least, in units of |c|; 0: as the path, or the runs, need.
    """

    loss: Loss = "task"
    directions: Directions = "path"
    task: Annotated[int, Field(ge=0, lt=surfaces.HELD_OUT)] = 0
    step: Annotated[int, Field(ge=-1, le=1000)] = -1
    points: Points = "support"
    tasks: Annotated[int, Field(ge=1, le=surfaces.HELD_OUT)] = 10
    run: Annotated[int, Field(ge=0)] = 0
    draw: Annotated[int, Field(ge=0)] = 0
    size: Annotated[int, Field(ge=3, le=201)] = 41
    reach: Annotated[float, Field(ge=0, le=10)] = 0.0


@dataclass(frozen=True)
class Way:
    """A path to the centre, on the plane and off it; or the other runs.

    Attributes:
        at: inner steps, iterations, or seeds, (n,).
        xy: projected, (n, 2).
        loss: the true loss there, (n,).
        plane: the loss on the plane below, (n,).
        off: the distance from the plane, in units of |c|, (n,).
        away: the distance from the centre, in units of |c|, (n,).
        explained: the share of the squared distances from the centre that lies in the plane.
    """

    at: np.ndarray
    xy: np.ndarray
    loss: np.ndarray
    plane: np.ndarray
    off: np.ndarray
    away: np.ndarray
    explained: float


@dataclass(frozen=True)
class Plane:
    """One learner's loss on one plane.

    Attributes:
        learner, seed: whose.
        parameters: N.
        norm: |c|.
        centre: the loss at the centre.
        x, y: places along the axes, in units of |c|, (size,).
        values: the loss, (y, x).
        eigenvalues: of the two directions, (2,), where these are eigenvectors; else empty.
        path: the way to the centre.
        runs: the three runs, where they span the plane; else empty.
    """

    learner: str
    seed: int
    parameters: int
    norm: float
    centre: float
    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    eigenvalues: np.ndarray
    path: Way
    runs: Way


@dataclass(frozen=True)
class Landscape:
    """All learners, in the order asked.

    Attributes:
        loss: "task" or "meta".
        directions: of the planes.
        steps: the inner step of the task loss, or T of the meta-loss, by learner's name.
        planes: one for each learner.
        left_out: one sentence for each learner that does not have this loss, or too few runs, by name.
    """

    loss: str
    directions: str
    steps: dict[str, int]
    planes: list[Plane]
    left_out: dict[str, str]


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Landscape:
    """Looks at every learner's plane."""
    reasons = {e.learner.name: why_not(e, config) for e in ensembles}
    shown = [e for e in ensembles if reasons[e.learner.name] is None]
    found = []
    for index, ensemble in enumerate(shown):
        share = part(progress, index / len(shown), (index + 1) / len(shown))
        found.append(_plane(ensemble, config, share))
    progress(1.0)
    return Landscape(
        config.loss,
        config.directions,
        {e.learner.name: curvature.step_of(e.learner, config) for e in shown},
        found,
        {name: reason for name, reason in reasons.items() if reason},
    )


def why_not(ensemble: Ensemble, config: Config) -> str | None:
    """None if the learner has this plane, otherwise one sentence."""
    if config.directions == "runs" and len(ensemble.runs) < LEARNED:
        return f"{ensemble.learner.title} has {len(ensemble.runs)} runs here; three span a plane."
    return surfaces.why_not(ensemble, config.loss)


def _plane(ensemble: Ensemble, config: Config, progress: Progress) -> Plane:
    at = min(config.run, len(ensemble.runs) - 1)
    run = ensemble.runs[at]
    surface, steps, path = _centre(run, config)
    chunk = max(CHUNK[config.loss] // (config.tasks if config.loss == META else 1), 1)
    others = [ensemble.runs[(at + i) % len(ensemble.runs)] for i in range(LEARNED)]
    three = torch.stack([_centre(one, config)[0].centre for one in others]) if config.directions == "runs" else path[:0]
    directions, eigenvalues = _directions(surface, config, path, three, part(progress, 0.0, 0.3))
    on, of_runs = (planes.projected(surface, directions, points) for points in (path, three))
    reach = config.reach or REACH.get(config.directions, 0.0)
    x, y = (planes.axis(*ends, config.size) for ends in planes.limits(np.concatenate([on.xy, of_runs.xy]), reach))
    values = planes.on_plane(surface, directions, x, y, chunk, part(progress, 0.3, 0.95))
    with torch.no_grad():
        centre = float(surface.loss(surface.centre))
    return Plane(
        ensemble.learner.name,
        run.seed,
        surface.size,
        surfaces.length(surface.centre),
        centre,
        x,
        y,
        values,
        eigenvalues,
        _way(surface, directions, steps, path, on, chunk),
        _way(surface, directions, np.array([one.seed for one in others][: len(three)]), three, of_runs, chunk),
    )


def _centre(run: Run, config: Config) -> tuple[Surface, np.ndarray, Tensor]:
    """The surface of a run, and the way to its centre: inner steps or iterations (n,), and vectors (n, N)."""
    learner, params = run.learner, run.params
    if config.loss == META:
        surface = surfaces.meta_loss(learner, params, surfaces.first_tasks(run.distribution, config.tasks))
        copies = {0: surfaces.drawn(run), **run.kept()}
        if len(copies) == 1:
            copies[int(run.record.get("metrics", {}).get("best_iteration") or run.record.get("iteration") or 1)] = (
                params
            )
        order = sorted(copies)
        return surface, np.array(order), torch.stack([_learned(run, copies[i]) for i in order])
    task = surfaces.one_task(run.distribution, config.task)
    states = surfaces.adapted(learner, params, task, config.step)
    surface = surfaces.task_loss(learner, params, states[-1], task, config.points)
    with torch.no_grad():
        path = [flat(double(weights_of(learner, params, state)))[0] for state in states]
    return surface, np.arange(len(path)), torch.stack(path)


def _learned(run: Run, params: Params) -> Tensor:
    """Meta-parameters as the vector that the meta-loss is a function of."""
    return flat(double({name: group for name, group in params.items() if name not in run.learner.running}))[0]


def _directions(
    surface: Surface, config: Config, path: Tensor, three: Tensor, progress: Progress
) -> tuple[Tensor, np.ndarray]:
    """Two directions (2, N), and their eigenvalues where they have any."""
    draws = stream("page", DRAWS, config.draw)
    if config.directions == "eigen":
        return planes.eigen(surface, progress)
    if config.directions == "random":
        found = planes.random(surface, draws)
        if not all(surfaces.length(direction) for direction in found):
            raise BadInput("A network without weights has no filter-normalised directions.")
    elif config.directions == "gradient":
        found = planes.uphill(surface, path[0], draws)
    elif config.directions == "runs":
        found = planes.along(surface, [one - surface.centre for one in three[1:]], draws)
    else:
        found = planes.principal(surface, path, draws)
    progress(1.0)
    return found, np.zeros(0)


def _way(surface: Surface, directions: Tensor, at: np.ndarray, points: Tensor, on: planes.Projected, chunk: int) -> Way:
    """Points of the space with their true losses, and those of the plane below them."""
    if not len(points):
        return Way(at, on.xy, np.zeros(0), np.zeros(0), on.off, on.off, float("nan"))
    below = surface.centre + torch.as_tensor(on.xy) @ directions
    true, plane = (planes.evaluated(surface, part, chunk, lambda _: None) for part in (points, below))
    away = (points - surface.centre).norm(dim=1).numpy() / surfaces.length(surface.centre)
    return Way(at, on.xy, true, plane, on.off, away, on.explained)


PROBE = Probe(
    name="landscape",
    question="What do the task loss and the meta-loss look like around where learning has led?",
    config=Config,
    needs=(AnyOf(*surfaces.LOSSES.values()),),
    ask=ask,
)
