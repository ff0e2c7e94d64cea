"""Inner optimisers as pure functions: gradient descent and Adam on dictionaries of tensors."""

from typing import Any

import torch
from torch import Tensor

from engine.trees import tree_map

TINY = 1e-30  # keeps the derivative of the root finite where a unit is dead; far below epsilon squared

Moments = dict[str, Any]


def descend(weights: dict[str, Tensor], gradient: dict[str, Tensor], lr: float) -> dict[str, Tensor]:
    """theta - lr g."""
    return tree_map(lambda w, g: w - lr * g, weights, gradient)


def fresh_moments(weights: dict[str, Tensor], beta1: float) -> Moments:
    """Adam's state at rest; the first moment is kept only where it is used."""
    first = next(iter(weights.values()))
    moments: Moments = {"count": first.new_zeros(()), "second": tree_map(torch.zeros_like, weights)}
    if beta1:
        moments["first"] = tree_map(torch.zeros_like, weights)
    return moments


def adam(
    weights: dict[str, Tensor],
    gradient: dict[str, Tensor],
    moments: Moments,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[dict[str, Tensor], Moments]:
    """One step of Adam (Kingma & Ba 2015), with bias correction. Returns the new weights and the new state."""
    count = moments["count"] + 1
    new: Moments = {"count": count}
    new["second"] = tree_map(lambda v, g: (v * beta2).addcmul(g, g, value=1 - beta2), moments["second"], gradient)
    direction, length = gradient, lr
    if beta1:
        direction = new["first"] = tree_map(lambda m, g: m.lerp(g, 1 - beta1), moments["first"], gradient)
        length = lr / (1 - beta1**count)
    correction = (1 - beta2**count).rsqrt()
    stepped = tree_map(
        lambda w, d, v: w - length * d / ((v + TINY).sqrt() * correction + epsilon), weights, direction, new["second"]
    )
    return stepped, new
