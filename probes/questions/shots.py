"""How does the query loss depend on the number of support points, beyond those trained with?

A task's support sets are nested: the first k points of one large set, with the same query points for every k, so that
the same tasks are compared throughout. Learners trained with different numbers of points (the scarcity of data in
training, Huisman et al. 2023) can be asked side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from engine.evaluation import diverged, knowing_nothing
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task, stream
from probes.needs import Regression
from probes.probe import Probe, Progress
from probes.tools import scoring

Counts = tuple[Annotated[int, Field(ge=1, le=200)], ...]


@dataclass(frozen=True)
class Config:
    """How many held-out tasks, and which numbers of support points."""

    tasks: Annotated[int, Field(ge=1, le=10_000)] = 200
    shots: Annotated[Counts, Field(min_length=1)] = (1, 2, 3, 5, 7, 10, 20, 30, 50)


@dataclass(frozen=True)
class ByShots:
    """One learner's losses after its last inner step.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        trained_shots: support points per task in meta-training.
        shots: those tried, ascending, (n,).
        losses: (seeds, tasks, n); NaN for an adaptation that ran away.
        diverged: how many did at each number of points, of seeds x tasks, (n,).
        nothing: the loss of saying 0 everywhere.
    """

    learner: str
    seeds: list[int]
    trained_shots: int
    shots: np.ndarray
    losses: np.ndarray
    diverged: np.ndarray
    nothing: float


@dataclass(frozen=True)
class Shots:
    """One answer per ensemble, in the order asked."""

    answers: list[ByShots]


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Shots:
    """Adapts every seed to nested support sets of the same tasks."""
    wanted = sorted(set(config.shots))
    answers = []
    for i, ensemble in enumerate(ensembles):
        tasks = replace(ensemble.distribution, shots=max(wanted)).lazy(stream("test"), config.tasks)
        last = [ensemble.learner.evaluation_steps]
        nothing = knowing_nothing(ensemble.distribution, tasks)
        columns = []
        for j, k in enumerate(wanted):
            show = scoring.shared(scoring.shared(progress, i, len(ensembles)), j, len(wanted))
            columns.append(scoring.query_losses(ensemble, shortened(tasks, k), last, progress=show))
        losses = np.concatenate(columns, -1)  # (seeds, tasks, n)
        ran_away = diverged(losses[..., None], nothing)
        answers.append(
            ByShots(
                ensemble.learner.name,
                [run.seed for run in ensemble.runs],
                ensemble.distribution.shots,
                np.array(wanted),
                np.where(ran_away, np.nan, losses),
                ran_away.sum((0, 1)),
                nothing,
            )
        )
    return Shots(answers)


def shortened(tasks: Task | Pooled, k: int) -> Task | Pooled:
    """The same tasks with the first k points of their supports."""
    x, y = tasks.support_x[:, :k], tasks.support_y[:, :k]
    if isinstance(tasks, Pooled):
        return replace(tasks, support_x=x, support_y=y)
    return tasks._replace(support_x=x, support_y=y)


PROBE = Probe(
    name="shots",
    question="How does the query loss depend on the number of support points?",
    config=Config,
    needs=(Regression("support sets are shortened point by point"),),
    ask=ask,
)
