"""The `higher` library (Grefenstette et al. 2019), as in its own MAML example, which is on images too."""

import higher
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from engine.networks.network import Net
from engine.tasks import Task
from tests.benchmarks.peers.images import ImageWork
from tests.benchmarks.peers.images.modules import gradients, module


class Higher:
    """A stateful module and optimiser, made functional inside `innerloop_ctx`, one task after another."""

    def __init__(self, work: ImageWork, net: Net):
        self.work, self.keys, self.module = work, list(net), module(work, net)
        self.optimiser = torch.optim.SGD(self.module.parameters(), lr=work.inner_lr)

    def accept(self, batch: Task) -> list[Task]:
        """One Task per task."""
        return [Task(*task) for task in zip(*batch, strict=True)]

    def __call__(self, batch: list[Task]) -> tuple[list[Tensor], Tensor]:
        """One meta-gradient, gathered in the module's `.grad`."""
        self.module.zero_grad(set_to_none=True)
        loss = torch.zeros(())
        first = (lambda steps: [g.detach() for g in steps]) if self.work.learner == "fomaml" else None
        for task in batch:
            with higher.innerloop_ctx(self.module, self.optimiser, copy_initial_weights=False) as (fast, inner):
                for _ in range(self.work.steps):
                    inner.step(cross_entropy(fast(task.support_x), task.support_y), grad_callback=first)
                outer = cross_entropy(fast(task.query_x), task.query_y) / len(batch)
                outer.backward()
            loss = loss + outer.detach()
        return gradients(self.module), loss

    def read(self, result: tuple[list[Tensor], Tensor]) -> tuple[Net, Tensor]:
        """By the network's names."""
        return dict(zip(self.keys, result[0], strict=True)), result[1]
