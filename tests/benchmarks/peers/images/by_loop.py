"""Plain torch: a Python loop over tasks, `F.conv2d`, `F.batch_norm`, and autograd through autograd."""

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, cross_entropy, linear, max_pool2d

from engine.networks.network import Net
from engine.tasks import Task
from tests.benchmarks.peers.images import ImageWork


class Loop:
    """The textbook implementation: weights in a dictionary, `autograd.grad(..., create_graph=True)` for a step."""

    layout = torch.contiguous_format

    def __init__(self, work: ImageWork, net: Net):
        self.work = work
        self.theta = {key: self.laid(w.clone()).requires_grad_() for key, w in net.items()}

    def laid(self, v: Tensor) -> Tensor:
        """Images and kernels as they are to lie in memory."""
        return v.contiguous(memory_format=self.layout) if v.ndim == 4 else v

    def accept(self, batch: Task) -> list[Task]:
        """One Task per task."""
        return [Task(*map(self.laid, task)) for task in zip(*batch, strict=True)]

    def __call__(self, batch: list[Task]) -> tuple[list[Tensor], Tensor]:
        """One meta-gradient; each task's share is taken as soon as it is known, so that one graph lives at a time."""
        total, loss = [torch.zeros_like(w) for w in self.theta.values()], torch.zeros(())
        for task in batch:
            outer = (self.prototypical if self.work.learner == "protonet" else self.adapted)(task) / len(batch)
            for t, g in zip(total, torch.autograd.grad(outer, list(self.theta.values())), strict=True):
                t += g
            loss = loss + outer.detach()
        return total, loss

    def adapted(self, task: Task) -> Tensor:
        """The query loss after MAML's inner steps; first order, the steps are constants."""
        weights, second = self.theta, self.work.learner == "maml"
        for _ in range(self.work.steps):
            inner = cross_entropy(forward(weights, task.support_x), task.support_y)
            steps = torch.autograd.grad(inner, list(weights.values()), create_graph=second)
            stepped = zip(weights.items(), steps, strict=True)
            weights = {key: w - self.work.inner_lr * g for (key, w), g in stepped}
        return cross_entropy(forward(weights, task.query_x), task.query_y)

    def prototypical(self, task: Task) -> Tensor:
        """The query loss of the nearest mean."""
        z = forward(self.theta, task.support_x)
        means = torch.stack([z[task.support_y == c].mean(0) for c in range(self.work.ways)])
        distances = (forward(self.theta, task.query_x)[:, None] - means).square().sum(-1)
        return cross_entropy(-distances, task.query_y)

    def read(self, result: tuple[list[Tensor], Tensor]) -> tuple[Net, Tensor]:
        """By the network's names."""
        return dict(zip(self.theta, result[0], strict=True)), result[1]


class ChannelsLast(Loop):
    """Kernels and images with their channels last in memory."""

    layout = torch.channels_last


def forward(weights: Net, x: Tensor) -> Tensor:
    """Images (K, 1, side, side) to (K, outputs)."""
    last = sum(key.startswith("weight") for key in weights)
    for n in range(1, last):
        x = conv2d(x, weights[f"weight{n}"], weights[f"bias{n}"], padding=1)
        x = batch_norm(x, None, None, weights[f"scale{n}"], weights[f"shift{n}"], training=True)
        x = max_pool2d(x.relu(), 2)
    return linear(x.flatten(1), weights[f"weight{last}"], weights[f"bias{last}"])
