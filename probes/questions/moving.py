r"""Which weights move, and how far, when a learner adapts?

Of every learner that adapts a ReLU network, the network *as it acts* before and after adaptation (operations, warps and
scales folded into the weights that they act on), layer by layer:

    relative movement of a layer = |W_T - W_0| / |W_0|   (Frobenius norm, weights and bias together)

beside the query error before and after. The weights of different learners are comparable because they stand for the
same function class: a 1-40-40-1 network; warps that do not fold into it are not asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from engine.learners import Params
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task
from probes.needs import Acts
from probes.probe import Probe, Progress
from probes.tools.batches import each_task
from probes.tools.directions import flat
from probes.tools.representations import tasks_lazily
from probes.tools.weights import acting_of


@dataclass(frozen=True)
class Config:
    """Held-out tasks."""

    tasks: Annotated[int, Field(ge=5, le=2000)] = 200


@dataclass(frozen=True)
class Moved:
    """One learner.

    Attributes:
        learner: its registered name.
        layers: names of the layers of its network, from the input.
        share: relative movement, (seeds, tasks, layers).
        before, after: query losses, (seeds, tasks).
    """

    learner: str
    layers: list[str]
    share: np.ndarray
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class Movements:
    """One per learner, in the order asked."""

    learners: list[Moved]


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Movements:
    """Adapts everybody to the same tasks."""
    found = []
    for i, ensemble in enumerate(ensembles):
        tasks, _ = tasks_lazily(ensemble.distribution, config.tasks)
        found.append(_moved(ensemble, tasks))
        progress((i + 1) / len(ensembles))
    return Movements(found)


def _moved(ensemble: Ensemble, tasks: Task | Pooled) -> Moved:
    learner = ensemble.learner

    def one(params: Params, task: Task) -> tuple[Tensor, Tensor]:
        trajectory = learner.adapt(params, task.support_x, task.support_y)
        ends = [trajectory[0], trajectory[-1]]
        before, after = (acting_of(learner, params, state) for state in ends)
        share = []
        for layer in before.network.layers:
            a, b = (flat(one.weights, layer.keys) for one in (before, after))
            share.append((b - a).norm() / a.norm())
        losses = [learner.loss(learner.predict(params, state, task.query_x), task.query_y) for state in ends]
        return torch.stack(share), torch.stack(losses)

    moved, errors = (each.double().numpy() for each in each_task(one, learner, ensemble.params, tasks))
    layers = [f"layer {i + 1}" for i in range(moved.shape[-1] - 1)] + ["output layer"]
    return Moved(learner.name, layers, moved, errors[..., 0], errors[..., 1])


PROBE = Probe(
    name="moving",
    question="Which layers move, and how far, when a learner adapts?",
    config=Config,
    needs=(Acts(),),
    ask=ask,
)
