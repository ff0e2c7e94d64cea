"""All tensors of a network as one axis of N coordinates: what coordinate-wise learned optimisers work on."""

import torch
from torch import Tensor

from engine.networks import Net, Network


def flatten(network: Network, net: Net) -> Tensor:
    """The coordinates (N,) of a network's tensors, or of anything named like them; leading axes (a stack) stay in front.

    The order is that of the layers, whatever the order of the dictionary (a gradient's may be reversed).
    """
    return torch.cat([net[key].flatten(-rank) if rank > 1 else net[key] for key, rank in network.ranks.items()], -1)


def unflatten(network: Network, values: Tensor, like: Net) -> Net:
    """Coordinates (N,) in the shapes of a network's tensors: the inverse of `flatten`."""
    shapes = {key: like[key].shape[-rank:] for key, rank in network.ranks.items()}
    parts = values.split([shape.numel() for shape in shapes.values()], dim=-1)
    return {name: part.unflatten(-1, shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
