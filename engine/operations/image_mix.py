r"""Mixes of operations on images and on the kernels of convolutions, as SAP's published code has them for Conv4.

For images z (K, d, h, w), operation parameters phi and strengths w in (0, 1) under two softmaxes,

    z -> w_identity z + w_pointwise P * z + w_kernel Q * z + w_rank1 R * z,   R_ij = s_ij u_ij v_ij^T
    z -> z + w_scalar b + w_vector c

with P (d, d, 1, 1), Q and R (d, d, 3, 3); c (d,) has one number for each channel. For the kernel W (out, in, k, k) of a
convolution, under one softmax,

    W -> w_identity W + w_scale M_ij W_ij + w_channel a_i W_ij

with a factor M_ij for each small kernel (Sun et al., CVPR 2019, "meta-transfer learning") and a_i for each output
channel. For the outputs z (K, n) of the head, with a sigmoid,

    z -> (1 - w) z + w (A z + b)

Kernels start as identities with their 1 in the top left corner, and images get two rows and columns of zeros on the
right and below, so that they keep their size and place; A starts as the identity, factors at 1 and shifts at 0.

Where i is not j, u_ij and v_ij start at 0 and s_ij at 1: each of the three derivatives has one of the zeros as a factor
and stays 0 for ever. So the rank-one kernels act on each channel alone, and of their 7 d^2 numbers 7 d can move. The
published counts of parameters have all of them, and so have ours.

Keys of phi: pointwise (d, d), kernel (d, d, 3, 3), rank1-kernel (d, d, 7) with u, s and v one behind the other,
scalar-shift (), vector-shift (d,); kernel-scale (out, in), channel-scale (out,); affine (n + 1, n), the rows of A and
then b. All of it is for one set of parameters: seeds go through vmap, as convolutions do.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.operations.affine import Matrix
from engine.operations.convolve import convolve
from engine.operations.mix import SHIFTS, Mix, Named, Shapes, times
from engine.operations.site import Site

SIDE = 3  # of a kernel
OF_IMAGES = {"scale": ["identity", "pointwise", "kernel", "rank1-kernel"], "shift": SHIFTS}
OF_KERNELS = {"scale": ["identity", "kernel-scale", "channel-scale"]}
OF_OUTPUTS = {"gate": ["affine"]}


@dataclass(frozen=True)
class CornerKernel(Site):
    """Images z (K, d, h, w) -> z * kernel + shift of the same size: the top left entry meets a place itself.

    Attributes:
        kernel: (d, d, k, k).
        shift: (d,).
    """

    kernel: Tensor
    shift: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        beyond = self.kernel.shape[-1] - 1
        return convolve(pad(z, (0, beyond, 0, beyond)), self.kernel, self.shift)


@dataclass(frozen=True)
class ScaledKernels(Site):
    """The weight (out, in, k, k) of a convolution, each of its kernels times a factor (out, in)."""

    factor: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        return z * self.factor[..., None, None]


def corner(matrix: Tensor) -> Tensor:
    """A matrix (d, d) as a kernel (d, d, 3, 3) that mixes the channels of each place."""
    return pad(matrix[..., None, None], (0, SIDE - 1, 0, SIDE - 1))


@dataclass(frozen=True)
class ImageMix(Mix):
    """What stands at images.

    Attributes:
        channels: d.
    """

    channels: int
    groups = OF_IMAGES

    @property
    def shapes(self) -> Shapes:
        d = self.channels
        kernels = {"pointwise": (d, d), "kernel": (d, d, SIDE, SIDE), "rank1-kernel": (d, d, 2 * SIDE + 1)}
        return {**kernels, "scalar-shift": (), "vector-shift": (d,)}

    def plain(self, operation: str) -> Tensor:
        eye = torch.eye(self.channels)
        if operation == "rank1-kernel":
            u = pad(eye[..., None], (0, SIDE - 1))
            return torch.cat([u, torch.ones_like(u[..., :1]), u], -1)
        if operation in ("pointwise", "kernel"):
            return eye if operation == "pointwise" else corner(eye)
        return super().plain(operation)

    def passes(self, w: Named) -> Tensor:
        return times(w["identity"], self.kept)

    def strength(self, name: str, w: Named) -> Tensor:
        if name != "rank1-kernel":
            return super().strength(name, w)
        whole = torch.ones_like(times(w[name], SIDE))  # of a product it is enough to weigh s
        each = torch.cat([whole, w[name][..., None], whole], -1)
        return each.expand(self.channels**2, -1).flatten()

    def site(self, psi: Named) -> CornerKernel:
        """All of it is one convolution."""
        d = self.channels
        u, s, v = psi["rank1-kernel"].unflatten(-1, (d, d, -1)).split([SIDE, 1, SIDE], -1)
        at_place = psi["pointwise"].unflatten(-1, (d, d)) + psi["kept"].expand(d).diag_embed()
        kernel = corner(at_place) + psi["kernel"].unflatten(-1, (d, d, SIDE, SIDE))
        return CornerKernel(kernel + (u * s).unsqueeze(-1) * v.unsqueeze(-2), psi["scalar-shift"] + psi["vector-shift"])


@dataclass(frozen=True)
class KernelMix(Mix):
    """What stands at the weight of a convolution.

    Attributes:
        outputs, inputs: its channels.
    """

    outputs: int
    inputs: int
    groups = OF_KERNELS

    @property
    def shapes(self) -> Shapes:
        return {"kernel-scale": (self.outputs, self.inputs), "channel-scale": (self.outputs,)}

    def passes(self, w: Named) -> Tensor:
        return times(w["identity"], self.kept)

    def site(self, psi: Named) -> ScaledKernels:
        of_each = psi["kernel-scale"].unflatten(-1, (self.outputs, self.inputs))
        return ScaledKernels(of_each + psi["channel-scale"].unsqueeze(-1) + psi["kept"])


@dataclass(frozen=True)
class OutputMix(Mix):
    """What stands behind the head.

    Attributes:
        outputs: n.
    """

    outputs: int
    groups = OF_OUTPUTS

    @property
    def shapes(self) -> Shapes:
        return {"affine": (self.outputs + 1, self.outputs)}

    def plain(self, operation: str) -> Tensor:
        return torch.eye(self.outputs + 1, self.outputs)

    def passes(self, w: Named) -> Tensor:
        return (1 - w["affine"])[..., None]

    def site(self, psi: Named) -> Matrix:
        matrix, shift = psi["affine"].unflatten(-1, self.shapes["affine"]).split([self.outputs, 1])
        return Matrix(matrix + psi["kept"].expand(self.outputs).diag_embed(), shift.squeeze(0))
