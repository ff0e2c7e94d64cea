"""The `higher` library (Grefenstette et al. 2019), as in its own MAML example."""

from itertools import pairwise

import higher
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from engine.networks.perceptron import Net
from engine.tasks import Task
from tests.benchmarks.peers import Work


class Higher:
    """A stateful module and optimiser, made functional inside `innerloop_ctx`, one task after another."""

    def __init__(self, work: Work, net: Net):
        self.work, self.keys = work, list(net)
        sizes = (1, *work.widths, 1)
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.module = nn.Sequential(*layers[:-1]).to(next(iter(net.values())).dtype)
        with torch.no_grad():
            for parameter, w in zip(self.module.parameters(), net.values(), strict=True):
                parameter.copy_(w)
        self.optimiser = torch.optim.SGD(self.module.parameters(), lr=work.inner_lr)

    def accept(self, batch: Task) -> list[Task]:
        """One Task per task."""
        return [Task(*task) for task in zip(*batch, strict=True)]

    def __call__(self, batch: list[Task]) -> tuple[list[Tensor], Tensor]:
        """One meta-gradient, gathered in the module's `.grad`."""
        self.module.zero_grad(set_to_none=True)
        loss = torch.zeros(())
        for task in batch:
            with higher.innerloop_ctx(self.module, self.optimiser, copy_initial_weights=False) as (fast, inner):
                for _ in range(self.work.steps):
                    inner.step(mse_loss(fast(task.support_x), task.support_y))
                outer = mse_loss(fast(task.query_x), task.query_y) / len(batch)
                outer.backward()
            loss = loss + outer.detach()
        return [p.grad for p in self.module.parameters()], loss  # type: ignore[misc]

    def read(self, result: tuple[list[Tensor], Tensor]) -> tuple[Net, Tensor]:
        """By the network's names."""
        return dict(zip(self.keys, result[0], strict=True)), result[1]
