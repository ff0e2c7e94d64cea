"""How does the query loss fall, inner step by inner step, on tasks that no learner has met?

All learners with the same task distribution meet the same held-out tasks, so that their losses can be paired task by
task. Losses are mean squared errors; where there are classes, cross-entropies, with the accuracies beside them. Step 0
is the *direct* loss, before any adaptation; the last step is what the learner is evaluated at. Meta-training looked T
steps ahead; what happens in steps beyond those it never saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from engine.evaluation import diverged, knowing_nothing
from engine.runs.ensembles import Ensemble
from probes.probe import Probe, Progress
from probes.tools import scoring
from probes.tools.representations import tasks_lazily


@dataclass(frozen=True)
class Config:
    """How many held-out tasks; support points (None: as trained) and inner steps (None: as tested) of each."""

    tasks: Annotated[int, Field(ge=1, le=10_000)] = 200
    shots: Annotated[int, Field(ge=1, le=1000)] | None = None
    steps: Annotated[int, Field(ge=1, le=1000)] | None = None


@dataclass(frozen=True)
class Curve:
    """One learner's losses.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        tasks: which tasks these are: learners with the same text met the same ones.
        shots: support points per task.
        steps: the inner steps looked at, ascending from 0, (stops,).
        trained_steps, tested_steps: inner steps in meta-training, and those it is evaluated at.
        losses: (seeds, tasks, stops); NaN throughout for an adaptation that ran away.
        diverged: which ones did, (seeds, tasks).
        nothing: the loss of saying 0 everywhere, or of all classes being equally likely.
        hidden: parameters of the tasks, (tasks,) each, by name; nothing where they have no names.
        accuracies: as losses, where there are classes.
        chance: the accuracy of guessing.
    """

    learner: str
    seeds: list[int]
    tasks: str
    shots: int
    steps: np.ndarray
    trained_steps: int
    tested_steps: int
    losses: np.ndarray
    diverged: np.ndarray
    nothing: float
    hidden: dict[str, np.ndarray]
    accuracies: np.ndarray | None = None
    chance: float | None = None

    @property
    def scores(self) -> np.ndarray:
        """What people compare, (seeds, tasks, stops): losses, or accuracies, of which more is better."""
        return self.losses if self.accuracies is None else self.accuracies

    def at(self, step: int) -> np.ndarray:
        """The scores (seeds, tasks) at the last stop that is not after `step`."""
        return self.scores[..., int(np.flatnonzero(self.steps <= step)[-1])]


@dataclass(frozen=True)
class Behaviour:
    """One curve per learner, in the order asked; `measure` says what a loss is."""

    measure: str
    curves: list[Curve]


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Behaviour:
    """Adapts every seed of every learner to every task."""
    curves = []
    for i, ensemble in enumerate(ensembles):
        learner = ensemble.learner
        distribution = scoring.with_shots(ensemble.distribution, config.shots)
        tasks, hidden = tasks_lazily(distribution, config.tasks)
        steps = scoring.stops(config.steps or learner.evaluation_steps, (learner.train_steps, learner.evaluation_steps))
        show = scoring.shared(progress, i, len(ensembles))
        losses, right = scoring.query_scores(ensemble, tasks, steps, progress=show)
        nothing = knowing_nothing(distribution, tasks)
        ran_away = diverged(losses, nothing)
        curves.append(
            Curve(
                learner.name,
                [run.seed for run in ensemble.runs],
                f"{distribution} x {config.tasks}",
                distribution.shots,
                np.array(steps),
                learner.train_steps,
                learner.evaluation_steps,
                np.where(ran_away[..., None], np.nan, losses),
                ran_away,
                nothing,
                hidden,
                None if right is None else np.where(ran_away[..., None], np.nan, right),
                None if right is None else 1 / distribution.spec.output_dim,
            )
        )
    return Behaviour(scoring.measure(ensembles[0].distribution), curves)


PROBE = Probe(
    name="behaviour",
    question="How does the query loss fall, inner step by inner step, on held-out tasks?",
    config=Config,
    needs=(),
    ask=ask,
)
