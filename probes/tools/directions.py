"""Where an update could point: down the gradient, and to the heads that features of the support call for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.learners import Learner, Params, State
from engine.learners.op_lstm import OPLSTM
from engine.losses import are_values, as_rows
from engine.networks import Acting, Net
from engine.tasks import Task
from probes.tools.weights import ALL, acting_of

GRADIENT, LEAST_SQUARES, PROTOTYPES = REFERENCES = ("gradient", "least squares", "prototypes")


@dataclass(frozen=True)
class Likeness:
    """Cosines and Euclidean distances to one reference, arrays of equal shape; NaN where something is exactly 0."""

    cosine: np.ndarray
    distance: np.ndarray


def update(learner: Learner, params: Params, state: State, after: State, task: Task) -> Net:
    """What one step writes into the network, by the names of its tensors."""
    if isinstance(learner, OPLSTM):
        _, delta = learner.signals(params, state, task.support_x, task.support_y)
        sign = params["step_length"]["gamma"].sign() if learner.normalise else 1.0
        return {layer.weight: sign * delta[f"H{place}"] for place, layer in learner.written}
    before, then = (acting_of(learner, params, each).weights for each in (state, after))
    return {name: then[name] - before[name] for name in before}


def gradient(learner: Learner, acting: Acting, task: Task) -> Net:
    """The gradient of the support loss."""
    prediction, back = acting.network.pullback(acting.weights, task.support_x, acting.at)
    return back(learner.loss_gradient(prediction, task.support_y))


def heads(acting: Acting, task: Task, start: Tensor, smallest: float) -> dict[str, Tensor]:
    """The two reference heads, (out, d), on the features of the support that a network has.

    Args:
        acting: a network with its weights.
        task: its support is looked at.
        start: the head (out, d) that the least-squares head is to be near to.
        smallest: singular values below this share of the largest do not count.
    """
    network, weights, at = acting
    features, head = network.body(weights, task.support_x, at), network.head
    said = features @ start.mT
    said = said if head.bias is None else said + weights[head.bias].unsqueeze(-2)
    y = as_rows(task.support_y, said)
    nearest = start + (torch.linalg.pinv(features, rtol=smallest) @ (y - said)).mT
    if are_values(task.support_y):
        means = y.mT @ features / len(y)
    else:
        means = 2 * (y.mT @ features) / y.sum(-2).unsqueeze(-1)
    return {LEAST_SQUARES: nearest, PROTOTYPES: means}


def flat(net: Net, names: Sequence[str]) -> Tensor:
    """Some tensors of a network as one vector."""
    return torch.cat([net[name].flatten() for name in names])


def random_cosines(noise: Tensor, g: Net, parts: dict[str, list[str]]) -> list[Tensor]:
    """Cosines of a random direction, given as one vector over all that moves, with the gradient's parts."""
    drawn, at = {}, 0
    for name in parts[ALL]:
        drawn[name] = noise[at : at + g[name].numel()]
        at += g[name].numel()
    cosines = []
    for names in parts.values():
        mine, other = flat(drawn, names), flat(g, names)
        cosines.append((mine * other).sum() / (mine.norm() * other.norm()))
    return cosines
