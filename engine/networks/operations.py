"""A site of simple operations between two layers: what SAP adapts. A mix of multiplications, then a mix of shifts.

For an input z (K, d), operation parameters phi and strengths w in (0, 1), a site of scalars computes

    z -> (1 - w_scale) z + w_scale a z,   z -> z + w_shift b

and a hidden site, whose multiplications share one softmax and whose shifts share another,

    z -> w_identity z + w_scalar a z + w_vector v * z + w_matrix z M + sum over k of w_k z U_k S_k V_k^T
    z -> z + w_scalar b + w_vector c

Keys of phi: scale, shift; scalar-scale (), vector-scale (d,), matrix (d, d), rank5 (2 d + 1, 5) and so on (the rows of
U, then S, then the rows of V), scalar-shift (), vector-shift (d,). Strengths have the same keys, and identity and
no-shift. Leading axes (a stack of networks) broadcast through every function but `plain`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

Named = dict[str, Tensor]


class Mix(NamedTuple):
    """What all operations of a site amount to: z -> z * factor + z @ matrix + shift."""

    factor: Tensor  # (1, 1) or (1, d)
    matrix: Tensor | None  # (d, d) in hidden sites
    shift: Tensor  # (1, 1) or (1, d)

    def __call__(self, z: Tensor) -> Tensor:
        """The output (K, d) for the input z (K, d)."""
        out = z * self.factor + self.shift
        return out if self.matrix is None else out + z @ self.matrix

    def fold(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The layer z -> W (mix of z) + b as one layer: its weight (m, d) and bias (m,)."""
        folded = weight * self.factor
        folded = folded if self.matrix is None else folded + weight @ self.matrix.mT
        return folded, bias + (weight * self.shift).sum(-1)

    def backward(self, delta: Tensor) -> Tensor:
        """The derivative with respect to the input, from that with respect to the output, both (K, d)."""
        out = delta * self.factor
        return out if self.matrix is None else out + delta @ self.matrix.mT


def plain(operation: str, d: int) -> Tensor:
    """An operation that scales by 1, shifts by 0, or projects on the first k of d units."""
    if operation.startswith("rank"):
        corner = torch.eye(d, int(operation.removeprefix("rank")))
        return torch.cat([corner, torch.ones_like(corner[:1]), corner])
    if operation == "matrix":
        return torch.eye(d)
    shape = (d,) if operation.startswith("vector") else ()
    return torch.zeros(shape) if operation.endswith("shift") else torch.ones(shape)


def mix(w: Named, phi: Named, residual: bool = False) -> Mix:
    """The operations phi of one site at strengths w, as one multiplication and one shift.

    Args:
        w: strengths, each of the shape of a scalar.
        phi: operation parameters.
        residual: low-rank operations are z U S V^T + z (I - P_k), P_k the projection on the first k units.
    """
    if "scale" in phi:
        factor = 1 + w["scale"] * (phi["scale"] - 1)
        return Mix(factor[..., None, None], None, (w["shift"] * phi["shift"])[..., None, None])
    v = phi["vector-scale"]
    factor = (w["identity"] + w["scalar-scale"] * phi["scalar-scale"]).unsqueeze(-1) + w["vector-scale"][..., None] * v
    matrix = w["matrix"][..., None, None] * phi["matrix"]
    if names := _low_rank(phi):
        u, s, v = _split(phi, names)
        matrix = matrix + (u * (s * _spread(w, phi, names))) @ v.mT
        if residual:
            units = torch.arange(v.shape[-2], device=v.device)
            factor = factor + sum(w[name][..., None] * (units >= phi[name].shape[-1]) for name in names)
    shift = (w["scalar-shift"] * phi["scalar-shift"])[..., None] + w["vector-shift"][..., None] * phi["vector-shift"]
    return Mix(factor.unsqueeze(-2), matrix, shift.unsqueeze(-2))


def gradient(w: Named, phi: Named, z: Tensor, delta: Tensor) -> Named:
    """The derivative of a loss with respect to every operation of a site, like phi.

    Args:
        w: strengths, as for `mix`.
        phi: operation parameters; the residual form has the same derivatives.
        z: the input of the site, (K, d).
        delta: the derivative with respect to its output, (K, d).
    """
    if "scale" in phi:
        return {"scale": w["scale"] * (z * delta).sum((-2, -1)), "shift": w["shift"] * delta.sum((-2, -1))}
    along, down = (z * delta).sum(-2), delta.sum(-2)  # (d,) each
    full = z.mT @ delta  # (d, d): the derivative with respect to the matrix of the mix
    g = {
        "scalar-scale": w["scalar-scale"] * along.sum(-1),
        "vector-scale": w["vector-scale"][..., None] * along,
        "matrix": w["matrix"][..., None, None] * full,
    }
    if names := _low_rank(phi):
        u, s, v = _split(phi, names)
        strength = _spread(w, phi, names)
        right = full @ v
        parts = [right * (s * strength), strength * (u * right).sum(-2, keepdim=True), (full.mT @ u) * (s * strength)]
        g |= zip(names, torch.cat(parts, -2).split([phi[name].shape[-1] for name in names], -1), strict=True)
    g["scalar-shift"] = w["scalar-shift"] * down.sum(-1)
    g["vector-shift"] = w["vector-shift"][..., None] * down
    return g


def _low_rank(phi: Named) -> list[str]:
    return [name for name in phi if name.startswith("rank")]


def _split(phi: Named, names: list[str]) -> tuple[Tensor, Tensor, Tensor]:
    """U (d, r), S (1, r) and V (d, r) of all low-rank operations side by side, r the sum of their ranks."""
    stacked = torch.cat([phi[name] for name in names], -1)
    d = stacked.shape[-2] // 2
    return stacked[..., :d, :], stacked[..., d : d + 1, :], stacked[..., d + 1 :, :]


def _spread(w: Named, phi: Named, names: list[str]) -> Tensor:
    """The strength of each of those columns, (1, r)."""
    columns = [w[name][..., None].expand(*w[name].shape, phi[name].shape[-1]) for name in names]
    return torch.cat(columns, -1).unsqueeze(-2)
