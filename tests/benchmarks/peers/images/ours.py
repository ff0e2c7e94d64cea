"""This project's engine with one seed: replayed as trainings on images do, eager, and compiled."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from engine.execution.gradients import flat_meta_gradient
from engine.execution.traces import faithful
from engine.networks.network import Net
from engine.tasks import Task, stream
from engine.trees import Layout, stack, tree_map
from tests.benchmarks.peers.images import ImageWork


class Eager:
    """`engine.execution.gradients.flat_meta_gradient`: tasks at once or one by one, as `policy` has it."""

    compiled = False

    def __init__(self, work: ImageWork, net: Net):
        self.key = "embedding" if work.learner == "protonet" else "net"
        learner = work.ours
        params = {**learner.init(stream("init"), work.spec), self.key: net}
        params = stack([tree_map(lambda p: p.to(net["weight1"].dtype), params)])  # one seed in front
        self.layout = Layout(params)
        self.flat = self.layout.pack(params)
        self.gradient: Callable[..., Any] = flat_meta_gradient(learner, self.layout, compiled=self.compiled)

    def accept(self, batch: Task) -> Task:
        """(tasks, ...) to (1 seed, tasks, ...)."""
        return tree_map(lambda v: v.unsqueeze(0), batch)  # type: ignore[no-any-return]

    def __call__(self, batch: Task) -> tuple[Tensor, Tensor]:
        """One meta-gradient."""
        return self.gradient(self.flat, batch)  # type: ignore[no-any-return]

    def read(self, result: tuple[Tensor, Tensor]) -> tuple[Net, Tensor]:
        """Without the axis of seeds."""
        gradient, loss = result
        return {key: g[0] for key, g in self.layout.unpack(gradient)[self.key].items()}, loss[0]


class Recorded(Eager):
    """The same operations replayed (`engine.execution.traces`), to the same bits; the first call records."""

    def __call__(self, batch: Task) -> tuple[Tensor, Tensor]:
        """One meta-gradient."""
        if not hasattr(self, "replay"):
            self.replay = faithful(self.gradient, (self.flat, batch))
        return self.replay(self.flat, batch)


class Compiled(Eager):
    """The same function through torch.compile."""

    compiled = True
