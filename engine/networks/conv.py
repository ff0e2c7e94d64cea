"""The convolutional network of few-shot learning: blocks of 3x3 convolution, norm, ReLU and pooling, a linear head."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor
from torch.nn.functional import max_pool2d

from engine.networks.convolution import Convolution, Convolutional, windows
from engine.networks.network import Hook, Layer, Net, Point, keep


def pooled(z: Tensor) -> Tensor:
    """2x2 max-pooling of images (K, d, h, w), as torch's, the first of equal ones; channels last in memory."""
    found, places = max_pool2d(z.detach(), 2, return_indices=True)
    sides = found.shape[2:]
    rows, places = (v.permute(0, 2, 3, 1).flatten(1, 2) for v in (z, places))
    return rows.gather(1, places).unflatten(1, sides).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Conv4(Convolutional):
    """Blocks of 3x3 convolution with bias, norm, ReLU and pooling, and a linear head (Vinyals et al., NeurIPS 2016).

    On 84x84 colour images with 5 classes: 115,973 parameters without padding (dissertation, chapter 3), 121,093 with
    padding (chapters 4 to 6), 32,901 of them with 32 channels. Convolutions and head, and the biases of both, are drawn
    as PyTorch draws them; the dissertation zeroes biases in its networks for sine waves only.

    Attributes:
        channels: of every block.
        blocks: how many; small images allow fewer than four.
        padding: of the convolutions: 1 keeps the size of an image, 0 takes two rows and two columns off.
        pool: "max": 2x2 max-pooling behind the ReLU; "stride": none, but convolutions of stride 2. That is our own
            choice, for speed.
    """

    name = "conv4"
    title = "Conv4"
    summary = "Blocks of 3x3 filters, each at half the resolution of the one before."

    channels: Annotated[int, Field(ge=1, le=10_000)] = 64
    blocks: Annotated[int, Field(ge=1, le=8)] = 4
    padding: Literal[0, 1] = 1
    pool: Literal["max", "stride"] = "max"

    def __post_init__(self) -> None:
        self._check_groups(self.channels)

    def convolutions(self, inputs: int) -> list[Convolution]:
        stride = 2 if self.pool == "stride" else 1
        return [
            Convolution(f"block{n}", n, inputs if n == 1 else self.channels, self.channels, 3, stride, self.padding)
            for n in range(1, self.blocks + 1)
        ]

    def body(self, net: Net, x: Tensor, at: Hook = keep) -> Tensor:
        z = at("input", x)
        for conv in self.convolutions(x.shape[1]):
            z = self.normed(net, conv.place, conv(net, z, at))
            if self.pool == "max" and at is keep:  # the same in the other order, on a quarter of the places
                z = pooled(z).relu()
                continue
            z = at(f"{conv.name}.active", z.relu())
            if self.pool == "max":
                z = at(f"{conv.name}.pooled", pooled(z))
        return z.flatten(1)

    def walked(self, shape: tuple[int, ...]) -> list[Point]:
        found = [Point("input", "input", shape)]
        for conv in self.convolutions(shape[0]):
            found += conv.points(found[-1].shape[1:])
            if self.pool == "max":
                sides = windows(found[-1].shape[1:], 2, 2, 0)
                found.append(Point(f"{conv.name}.pooled", "pooled", (self.channels, *sides)))
        return found

    @property
    def layers(self) -> list[Layer]:
        found, reads = [], "input"
        for conv in self.convolutions(1):
            gives = f"{conv.name}.{'pooled' if self.pool == 'max' else 'active'}"
            found.append(self.layer(conv, reads, gives))
            reads = gives
        last = self.blocks + 1
        return [*found, Layer("head", f"weight{last}", f"bias{last}", None, reads, "output")]
