"""Plain torch: a Python loop over tasks, and autograd through autograd."""

import torch
from torch import Tensor
from torch.nn.functional import linear, mse_loss

from engine.networks.perceptron import Net
from engine.tasks import Task
from tests.benchmarks.peers import Work


class Loop:
    """The textbook implementation: weights in a list, `autograd.grad(..., create_graph=True)` for the inner step."""

    def __init__(self, work: Work, net: Net):
        self.work, self.keys = work, list(net)
        self.theta = [w.clone().requires_grad_() for w in net.values()]

    def accept(self, batch: Task) -> list[Task]:
        """One Task per task."""
        return [Task(*task) for task in zip(*batch, strict=True)]

    def __call__(self, batch: list[Task]) -> tuple[list[Tensor], Tensor]:
        """One meta-gradient; each task's share is taken as soon as it is known, so that one graph lives at a time."""
        total, loss = [torch.zeros_like(w) for w in self.theta], torch.zeros(())
        for task in batch:
            weights = self.theta
            for _ in range(self.work.steps):
                inner = torch.autograd.grad(
                    mse_loss(forward(weights, task.support_x), task.support_y), weights, create_graph=True
                )
                weights = [w - self.work.inner_lr * g for w, g in zip(weights, inner, strict=True)]
            outer = mse_loss(forward(weights, task.query_x), task.query_y) / len(batch)
            for t, g in zip(total, torch.autograd.grad(outer, self.theta), strict=True):
                t += g
            loss = loss + outer.detach()
        return total, loss

    def read(self, result: tuple[list[Tensor], Tensor]) -> tuple[Net, Tensor]:
        """By the network's names."""
        return dict(zip(self.keys, result[0], strict=True)), result[1]


def forward(weights: list[Tensor], x: Tensor) -> Tensor:
    """(K, 1) to (K, 1), with weights in the order weight1, bias1, weight2, ..."""
    for layer in range(0, len(weights) - 2, 2):
        x = linear(x, weights[layer], weights[layer + 1]).relu()
    return linear(x, weights[-2], weights[-1])
