"""The same meta-gradient of a convolutional network on images by several engines, as their own users write them.

Engines are classes as in `tests.benchmarks.peers`, built from `ImageWork` and one network. All normalise support and
query each by its own statistics, keep the biases before the norms, and take one mean over all query points.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from engine.learners import Learner, make
from engine.networks import Conv4
from engine.networks.network import Net
from engine.tasks import Classes, Image, Task, TaskSpec, stream
from tests.benchmarks.peers import load


@dataclass(frozen=True)
class ImageWork:
    """What is computed: blocks of 3x3 convolution, norm, ReLU and 2x2 max-pooling, and a linear head.

    Attributes:
        learner: second- or first-order MAML, or ProtoNet, whose head gives the embedding.
        shots, queries: of each of the `ways` classes.
        side: of the square images of one channel.
        channels, blocks: of the network.
        tasks: of a meta-batch.
        steps, inner_lr: of MAML.
    """

    learner: Literal["maml", "fomaml", "protonet"] = "maml"
    shots: int = 1
    side: int = 14
    channels: int = 32
    blocks: int = 3
    tasks: int = 4
    steps: int = 5
    inner_lr: float = 0.1
    ways: int = 5
    queries: int = 15

    @property
    def title(self) -> str:
        """One line about it."""
        steps = "" if self.learner == "protonet" else f", {self.steps} inner steps"
        shots = f"{self.shots} shot{'s' if self.shots > 1 else ''}"
        network = f"{self.blocks} blocks of {self.channels} channels on {self.side}x{self.side}"
        return f"{self.learner}, {shots}, {network}{steps}, {self.tasks} tasks"

    @property
    def ours(self) -> Learner:
        """Our learner for this work."""
        network = Conv4(channels=self.channels, blocks=self.blocks, norm="batch")
        if self.learner == "protonet":
            return make("protonet", encoder=network)
        return make(self.learner, network=network, steps=self.steps, inner_lr=self.inner_lr)

    @property
    def spec(self) -> TaskSpec:
        """The kind of its tasks."""
        return TaskSpec(Image(1, self.side, self.side), Classes(self.ways))

    def net(self) -> Net:
        """Its network as it is drawn."""
        params = self.ours.init(stream("init"), self.spec)
        return params["embedding" if self.learner == "protonet" else "net"]  # type: ignore[no-any-return]

    def batches(self, number: int) -> list[Task]:
        """Meta-batches (tasks, points, 1, side, side) of random numbers for pixels: their values take no time."""
        generator = stream("page")

        def points(of_each: int) -> tuple[Tensor, Tensor]:
            x = torch.randn(self.tasks, self.ways * of_each, 1, self.side, self.side, generator=generator)
            return x, torch.arange(self.ways).repeat(self.tasks, of_each)

        return [Task(*points(self.shots), *points(self.queries)) for _ in range(number)]


# By name: module, class, learners.
GRADIENT = ("maml", "fomaml")
ANY = (*GRADIENT, "protonet")
ENGINES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "recorded": ("ours", "Recorded", ANY),
    "eager": ("ours", "Eager", ANY),
    "compiled": ("ours", "Compiled", ANY),
    "loop": ("by_loop", "Loop", ANY),
    "loop-last": ("by_loop", "ChannelsLast", ANY),
    "higher": ("by_higher", "Higher", GRADIENT),
    "jax": ("by_jax", "Windows", ANY),
    "jax-vmap": ("by_jax", "VmappedWindows", ANY),
    "jax-conv": ("by_jax", "Convolutions", ANY),
    "jax-conv-vmap": ("by_jax", "VmappedConvolutions", ANY),
}
OURS = ("recorded", "eager", "compiled")
TORCH = ("loop", "loop-last", "higher")
JAX = ("jax", "jax-vmap", "jax-conv", "jax-conv-vmap")


def build(name: str, work: ImageWork, net: Net) -> Any:
    """The engine `name` for this work and network.

    Raises:
        Missing: its library cannot be imported.
    """
    module, cls, _ = ENGINES[name]
    return getattr(load(name, f"images.{module}"), cls)(work, net)
