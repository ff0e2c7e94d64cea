"""What networks made of convolutions share: one convolution, and how a list of them is drawn, listed and checked."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from engine.networks import perceptron
from engine.networks.network import Hook, Layer, Net, Point
from engine.networks.norm import Normed
from engine.operations.convolve import convolve
from engine.tasks import TaskSpec

LARGEST_SIDE = 1_000  # of images that a message proposes


def windows(sides: tuple[int, ...], kernel: int, stride: int, padding: int) -> tuple[int, ...]:
    """The sides of what a window of `kernel` makes of an image of such sides."""
    return tuple((side + 2 * padding - kernel) // stride + 1 for side in sides)


class Convolution(NamedTuple):
    """A convolution of a network: its tensors are `weight{place}` (outputs, inputs, kernel, kernel) and `bias{place}`.

    Attributes:
        name: of its layer.
        place: its number among the layers, from 1.
        inputs, outputs: channels.
        kernel, stride, padding: as in torch.nn.Conv2d, the same along both sides.
        biased: it adds a bias (outputs,).
    """

    name: str
    place: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    biased: bool = True

    def init(self, generator: torch.Generator) -> Net:
        """Weight and bias U(-1/sqrt(fan_in), 1/sqrt(fan_in)): PyTorch's default."""
        shape = (self.outputs, self.inputs, self.kernel, self.kernel)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        net = {f"weight{self.place}": perceptron.uniform(generator, bound, shape)}
        if self.biased:
            net[f"bias{self.place}"] = perceptron.uniform(generator, bound, shape[:1])
        return net

    def __call__(self, net: Net, z: Tensor, at: Hook) -> Tensor:
        """What it makes of images z (K, inputs, h, w), past the points "name.weight" and "name.linear"."""
        weight, bias = net[f"weight{self.place}"], net.get(f"bias{self.place}")
        made = convolve(z, at(f"{self.name}.weight", weight), bias, self.stride, self.padding)
        return at(f"{self.name}.linear", made)

    def points(self, sides: tuple[int, ...]) -> list[Point]:
        """Its two points and that of its activation, for images of such sides (height, width)."""
        shape = (self.outputs, self.inputs, self.kernel, self.kernel)
        made = (self.outputs, *windows(sides, self.kernel, self.stride, self.padding))
        return [
            Point(f"{self.name}.weight", "weight", shape),
            Point(f"{self.name}.linear", "linear", made),
            Point(f"{self.name}.active", "active", made),
        ]


@dataclass(frozen=True, kw_only=True)
class Convolutional(Normed):
    """Base of networks made of convolutions, each with a norm, and a linear head."""

    def convolutions(self, inputs: int) -> list[Convolution]:
        """All its convolutions, the one at place n as the n-th, for images of so many channels."""
        raise NotImplementedError(f"{type(self).__name__} must define convolutions")

    def walked(self, shape: tuple[int, ...]) -> list[Point]:
        """The points of `body` for images of a shape (channels, height, width); the head reads what the last sees."""
        raise NotImplementedError(f"{type(self).__name__} must define walked")

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Net:
        net: Net = {}
        for conv in self.convolutions(spec.input_shape[0]):
            net |= conv.init(generator) | self.fresh_norm(conv.place, conv.outputs)
        size, head = math.prod(self.walked(spec.input_shape)[-1].shape), self.head
        net[head.weight] = perceptron.uniform(generator, size**-0.5, (spec.output_dim, size))
        net[str(head.bias)] = perceptron.uniform(generator, size**-0.5, (spec.output_dim,))
        return net

    def points(self, spec: TaskSpec) -> list[Point]:
        body = self.walked(spec.input_shape)
        head = (spec.output_dim, math.prod(body[-1].shape))
        return [*body, Point("head.weight", "weight", head), Point("output", "output", head[:1])]

    def refused(self, spec: TaskSpec) -> str | None:
        if (said := super().refused(spec)) is not None or self._fits(spec.input_shape):
            return said
        _, height, width = spec.input_shape
        least = next(side for side in range(1, LARGEST_SIDE) if self._fits((1, side, side)))
        return (
            f"{self.title}, as it is set here, reads images of at least {least}x{least}; "
            f"those of this task have {height}x{width}."
        )

    def layer(self, conv: Convolution, reads: str, gives: str) -> Layer:
        """A convolution, with its norm, as a layer between two points."""
        bias = f"bias{conv.place}" if conv.biased else None
        also = self.keys_of_norm(conv.place)
        return Layer(conv.name, f"weight{conv.place}", bias, conv.outputs, reads, gives, also, dense=False)

    def _fits(self, shape: tuple[int, ...]) -> bool:
        return all(side > 0 for point in self.walked(shape) for side in point.shape)
