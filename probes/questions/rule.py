r"""What is the rule that a learner has learned, as a function? And how much of its learning does a simple one explain?

Three kinds of learners carry a learned rule: OP-LSTM (what to write, from label and prediction, or from activation and
message), TURTLE (how far to move, from gradient and history) and the meta-learner LSTMs (how fast to follow a gradient
and how much to keep). Their rules are called on grids (`tools.rule_pictures`), and read as short lists of terms by
least squares on what they said while adapting to some tasks (`tools.readings`). Every reading then takes the rule's
place, on other tasks:

    explained = (L_before - L_reading) / (L_before - L_own)

with the mean query loss L before adapting, after adapting with the reading, and after adapting with the learned rule.
Terms explain variance of the rule (its share) and performance (explained); the two need not agree. Two controls for
OP-LSTM: its cells with their memory cleared before every pass, and one of them silent (h = 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.func import vmap

from engine.evaluation import diverged, knowing_nothing
from engine.learners import Learner, Params
from engine.learners.coordinates import flatten
from engine.learners.op_lstm import OPLSTM
from engine.learners.turtle import Turtle
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import Task, stream
from probes.probe import Probe, Progress, part
from probes.questions.updates import in_type_of
from probes.tools import readings, rule_pictures, scoring
from probes.tools.readings import GRADIENT, LINEAR, READINGS
from probes.tools.representations import tasks_of
from probes.tools.rule_pictures import Gates, Moves, Surfaces

BEFORE, OWN, FORGETFUL, ALL_PARTS = "before adapting", "its own rule", "its own rule, memory cleared", "all"
SILENT = "silent"
ROWS = 20_000  # a fit sees at most about so many of the answers of a rule


@dataclass(frozen=True)
class Config:
    """Tasks that readings are fitted on, other (held-out) tasks that they are run on, and the fineness of grids."""

    fitted_on: Annotated[int, Field(ge=1, le=500)] = 40
    tasks: Annotated[int, Field(ge=1, le=5000)] = 200
    grid: Annotated[int, Field(ge=5, le=201)] = 41


@dataclass(frozen=True)
class Read:
    """One part of a rule in one reading.

    Attributes:
        part: "output_lstm", "body_lstm", "optimiser", "i" or "f".
        reading: one of "gradient descent", "linear", "dictionary".
        terms: their names.
        coefficients: (seeds, steps, terms); one step where the rule has no memory.
        share: of the variance of what the rule said, about 0, (seeds, steps).
    """

    part: str
    reading: str
    terms: list[str]
    coefficients: np.ndarray
    share: np.ndarray


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
        return None if readings.kind_of(learner) else f"{learner.title} has no learned update rule to look at."


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Rules:
    """Draws, reads and replaces the rule of every learner."""
    answers = []
    for index, ensemble in enumerate(ensembles):
        low, high = index / len(ensembles), (index + 1) / len(ensembles)
        answers.append(_answer(ensemble, config, part(progress, low, high)))
    return Rules(answers)


def overheard(ensemble: Ensemble, tasks: Task) -> dict[str, tuple[Tensor, Tensor]]:
    """What the parts of a rule were shown and said while adapting.

    Returns:
        By part: inputs (seeds, steps, rows, inputs) and answers (seeds, steps, rows), the rows of all tasks together.
    """
    kind = readings.kind_of(ensemble.learner)
    assert kind is not None
    learner = readings.like(readings.CLASSES[kind][0], ensemble.learner)

    def one(params: Params, task: Task) -> dict[str, tuple[Tensor, Tensor]]:
        learner.trace.clear()
        trajectory = learner.adapt(params, task.support_x, task.support_y)
        steps, found = len(trajectory) - 1, {}
        for name in readings.CLASSES[kind][2]:
            mine = [(u, said) for key, u, said in learner.trace if key == name]
            by_step = [mine[i * len(mine) // steps : (i + 1) * len(mine) // steps] for i in range(steps)]
            if mine:
                seen = torch.stack([torch.cat([u for u, _ in step], -2) for step in by_step])
                found[name] = seen, torch.stack([torch.cat([said for _, said in step], -1) for step in by_step])
        return found

    with torch.no_grad():
        found = vmap(vmap(one, (None, 0)), (0, None))(ensemble.params, tasks)  # (seeds, tasks, steps, rows, ...)
    return {k: (u.transpose(1, 2).flatten(2, 3), said.transpose(1, 2).flatten(2, 3)) for k, (u, said) in found.items()}


def read(ensemble: Ensemble, heard: dict[str, tuple[Tensor, Tensor]]) -> list[Read]:
    """Fits every reading to every part, seed by seed, and step by step where the rule has a memory."""
    found = []
    for name, (seen, said) in heard.items():
        for reading in READINGS:
            names: list[str] = []
            rows = []
            for seed in range(len(ensemble.runs)):
                pairs = [(seen[seed, step], said[seed, step]) for step in range(seen.shape[1])]
                if isinstance(ensemble.learner, Turtle):  # one network for all steps
                    pairs = [(torch.cat([u for u, _ in pairs]), torch.cat([s for _, s in pairs]))]
                fits = [_fit(ensemble, seed, name, reading, u, s) for u, s in pairs]
                names = fits[0][0]
                rows.append([(coefficients, share) for _, coefficients, share in fits])
            coefficients = np.array([[c for c, _ in row] for row in rows])
            found.append(Read(name, reading, names, coefficients, np.array([[s for _, s in row] for row in rows])))
    return found


def _fit(
    ensemble: Ensemble, seed: int, name: str, reading: str, u: Tensor, said: Tensor
) -> tuple[list[str], np.ndarray, float]:
    """One reading of one part, with each row weighted by what it moves."""
    weight: Tensor | None = None
    rates = ensemble.runs[seed].params.get("learning_rates") if name == readings.MOVE else None
    if rates is not None:
        each = flatten(ensemble.learner.network, rates)  # type: ignore[attr-defined]
        weight = each.repeat(len(u) // each.numel())
    if name == readings.MOVE:
        u = torch.cat([u, scale_of(u).expand(len(u), 1)], -1)
    thin = max(len(u) // ROWS, 1)
    u, said, weight = u[::thin], said[::thin], weight[::thin] if weight is not None else None
    if name == readings.INPUT_GATE:
        weight = readings.gradient_of(u).abs()
    elif name == readings.FORGET_GATE:
        weight = u[:, -1].abs()
        names, coefficients, share = readings.fitted(name, reading, u, said - 1, weight)  # what it takes away
        coefficients[0] += 1
        return names, coefficients, share
    return readings.fitted(name, reading, u, said, weight)


def scale_of(u: Tensor) -> Tensor:
    """s: the root mean square of the gradients seen, the first of the inputs u (..., rows, inputs)."""
    return u[..., 0].square().mean().sqrt()


def with_reading(
    ensemble: Ensemble,
    reads: Sequence[Read],
    reading: str,
    parts: Sequence[str],
    heard: dict[str, tuple[Tensor, Tensor]],
) -> Ensemble:
    """The same runs with a reading of the given parts in the place of their rule."""
    kind = readings.kind_of(ensemble.learner)
    assert kind is not None
    chosen = {r.part: r for r in reads if r.reading == reading and r.part in parts}
    named = GRADIENT if reading == SILENT else reading  # its terms; all coefficients are 0
    count = max(r.coefficients.shape[1] for r in chosen.values())
    learner = readings.like(readings.CLASSES[kind][1], ensemble.learner, reading=named, steps_read=count)
    runs = []
    for seed, run in enumerate(ensemble.runs):
        like = heard[next(iter(chosen))][0]
        table = {name: torch.as_tensor(r.coefficients[seed]).to(like) for name, r in chosen.items()}
        if readings.MOVE in chosen:
            table["scale"] = scale_of(heard[readings.MOVE][0][seed])
        runs.append(Run(run.path, learner, run.distribution, {**run.params, "reading": table}, run.record))
    return Ensemble(tuple(runs))


def _answer(ensemble: Ensemble, config: Config, progress: Progress) -> OfLearner:
    learner, params = ensemble.learner, ensemble.runs[0].params
    kind = readings.kind_of(learner)
    assert kind is not None
    fitting = in_type_of(params, ensemble.distribution.sample(stream("page", 21), config.fitted_on))
    heard = overheard(ensemble, fitting)
    progress(0.2)
    reads = read(ensemble, heard)
    progress(0.4)
    tasks = in_type_of(params, tasks_of(ensemble.distribution, config.tasks)[0])
    nothing = knowing_nothing(ensemble.distribution, tasks)
    picture = rule_pictures.picture(ensemble, fitting, heard, config.grid)
    progress(0.5)
    found = _in_place(ensemble, reads, heard, tasks, nothing, part(progress, 0.5, 1.0))
    seeds = [run.seed for run in ensemble.runs]
    return OfLearner(
        learner.name,
        kind.name,
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
    heard: dict[str, tuple[Tensor, Tensor]],
    tasks: Task,
    nothing: float,
    progress: Progress,
) -> list[InPlace]:
    """Query losses before adapting, with the learned rule, and with every reading of all parts and of each."""
    last = ensemble.learner.evaluation_steps
    own = scoring.query_losses(ensemble, tasks, [0, last])
    found = [InPlace(BEFORE, ALL_PARTS, own[..., 0]), InPlace(OWN, ALL_PARTS, _kept(own[..., 1:], nothing))]
    wanted: list[tuple[str, str, Ensemble]] = []
    if isinstance(ensemble.learner, OPLSTM):
        forgetful = readings.like(readings.ForgetfulOPLSTM, ensemble.learner)
        wanted.append((FORGETFUL, ALL_PARTS, _with_learner(ensemble, forgetful)))
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


def _with_learner(ensemble: Ensemble, learner: Learner) -> Ensemble:
    return Ensemble(tuple(Run(r.path, learner, r.distribution, r.params, r.record) for r in ensemble.runs))


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
