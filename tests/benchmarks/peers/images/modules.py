"""The network as a torch module, for libraries that take one."""

import torch
from torch import Tensor, nn

from engine.networks.network import Net
from tests.benchmarks.peers.images import ImageWork


def module(work: ImageWork, net: Net) -> nn.Sequential:
    """The network, with the given numbers in the given order."""
    layers: list[nn.Module] = []
    for n in range(work.blocks):
        layers += [nn.Conv2d(work.channels if n else 1, work.channels, 3, padding=1)]
        layers += [nn.BatchNorm2d(work.channels, track_running_stats=False), nn.ReLU(), nn.MaxPool2d(2)]
    ways, size = net[f"weight{work.blocks + 1}"].shape
    found = nn.Sequential(*layers, nn.Flatten(), nn.Linear(size, ways)).to(net["weight1"].dtype)
    with torch.no_grad():
        for parameter, w in zip(found.parameters(), net.values(), strict=True):
            parameter.copy_(w)
    return found


def gradients(found: nn.Module) -> list[Tensor]:
    """What backward passes gathered in its parameters."""
    return [p.grad for p in found.parameters()]  # type: ignore[misc]
