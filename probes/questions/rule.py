r"""What is the rule that a learner has learned, as a function? And how much of its learning does a simple one explain?

Three kinds of learners carry a learned rule: OP-LSTM (what to write, from label and prediction, or from activation and
message), TURTLE (how far to move, from gradient and history) and the meta-learner LSTMs (how fast to follow a gradient
and how much to keep). Their rules are called on grids (`tools.rule_pictures`), and read as short lists of terms by
least squares on what they said while adapting to some tasks (`tools.rule_readings`). Every reading then takes the
rule's place, on other tasks:

    explained = (L_before - L_reading) / (L_before - L_own)

with the mean query loss L before adapting, after adapting with the reading, and after adapting with the learned rule.
Terms explain variance of the rule (its share) and performance (explained); the two need not agree. Two controls for
OP-LSTM: its cells with their memory cleared before every pass, and one of them silent (h = 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from engine.evaluation import diverged, knowing_nothing
from engine.learners.op_lstm import OPLSTM
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task, stream
from probes.probe import Probe, Progress, part
from probes.tools import rule_pictures, scoring
from probes.tools.representations import tasks_lazily
from probes.tools.rule_fits import SILENT, Heard, Read, overheard, read, with_learner, with_reading
from probes.tools.rule_hooks import forgetful, kind_of
from probes.tools.rule_pictures import Gates, Moves
from probes.tools.rule_readings import GRADIENT, LINEAR, READINGS
from probes.tools.rule_surfaces import Surfaces

BEFORE, OWN, FORGETFUL, ALL_PARTS = "before adapting", "its own rule", "its own rule, memory cleared", "all"


@dataclass(frozen=True)
class Config:
    """Tasks that readings are fitted on, other (held-out) tasks that they are run on, and the fineness of grids."""

    fitted_on: Annotated[int, Field(ge=1, le=500)] = 40
    tasks: Annotated[int, Field(ge=1, le=5000)] = 200
    grid: Annotated[int, Field(ge=5, le=201)] = 41


@dataclass(frozen=True)
class InPlace:
    """Query losses (seeds, tasks) with a reading of some parts in the place of the rule.

    Attributes:
        reading: one of the readings, or "before adapting", "its own rule", "its own rule, memory cleared", "silent".
        parts: "all", or the one part that is replaced.
        losses: NaN for an adaptation that ran away.
    """

    reading: str
    parts: str
    losses: np.ndarray


@dataclass(frozen=True)
class OfLearner:
    """One learner's rule.

    Attributes:
        learner: its registered name.
        kind: "op-lstm", "turtle" or "meta-lstm".
        seeds: the seeds of its runs.
        steps: inner steps.
        reads: every part in every reading.
        in_place: losses before adapting, with the learned rule, and with each reading.
        nothing: the loss of saying 0 everywhere.
        surfaces, moves, gates: the rule on grids; the one that belongs to the kind of learner, the others None.
    """

    learner: str
    kind: str
    seeds: list[int]
    steps: int
    reads: list[Read]
    in_place: list[InPlace]
    nothing: float
    surfaces: Surfaces | None
    moves: Moves | None
    gates: Gates | None

    @property
    def picture(self) -> Surfaces | Moves | Gates:
        """The one picture that there is."""
        found = self.surfaces or self.moves or self.gates
        assert found is not None
        return found


@dataclass(frozen=True)
class Rules:
    """One answer per ensemble, in the order asked."""

    answers: list[OfLearner]


@dataclass(frozen=True)
class LearnedRule:
    """A learned update rule."""

    says = "It carries a learned update rule."

    def __call__(self, ensemble: Ensemble) -> str | None:
        learner = ensemble.learner
        return None if kind_of(learner) else f"{learner.title} has no learned update rule to look at."


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Rules:
    """Draws, reads and replaces the rule of every learner."""
    answers = []
    for index, ensemble in enumerate(ensembles):
        low, high = index / len(ensembles), (index + 1) / len(ensembles)
        answers.append(_answer(ensemble, config, part(progress, low, high)))
    return Rules(answers)


def _answer(ensemble: Ensemble, config: Config, progress: Progress) -> OfLearner:
    learner = ensemble.learner
    kind = kind_of(learner)
    assert kind is not None
    fitting = ensemble.distribution.lazy(stream("page", 21), config.fitted_on)
    heard = overheard(ensemble, fitting)
    progress(0.2)
    reads = read(ensemble, heard)
    progress(0.4)
    tasks, _ = tasks_lazily(ensemble.distribution, config.tasks)
    nothing = knowing_nothing(ensemble.distribution, tasks)
    picture = rule_pictures.picture(ensemble, fitting, heard, config.grid)
    progress(0.5)
    found = _in_place(ensemble, reads, heard, tasks, nothing, part(progress, 0.5, 1.0))
    seeds = [run.seed for run in ensemble.runs]
    return OfLearner(
        learner.name,
        kind.base.name,
        seeds,
        learner.evaluation_steps,
        reads,
        found,
        nothing,
        picture if isinstance(picture, Surfaces) else None,
        picture if isinstance(picture, Moves) else None,
        picture if isinstance(picture, Gates) else None,
    )


def _in_place(
    ensemble: Ensemble,
    reads: Sequence[Read],
    heard: Heard,
    tasks: Task | Pooled,
    nothing: float,
    progress: Progress,
) -> list[InPlace]:
    """Query losses before adapting, with the learned rule, and with every reading of all parts and of each."""
    last = ensemble.learner.evaluation_steps
    own = scoring.query_losses(ensemble, tasks, [0, last])
    found = [InPlace(BEFORE, ALL_PARTS, own[..., 0]), InPlace(OWN, ALL_PARTS, _kept(own[..., 1:], nothing))]
    wanted: list[tuple[str, str, Ensemble]] = []
    if isinstance(ensemble.learner, OPLSTM):
        wanted.append((FORGETFUL, ALL_PARTS, with_learner(ensemble, forgetful(ensemble.learner))))
        silent = [replace(r, reading=SILENT, coefficients=0 * r.coefficients) for r in reads if r.reading == GRADIENT]
        wanted += [(SILENT, name, with_reading(ensemble, silent, SILENT, [name], heard)) for name in heard]
    parts = list(heard)
    for reading in READINGS:
        alone = [[name] for name in parts] if len(parts) > 1 and reading != LINEAR else []
        for replaced in [parts, *alone]:
            title = ALL_PARTS if replaced == parts else replaced[0]
            wanted.append((reading, title, with_reading(ensemble, reads, reading, replaced, heard)))
    for done, (reading, title, other) in enumerate(wanted, start=1):
        losses = scoring.query_losses(other, tasks, [last])
        found.append(InPlace(reading, title, _kept(losses, nothing)))
        progress(done / len(wanted))
    return found


def _kept(losses: np.ndarray, nothing: float) -> np.ndarray:
    """Losses (seeds, tasks, 1) as (seeds, tasks), NaN for those that ran away."""
    return np.where(diverged(losses, nothing), np.nan, losses[..., 0])


PROBE = Probe(
    name="rule",
    question="What is the rule that a learner has learned, as a function, and how much does a simple reading explain?",
    config=Config,
    needs=(LearnedRule(),),
    ask=ask,
)
