r"""Which way do updates point: down the gradient, to the least-squares head, or to the prototypes?

As in section 4.6 of the notes on OP-LSTM (Huisman et al., arXiv 2310.14139, who ask it of a convolutional OP-LSTM), for
every inner step t = 1 ... T of a task, with the network W_{t-1} as it is before the step:

    update       what the step writes: for OP-LSTM the raw outer products Delta in the direction in which they are
                 applied, which is that of gamma's sign; for other learners W_t - W_{t-1}
    gradient     - grad of the support loss at W_{t-1}
    head         of the output layer alone, on the features A = a^(L-1) of the support:
      least squares   the nearest head that fits the support best: W* = W + (A^+ (y - y_hat))^T; A^+ leaves out singular
                      values below a share of the largest
      prototypes      what a label-only (Hebbian) rule writes: rows 2 mu_c for classes, the mean of y_i a_i^T where
                      labels are numbers

Compared are: each update with the gradient (all layers together, and layer by layer), with W* - W and with the
prototypes; the whole displacement W_T - W_0 with that of T steps of gradient descent at rate 0.01, and with the head's
two directions on the features at the end; and the head W_t itself with both heads, as published for prototypes. Only
what the learner moves is compared, and gradient descent freezes the rest (OP-LSTM: the biases). Cosines ignore how long
a step is; Euclidean distances do not, and an update that is normalised later has no natural length.

Controls: the learner as drawn for the run's seed, and random directions. Copies of the weights kept during training are
asked as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from engine.learners import Learner, Params
from engine.runs.ensembles import Ensemble
from engine.tasks import Task, stream
from engine.trees import leaves, stack
from probes.needs import Acts
from probes.probe import Probe, Progress
from probes.tools.batches import each_task
from probes.tools.directions import (
    GRADIENT,
    LEAST_SQUARES,
    PROTOTYPES,
    REFERENCES,
    Likeness,
    flat,
    gradient,
    heads,
    random_cosines,
    update,
)
from probes.tools.representations import tasks_lazily, untrained
from probes.tools.weights import ALL, acting_of, ends, moving, parts_of


@dataclass(frozen=True)
class Config:
    """Held-out tasks, fewer of them for weights kept during training; and what the references need.

    Attributes:
        tasks, tasks_along: for the trained learner and its controls, and for each kept copy of the weights.
        rate: of the gradient descent that the whole displacement is compared with.
        smallest: singular values of the features below this share of the largest do not count.
    """

    tasks: Annotated[int, Field(ge=1, le=2000)] = 200
    tasks_along: Annotated[int, Field(ge=0, le=2000)] = 50
    rate: Annotated[float, Field(gt=0)] = 0.01
    smallest: Annotated[float, Field(gt=0, lt=1)] = 0.01


@dataclass(frozen=True)
class Moment:
    """One state of training, by the reference.

    Attributes:
        iteration: meta-updates behind it; None for the shipped weights, which are the best on validation.
        passes: of every inner step: the gradient (seeds, tasks, T, parts), the head's references (seeds, tasks, T).
        whole: of the whole displacement: the gradient (seeds, tasks, parts), the head's references (seeds, tasks).
        head: of the head W_t itself, its references only, (seeds, tasks, T + 1).
    """

    iteration: int | None
    passes: dict[str, Likeness]
    whole: dict[str, Likeness]
    head: dict[str, Likeness]


@dataclass(frozen=True)
class ByLearner:
    """One learner.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        parts: "all layers" and each layer that moves, the last one named "output layer".
        moved: the names of the weights and biases that move.
        gamma: OP-LSTM's learned step length of each seed, whose sign turns its updates round; else empty.
        trained, untrained: the learner, and its control.
        random: cosines of random directions with the gradient of the first step, (seeds, tasks, parts).
        along: copies of the weights kept by all runs during training, in their order.
    """

    learner: str
    seeds: list[int]
    parts: list[str]
    moved: list[str]
    gamma: np.ndarray
    trained: Moment
    untrained: Moment
    random: np.ndarray
    along: list[Moment]


@dataclass(frozen=True)
class Updates:
    """One answer per ensemble, in the order asked."""

    answers: list[ByLearner]


@dataclass(frozen=True)
class WritesHead:
    """An output layer that moves."""

    says = "Adapting moves weights of its output layer."

    def __call__(self, ensemble: Ensemble) -> str | None:
        head = ends(ensemble)[0].network.head.weight
        return None if head in moving(ensemble) else f"{ensemble.learner.title} leaves its output layer as it is."


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Updates:
    """Asks every learner, its untrained control and the weights it kept during training."""
    answers = []
    for index, ensemble in enumerate(ensembles):
        kept = [run.kept() for run in ensemble.runs] if config.tasks_along else []
        common = sorted(set.intersection(*(set(k) for k in kept))) if kept else []
        moments: list[tuple[int | None, Params, int]] = [
            (None, ensemble.params, config.tasks),
            (0, untrained(ensemble), config.tasks),
            *((i, stack([copies[i] for copies in kept]), config.tasks_along) for i in common),
        ]
        found = []
        for done, (iteration, params, tasks) in enumerate(moments, start=1):
            found.append(_moment(ensemble, params, iteration, tasks, config))
            progress((index + done / len(moments)) / len(ensembles))
        moved, learner = moving(ensemble), ensemble.learner
        gamma = ensemble.params["step_length"]["gamma"] if "step_length" in ensemble.params else torch.zeros(0)
        answers.append(
            ByLearner(
                learner.name,
                [run.seed for run in ensemble.runs],
                list(parts_of(ends(ensemble)[0].network, moved)),
                moved,
                gamma.double().numpy(),
                found[0][0],
                found[1][0],
                found[0][1],
                [moment for moment, _ in found[2:]],
            )
        )
    return Updates(answers)


def _moment(
    ensemble: Ensemble, params: Params, iteration: int | None, tasks: int, config: Config
) -> tuple[Moment, np.ndarray]:
    """All seeds on all tasks."""
    learner, moved, acting = ensemble.learner, moving(ensemble), ends(ensemble)[0]
    parts = parts_of(acting.network, moved)
    drawn, _ = tasks_lazily(ensemble.distribution, tasks)
    size = sum(acting.weights[name].numel() for name in moved)
    noise = torch.randn((tasks, size), generator=stream("noise", 11)).to(next(leaves(params)))

    def one(params: Params, task: Task, noise: Tensor) -> dict[str, Tensor]:
        return _compared(learner, params, task, noise, parts, config)

    found = each_task(one, learner, params, drawn, noise)
    joined = {key: value.double().numpy() for key, value in found.items()}

    def of(kind: str) -> dict[str, Likeness]:
        known = [reference for reference in REFERENCES if f"{kind} {reference} cosine" in joined]
        return {r: Likeness(joined[f"{kind} {r} cosine"], joined[f"{kind} {r} distance"]) for r in known}

    return Moment(iteration, of("passes"), of("whole"), of("head")), joined["random"]


def _compared(
    learner: Learner, params: Params, task: Task, noise: Tensor, parts: dict[str, list[str]], config: Config
) -> dict[str, Tensor]:
    """One seed on one task: cosine and distance to every reference."""
    trajectory = learner.adapt(params, task.support_x, task.support_y)
    acting = [acting_of(learner, params, state) for state in trajectory]
    nets, last = [one.weights for one in acting], acting[0].network.head.weight
    found: dict[str, list[Tensor]] = {}

    def note(key: str, mine: Tensor, reference: Tensor) -> None:
        cosine = (mine * reference).sum() / (mine.norm() * reference.norm())
        found.setdefault(f"{key} cosine", []).append(cosine)
        found.setdefault(f"{key} distance", []).append((mine - reference).norm())

    written = [update(learner, params, *pair, task) for pair in pairwise(trajectory)]
    for t, net in enumerate(nets):
        for reference, head in heads(acting[t], task, net[last], config.smallest).items():
            note(f"head {reference}", net[last].flatten(), head.flatten())
            if t < len(written):
                target = head - net[last] if reference == LEAST_SQUARES else head
                note(f"passes {reference}", written[t][last].flatten(), target.flatten())
        if t < len(written):
            g = gradient(learner, acting[t], task)
            for names in parts.values():
                note(f"passes {GRADIENT}", flat(written[t], names), -flat(g, names))
    descended = nets[0]
    for _ in written:
        g = gradient(learner, acting[0]._replace(weights=descended), task)
        descended = {k: v - config.rate * g[k] if k in parts[ALL] else v for k, v in descended.items()}
    for names in parts.values():
        moved = flat(nets[-1], names) - flat(nets[0], names)
        note(f"whole {GRADIENT}", moved, flat(descended, names) - flat(nets[0], names))
    for reference, head in heads(acting[-1], task, nets[0][last], config.smallest).items():
        target = head - nets[0][last] if reference == LEAST_SQUARES else head
        note(f"whole {reference}", (nets[-1][last] - nets[0][last]).flatten(), target.flatten())
    result = {key: torch.stack(values) for key, values in found.items()}
    for measure in ("cosine", "distance"):
        by_step = result[f"passes {GRADIENT} {measure}"]
        result[f"passes {GRADIENT} {measure}"] = by_step.reshape(-1, len(parts))
        for reference in (LEAST_SQUARES, PROTOTYPES):
            key = f"whole {reference} {measure}"
            result[key] = result[key].squeeze(0)
    result["random"] = torch.stack(random_cosines(noise, gradient(learner, acting[0], task), parts))
    return result


PROBE = Probe(
    name="updates",
    question="Which way do a learner's updates point: down the gradient, to the least-squares head, "
    "or to the prototypes?",
    config=Config,
    needs=(Acts(), WritesHead()),
    ask=ask,
)
