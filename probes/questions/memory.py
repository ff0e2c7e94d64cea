r"""What does the hidden state of a plain LSTM hold of the task, and when does it come to hold it?

The amplitude and the phase in which held-out tasks differ are decoded linearly from all hidden states h that a query
is conditioned on: ridge regression and the R^2 on five folds left out, by the recipe of `questions.broadness`. Twice:

    by examples   after adapting, all passes, to the first k points of the support
    by reading    along the way through the whole support: after every single point of every pass for an LSTM that reads
                  them one after the other, after every pass for one that pools them

Controls: the same from the states of the learner as drawn for its seed, and from the raw numbers x_1, y_1 ... x_k, y_k.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.func import vmap

from engine.learners import Learner, Params, State
from engine.learners.lstm import PooledLSTM
from engine.learners.lstm_sequential import SequentialLSTM
from engine.runs.ensembles import Ensemble
from engine.tasks import Task
from probes.needs import HiddenParameters
from probes.probe import Probe, Progress
from probes.questions.broadness import PARAMETERS, decoded
from probes.tools.representations import tasks_of, untrained
from probes.tools.weights import in_type_of


@dataclass(frozen=True)
class Config:
    """Held-out tasks whose parameters are decoded, and along how much of the reading (None: every stop)."""

    tasks: Annotated[int, Field(ge=20, le=5000)] = 300
    stops: Annotated[int, Field(ge=2, le=1000)] | None = None


@dataclass(frozen=True)
class Memory:
    """One learner; R^2 of ("amplitude", "phase").

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        shots, passes: points of the support, and passes over it.
        examples: how many of the points were given, (k,).
        by_examples, control: after adapting to so many points, trained and untrained, (seeds, k, 2).
        raw: from the raw numbers of the points, (k, 2).
        read: points read so far, over all passes, (stops,).
        by_reading: (seeds, stops, 2).
    """

    learner: str
    seeds: list[int]
    shots: int
    passes: int
    examples: np.ndarray
    by_examples: np.ndarray
    control: np.ndarray
    raw: np.ndarray
    read: np.ndarray
    by_reading: np.ndarray


@dataclass(frozen=True)
class Memories:
    """One answer per ensemble, in the order asked."""

    answers: list[Memory]


def applies_to(learner: Learner) -> bool:
    """Whether a query reads a hidden state of this learner."""
    return isinstance(learner, PooledLSTM | SequentialLSTM)


@dataclass(frozen=True)
class HiddenState:
    """A hidden state that a query reads."""

    says = "It keeps the support in a hidden state that a query reads."

    def __call__(self, ensemble: Ensemble) -> str | None:
        known = applies_to(ensemble.learner)
        return None if known else f"{ensemble.learner.title} keeps nothing in a hidden state that a query would read."


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Memories:
    """Decodes the task from every learner's states."""
    answers = []
    for index, ensemble in enumerate(ensembles):
        tasks, hidden = tasks_of(ensemble.distribution, config.tasks)
        tasks = in_type_of(ensemble.runs[0].params, tasks)
        targets = np.stack([hidden[name] for name in PARAMETERS], 1)
        learner, shots = ensemble.learner, ensemble.distribution.shots
        places = reading_places(learner, shots)
        every = max(len(places) // (config.stops or len(places)), 1)
        kept = sorted({*range(0, len(places), every), len(places) - 1})
        total, done = 2 * shots + len(kept), 0

        def told(codes: np.ndarray, targets: np.ndarray = targets) -> np.ndarray:
            nonlocal done
            done += 1
            progress((index + min(done / total, 1)) / len(ensembles))  # noqa: B023
            return np.stack([decoded(seed, targets) for seed in codes])

        found = {}
        for name, params in (("trained", ensemble.params), ("control", untrained(ensemble))):
            codes = [after(learner, params, tasks, k) for k in range(1, shots + 1)]
            found[name] = np.stack([told(code) for code in codes], 1)
        along = while_reading(learner, ensemble.params, tasks)
        points = torch.cat([tasks.support_x, tasks.support_y], -1).double().numpy()
        raw = [decoded(points[:, :k].reshape(len(points), -1), targets) for k in range(1, shots + 1)]
        answers.append(
            Memory(
                learner.name,
                [run.seed for run in ensemble.runs],
                shots,
                learner.evaluation_steps,
                np.arange(1, shots + 1),
                found["trained"],
                found["control"],
                np.stack(raw),
                np.array(places)[kept],
                np.stack([told(along[:, :, i]) for i in kept], 1),
            )
        )
    return Memories(answers)


def code(state: State) -> Tensor:
    """All hidden states that a query reads, from the lowest layer up: (sum of sizes,)."""
    return torch.cat([state[key][0] for key in sorted(state) if key.startswith("h") and key[1:].isdigit()])


def after(learner: Learner, params: Params, tasks: Task, k: int) -> np.ndarray:
    """The code after adapting to the first k points of every task: (seeds, tasks, d)."""

    def one(params: Params, support_x: Tensor, support_y: Tensor) -> Tensor:
        return code(learner.adapt(params, support_x[:k], support_y[:k])[-1])

    return _batched(one, params, tasks)


def reading_places(learner: Learner, shots: int) -> list[int]:
    """After how many points read the state is looked at on the way."""
    passes = learner.evaluation_steps
    one_by_one = not learner.permutation_invariant
    return list(range(1, passes * shots + 1)) if one_by_one else [shots * t for t in range(1, passes + 1)]


def while_reading(learner: Learner, params: Params, tasks: Task) -> np.ndarray:
    """The code at every one of `reading_places`: (seeds, tasks, places, d).

    A pass of an LSTM that reads its points in order is the same as steps on one point each.
    """

    def one(params: Params, support_x: Tensor, support_y: Tensor) -> Tensor:
        state = learner.start(params, support_x, support_y)
        codes = []
        for _ in range(learner.evaluation_steps):
            if learner.permutation_invariant:
                state = learner.step(params, state, support_x, support_y)
                codes.append(code(state))
                continue
            for i in range(len(support_x)):
                state = learner.step(params, state, support_x[i : i + 1], support_y[i : i + 1])
                codes.append(code(state))
        return torch.stack(codes)

    return _batched(one, params, tasks)


def _batched(one: Callable[..., Tensor], params: Params, tasks: Task) -> np.ndarray:
    with torch.no_grad():
        found = vmap(vmap(one, (None, 0, 0)), (0, None, None))(params, tasks.support_x, tasks.support_y)
    return found.double().numpy()


PROBE = Probe(
    name="memory",
    question="What does the hidden state of a plain LSTM hold of the task, after each example?",
    config=Config,
    needs=(HiddenState(), HiddenParameters(*PARAMETERS)),
    ask=ask,
)
