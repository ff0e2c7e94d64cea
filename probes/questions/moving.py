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
from torch.func import vmap

from engine.networks import perceptron
from engine.runs.ensembles import Ensemble
from engine.tasks import Task
from engine.trees import tree_map
from probes.needs import Acts
from probes.probe import Probe, Progress
from probes.tools.representations import tasks_of
from probes.tools.weights import weights_of

CHUNK = 50


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
        tasks, _ = tasks_of(ensemble.distribution, config.tasks)
        found.append(_moved(ensemble, tasks))
        progress((i + 1) / len(ensembles))
    return Movements(found)


def _moved(ensemble: Ensemble, tasks: Task) -> Moved:
    learner, params, seeds = ensemble.learner, ensemble.params, len(ensemble.runs)

    def rows(net: perceptron.Net) -> list[Tensor]:
        """Weights and bias of each layer as one row: (..., numbers)."""
        return [
            torch.cat([net[f"weight{layer}"].flatten(-2), net[f"bias{layer}"]], -1)
            for layer in range(1, perceptron.depth(net) + 1)
        ]

    def one(task: Task) -> tuple[Tensor, Tensor]:
        trajectory = learner.adapt(params, task.support_x, task.support_y)
        ends = [trajectory[0], trajectory[-1]]
        nets = [weights_of(learner, params, state) for state in ends]
        assert nets[0] is not None and nets[1] is not None
        share = [(b - a).norm(dim=-1) / a.norm(dim=-1) for a, b in zip(rows(nets[0]), rows(nets[1]), strict=True)]
        losses = [learner.loss(learner.predict(params, state, task.query_x), task.query_y) for state in ends]
        return torch.stack([s.expand(seeds) for s in share], -1), torch.stack([loss.expand(seeds) for loss in losses])

    shares, losses = [], []
    with torch.no_grad():
        for i in range(0, len(tasks.query_x), CHUNK):
            share, loss = vmap(one)(tree_map(lambda leaf: leaf[i : i + CHUNK], tasks))  # noqa: B023
            shares.append(share)
            losses.append(loss)
    moved = torch.cat(shares).transpose(0, 1).double().numpy()
    errors = torch.cat(losses).double().numpy()  # (tasks, before and after, seeds)
    layers = [f"layer {i + 1}" for i in range(moved.shape[-1] - 1)] + ["output layer"]
    return Moved(learner.name, layers, moved, errors[:, 0].T, errors[:, 1].T)


PROBE = Probe(
    name="moving",
    question="Which layers move, and how far, when a learner adapts?",
    config=Config,
    needs=(Acts(),),
    ask=ask,
)
