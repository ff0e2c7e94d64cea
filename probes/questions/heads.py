"""What does the learned output layer contribute? The learned head against a fresh random one.

The last layer of the learned start is replaced by a freshly initialised one, another for every task and seed; the body
stays, and the learner adapts as usual to the same tasks (Huisman et al. 2023: learned output-layer weights are one of
two reasons why MAML and Reptile specialise). See `engine.heads`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import BadInput
from engine.evaluation import diverged, knowing_nothing
from engine.heads import fresh_heads
from engine.runs.ensembles import Ensemble
from engine.tasks import stream
from engine.trees import stack
from probes.probe import Probe, Progress
from probes.questions.behaviour import Config
from probes.tools import scoring
from probes.tools.representations import tasks_lazily


@dataclass(frozen=True)
class Contribution:
    """One learner with both heads, on the same tasks.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        steps: inner steps looked at, (stops,).
        learned, fresh: losses (seeds, tasks, stops); NaN for adaptations that ran away with that head.
        diverged: how many did, of seeds x tasks, with the learned and with the fresh head.
        nothing: the loss of saying 0 everywhere.
        learned_right, fresh_right: accuracies likewise, where there are classes.
    """

    learner: str
    seeds: list[int]
    steps: np.ndarray
    learned: np.ndarray
    fresh: np.ndarray
    diverged: tuple[int, int]
    nothing: float
    learned_right: np.ndarray | None = None
    fresh_right: np.ndarray | None = None


@dataclass(frozen=True)
class Heads:
    """One answer per learner, in the order asked."""

    answers: list[Contribution]


@dataclass(frozen=True)
class FreshHead:
    """A learned output layer that a fresh one can replace."""

    says = "It starts from a network with a learned output layer."

    def __call__(self, ensemble: Ensemble) -> str | None:
        try:
            fresh_heads(ensemble.learner, ensemble.runs[0].params, stream("head"), 1)
        except BadInput:
            return f"{ensemble.learner.title} has no learned output layer that a fresh one could replace."
        return None


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Heads:
    """Adapts every seed twice to every task."""
    answers = []
    for i, ensemble in enumerate(ensembles):
        learner = ensemble.learner
        distribution = scoring.with_shots(ensemble.distribution, config.shots)
        tasks, _ = tasks_lazily(distribution, config.tasks)
        steps = scoring.stops(config.steps or learner.evaluation_steps, (learner.evaluation_steps,))
        heads = stack([fresh_heads(learner, r.params, stream("head", r.seed), config.tasks) for r in ensemble.runs], 1)
        nothing = knowing_nothing(distribution, tasks)
        found, right, counts = [], [], []
        for j, chosen in enumerate((None, heads)):
            show = scoring.shared(scoring.shared(progress, i, len(ensembles)), j, 2)
            losses, shares = scoring.query_scores(ensemble, tasks, steps, heads=chosen, progress=show)
            ran_away = diverged(losses, nothing)
            found.append(np.where(ran_away[..., None], np.nan, losses))
            right.append(None if shares is None else np.where(ran_away[..., None], np.nan, shares))
            counts.append(int(ran_away.sum()))
        seeds = [run.seed for run in ensemble.runs]
        both, at = (counts[0], counts[1]), np.array(steps)
        answers.append(Contribution(learner.name, seeds, at, found[0], found[1], both, nothing, right[0], right[1]))
    return Heads(answers)


PROBE = Probe(
    name="heads",
    question="What does the learned output layer contribute?",
    config=Config,
    needs=(FreshHead(),),
    ask=ask,
)
