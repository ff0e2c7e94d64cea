"""All weights and biases of a network as one axis of N coordinates: what coordinate-wise learned optimisers work on."""

import torch
from torch import Tensor

from engine.networks import mlp


def flatten(net: mlp.Net) -> Tensor:
    """The coordinates (N,) of a network, or of anything named like it; leading axes (a stack) stay in front.

    The order is weight1, bias1, weight2, ..., whatever the order of the dictionary (a gradient's is reversed).
    """
    return torch.cat([net[name].flatten(-2) if name.startswith("weight") else net[name] for name in _names(net)], -1)


def unflatten(values: Tensor, like: mlp.Net) -> mlp.Net:
    """Coordinates (N,) in the shapes of a network: the inverse of `flatten`."""
    shapes = {name: like[name].shape[-2 if name.startswith("weight") else -1 :] for name in _names(like)}
    parts = values.split([shape.numel() for shape in shapes.values()], dim=-1)
    return {name: part.unflatten(-1, shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def _names(net: mlp.Net) -> list[str]:
    return [f"{name}{layer}" for layer in range(1, mlp.depth(net) + 1) for name in ("weight", "bias")]
