"""Operations: what can stand at a named point of a network, shared by all learners that adapt or learn such things."""

from torch import Tensor

from engine.operations.affine import Kernel, Matrix, Scaled, ScaledChannels
from engine.operations.site import At, Site


def matrix_site(rows: bool, matrix: Tensor, shift: Tensor | None = None) -> Site:
    """A matrix (d, d) on the units of rows, or a kernel (d, d) or (d, d, k, k) on the channels of images."""
    return Matrix(matrix, shift) if rows else Kernel(matrix, shift)


def scaling_site(rows: bool, factor: Tensor, shift: Tensor) -> Site:
    """Factors and shifts (d,) or (1,) on the units of rows or the channels of images."""
    return Scaled(factor, shift) if rows else ScaledChannels(factor, shift)


__all__ = ["At", "Kernel", "Matrix", "Scaled", "ScaledChannels", "Site", "matrix_site", "scaling_site"]
