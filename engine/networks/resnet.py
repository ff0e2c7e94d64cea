"""Residual networks (He et al., CVPR 2016) as the dissertation's code has them: ResNet-10 and -18, and ResNet-12.

A block adds what its convolutions make of its input to the input itself, or to what a shortcut convolution makes of it,
and rectifies the sum. Its layers are "block2-conv1", "block2-conv2" ... and "block2-shortcut". The last convolution's
point ".active" sees the rectified sum; a shortcut has no activation of its own, and its ".active" sees what it adds.
"pooled" sees the mean over all places, which the head reads.

No convolution has a bias; without a norm each does, since nothing else could shift.
"""

import math
from dataclasses import dataclass
from itertools import count
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import leaky_relu, max_pool2d

from engine.networks.convolution import Convolution, Convolutional, windows
from engine.networks.network import Hook, Layer, Net, Point, keep
from engine.tasks import TaskSpec


class _Block(NamedTuple):
    """The convolutions of a block but the last; its shortcut, None for the input as it is; the last."""

    first: list[Convolution]
    shortcut: Convolution | None
    last: Convolution


@dataclass(frozen=True)
class _ResNet(Convolutional):
    """Base of residual networks of four stages, each with twice the channels of the one before."""

    depths: ClassVar[tuple[int, ...]] = (1, 1, 1, 1)  # blocks of each stage
    of_block: ClassVar[int] = 2  # convolutions
    shortcut: ClassVar[int] = 3  # kernel
    pools: ClassVar[bool] = False  # 2x2 max-pooling behind every block, and nowhere a stride
    slope: ClassVar[float] = 0.0  # of the activation below 0

    width: Annotated[int, Field(ge=1, le=10_000)] = 64

    def __post_init__(self) -> None:
        self._check_groups(self.width)

    def _stem(self, inputs: int) -> Convolution | None:
        """The convolution before the first block, for images of so many channels."""
        return None

    @property
    def _pools_stem(self) -> bool:
        """Whether 3x3 max-pooling of stride 2 follows it."""
        return False

    def _blocks(self, inputs: int) -> list[_Block]:
        stem = self._stem(inputs)
        found: list[_Block] = []
        biased, place = self.norm == "none", count(1 if stem is None else 2)
        inputs = inputs if stem is None else stem.outputs

        def conv(part: str, inputs: int, outputs: int, kernel: int, stride: int) -> Convolution:
            name = f"block{len(found) + 1}-{part}"
            return Convolution(name, next(place), inputs, outputs, kernel, stride, kernel // 2, biased)

        for stage, depth in enumerate(self.depths):
            d = self.width * 2**stage
            for _ in range(depth):
                stride = 2 if inputs != d and not self.pools else 1
                first = [conv("conv1", inputs, d, 3, stride)]
                first += [conv(f"conv{n}", d, d, 3, 1) for n in range(2, self.of_block)]
                shortcut = conv("shortcut", inputs, d, self.shortcut, stride) if self.pools or inputs != d else None
                found.append(_Block(first, shortcut, conv(f"conv{self.of_block}", d, d, 3, 1)))
                inputs = d
        return found

    def convolutions(self, inputs: int) -> list[Convolution]:
        of_blocks = [conv for block in self._blocks(inputs) for conv in (*block.first, block.shortcut, block.last)]
        return [conv for conv in (self._stem(inputs), *of_blocks) if conv is not None]

    def body(self, net: Net, x: Tensor, at: Hook = keep) -> Tensor:
        def normed(conv: Convolution, z: Tensor) -> Tensor:
            return self.normed(net, conv.place, conv(net, z, at))

        def active(conv: Convolution, z: Tensor) -> Tensor:
            return at(f"{conv.name}.active", leaky_relu(z, self.slope) if self.slope else z.relu())

        z = at("input", x)
        if (stem := self._stem(x.shape[1])) is not None:
            z = active(stem, normed(stem, z))
            if self._pools_stem:
                z = at(f"{stem.name}.pooled", max_pool2d(z, 3, 2, 1))
        for first, shortcut, last in self._blocks(x.shape[1]):
            beside = z
            for conv in first:
                z = active(conv, normed(conv, z))
            if shortcut is not None:
                beside = at(f"{shortcut.name}.active", normed(shortcut, beside))
            z = active(last, normed(last, z) + beside)
            if self.pools:
                z = at(f"{last.name}.pooled", max_pool2d(z, 2))
        return at("pooled", z.mean((2, 3)))

    def walked(self, shape: tuple[int, ...]) -> list[Point]:
        found, sides = [Point("input", "input", shape)], shape[1:]

        def pass_by(conv: Convolution, pool: tuple[int, int, int] | None = None) -> None:
            nonlocal sides
            found.extend(conv.points(sides))
            sides = found[-1].shape[1:]
            if pool is not None:
                sides = windows(sides, *pool)
                found.append(Point(f"{conv.name}.pooled", "pooled", (conv.outputs, *sides)))

        if (stem := self._stem(shape[0])) is not None:
            pass_by(stem, (3, 2, 1) if self._pools_stem else None)
        for first, shortcut, last in self._blocks(shape[0]):
            before = sides
            for conv in first:
                pass_by(conv)
            if shortcut is not None:
                found += shortcut.points(before)
            pass_by(last, (2, 2, 0) if self.pools else None)
        return [*found, Point("pooled", "pooled", (found[-1].shape[0],))]

    @property
    def layers(self) -> list[Layer]:
        found, reads = [], "input"

        def add(conv: Convolution, reads: str, pooled: bool = False) -> str:
            gives = f"{conv.name}.{'pooled' if pooled else 'active'}"
            found.append(self.layer(conv, reads, gives))
            return gives

        if (stem := self._stem(1)) is not None:
            reads = add(stem, reads, self._pools_stem)
        for first, shortcut, last in self._blocks(1):
            before = reads
            for conv in first:
                reads = add(conv, reads)
            if shortcut is not None:
                add(shortcut, before)
            reads = add(last, reads, self.pools)
        place = len(found) + 1
        return [*found, Layer("head", f"weight{place}", f"bias{place}", None, "pooled", "output")]


@dataclass(frozen=True)
class ResNet10(_ResNet):
    """ResNet-10 of the dissertation's chapter 4: 6,284,613 parameters for 5 classes of 224x224 colour images.

    A 7x7 convolution of stride 2 and 3x3 max-pooling of stride 2, then four stages of one block, whose shortcuts are
    3x3 convolutions. Everything is drawn as PyTorch draws it. The 7x7 average at the end is one over all places, so
    that images of other sizes fit.

    Attributes:
        width: channels of the first stage.
        stem: "small", for small images, is a 3x3 convolution of stride 1 without pooling: not in the dissertation.
    """

    name = "resnet10"
    title = "ResNet-10"
    summary = "Four blocks of two 3x3 filters, each block added to its input."

    stem: Literal["large", "small"] = "large"

    def _stem(self, inputs: int) -> Convolution:
        kernel, stride = (7, 2) if self.stem == "large" else (3, 1)
        biased = self.norm == "none"
        return Convolution("stem", 1, inputs, self.width, kernel, stride, kernel // 2, biased)

    @property
    def _pools_stem(self) -> bool:
        return self.stem == "large"


@dataclass(frozen=True)
class ResNet18(ResNet10):
    """ResNet-18 of the dissertation's chapter 4, with two blocks in each stage: 12,555,333 parameters.

    Attributes:
        width, stem: as in ResNet-10.
    """

    name = "resnet18"
    title = "ResNet-18"
    summary = "Eight blocks of two 3x3 filters, each block added to its input."

    depths = (2, 2, 2, 2)


@dataclass(frozen=True)
class ResNet12(_ResNet):
    """ResNet-12 as the published code of chapter 6 has it, without the operations of SAP.

    Four blocks of three 3x3 convolutions with a 1x1 shortcut, leaky ReLUs of slope 0.1, and 2x2 max-pooling behind
    every block; no stem. Convolutions are drawn N(0, 2 / (outputs x kernel size)), the head's weight as PyTorch draws
    it, its bias is zero. That code gives 84x84 images; what the chapter reports of this network is not known to us.

    Attributes:
        width: channels of the first block.
    """

    name = "resnet12"
    title = "ResNet-12"
    summary = "Four blocks of three 3x3 filters, each block added to its input and halved in resolution."

    of_block = 3
    shortcut = 1
    pools = True
    slope = 0.1

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Net:
        net, head = super().init(generator, spec), str(self.head.bias)
        for conv in self.convolutions(spec.input_shape[0]):
            weight = net[f"weight{conv.place}"]
            deviation = math.sqrt(2 / (conv.outputs * conv.kernel**2))
            net[f"weight{conv.place}"] = deviation * torch.randn(weight.shape, generator=generator)
        return net | {head: torch.zeros_like(net[head])}
