"""Affine operations: a matrix, or a scale and a shift, on the units of a layer or the channels of an image."""

from dataclasses import dataclass

from torch import Tensor

from engine.operations.convolve import convolve
from engine.operations.site import Site


@dataclass(frozen=True)
class Matrix(Site):
    """z -> z M^T + c on rows z (K, d).

    Attributes:
        matrix: M, (d, d).
        shift: c, (d,); None for none.
    """

    matrix: Tensor
    shift: Tensor | None = None
    written_out, folds = True, ("before", "after")

    def __call__(self, z: Tensor) -> Tensor:
        z = z @ self.matrix.mT
        return z if self.shift is None else z + self.shift.unsqueeze(-2)

    def backward(self, delta: Tensor) -> Tensor:
        return delta @ self.matrix

    def before(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        if self.shift is not None:
            bias = bias + (weight @ self.shift.unsqueeze(-1)).squeeze(-1)
        return weight @ self.matrix, bias

    def after(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        bias = (self.matrix @ bias.unsqueeze(-1)).squeeze(-1)
        return self.matrix @ weight, bias if self.shift is None else bias + self.shift

    def before_back(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        weight = weight @ self.matrix.mT
        return weight if self.shift is None else weight + bias.unsqueeze(-1) * self.shift.unsqueeze(-2), bias

    def after_back(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return self.matrix.mT @ weight, (self.matrix.mT @ bias.unsqueeze(-1)).squeeze(-1)


@dataclass(frozen=True)
class Kernel(Site):
    """z -> z * kernel + c on images z (K, d, h, w): a convolution that keeps their size.

    Attributes:
        kernel: (d, d, k, k) with k odd, or (d, d) for 1x1.
        shift: c, (d,); None for none.
    """

    kernel: Tensor
    shift: Tensor | None = None

    def __call__(self, z: Tensor) -> Tensor:
        kernel = self.kernel if self.kernel.ndim > 2 else self.kernel[..., None, None]
        return convolve(z, kernel, self.shift, padding=kernel.shape[-1] // 2)


@dataclass(frozen=True)
class Scaled(Site):
    """z -> z * factor + shift on rows z (K, d), with one factor and shift for each unit, or one for all.

    Attributes:
        factor, shift: (d,) or (1,).
    """

    factor: Tensor
    shift: Tensor
    written_out, folds = True, ("before",)

    def __call__(self, z: Tensor) -> Tensor:
        return z * self.factor.unsqueeze(-2) + self.shift.unsqueeze(-2)

    def backward(self, delta: Tensor) -> Tensor:
        return delta * self.factor.unsqueeze(-2)

    def gradient(self, z: Tensor, delta: Tensor) -> dict[str, Tensor]:
        """The derivative with respect to `factor` and `shift`, shaped like them."""
        found = {"factor": (delta * z).sum(-2), "shift": delta.sum(-2)}
        if self.factor.shape[-1] == z.shape[-1]:
            return found
        return {name: value.sum(-1, keepdim=True) for name, value in found.items()}

    def before(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return weight * self.factor.unsqueeze(-2), bias + (weight * self.shift.unsqueeze(-2)).sum(-1)

    def after(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return weight * self.factor.unsqueeze(-1), bias * self.factor + self.shift

    def before_back(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return weight * self.factor.unsqueeze(-2) + bias.unsqueeze(-1) * self.shift.unsqueeze(-2), bias


@dataclass(frozen=True)
class ScaledChannels(Site):
    """z -> z * factor + shift on images z (K, d, h, w), one factor and shift for each channel, or one for all.

    Attributes:
        factor, shift: (d,) or (1,).
    """

    factor: Tensor
    shift: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        return z * self.factor[..., None, None] + self.shift[..., None, None]
