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

from dataclasses import dataclass

import torch
from torch import Tensor

Named = dict[str, Tensor]


def plain(operation: str, d: int) -> Tensor:
    """An operation that scales by 1, shifts by 0, or projects on the first k of d units."""
    if operation.startswith("rank"):
        corner = torch.eye(d, int(operation.removeprefix("rank")))
        return torch.cat([corner, torch.ones_like(corner[:1]), corner])
    if operation == "matrix":
        return torch.eye(d)
    shape = (d,) if operation.startswith("vector") else ()
    return torch.zeros(shape) if operation.endswith("shift") else torch.ones(shape)


@dataclass(frozen=True)
class LowRank:
    """All low-rank operations of a site side by side, r the sum of their ranks: z -> z U diag(w S) V^T.

    Attributes:
        names, ranks: the operations and the columns of each.
        u, s, v: (d, r), (1, r) and (d, r).
        w: the strength of each column, (1, r).
    """

    names: list[str]
    ranks: list[int]
    u: Tensor
    s: Tensor
    v: Tensor
    w: Tensor

    @classmethod
    def of(cls, w: Named, phi: Named, names: list[str]) -> "LowRank":
        """The operations `names` with their strengths."""
        ranks = [phi[name].shape[-1] for name in names]
        stacked = torch.cat([phi[name] for name in names], -1)
        columns = [w[name][..., None].expand(*w[name].shape, k) for name, k in zip(names, ranks, strict=True)]
        u, s, v = stacked.split([stacked.shape[-2] // 2, 1, stacked.shape[-2] // 2], -2)
        return cls(names, ranks, u, s, v, torch.cat(columns, -1).unsqueeze(-2))

    def matrix(self) -> Tensor:
        """The sum of all, (d, d)."""
        return (self.u * (self.s * self.w)) @ self.v.mT

    def gradient(self, full: Tensor) -> Named:
        """The derivative with respect to each operation, from that with respect to the matrix."""
        right, length = full @ self.v, self.s * self.w
        parts = [right * length, self.w * (self.u * right).sum(-2, keepdim=True), (full.mT @ self.u) * length]
        return dict(zip(self.names, torch.cat(parts, -2).split(self.ranks, -1), strict=True))


@dataclass(frozen=True)
class Site:
    """One site: what its operations amount to, z -> z * factor + z @ matrix + shift, and its derivatives.

    Attributes:
        w: strengths, each of the shape of a scalar.
        factor, shift: (1, 1), or (1, d) in hidden sites.
        matrix: (d, d) in hidden sites, else None.
        low_rank: the low-rank operations, where there are any.
    """

    w: Named
    factor: Tensor
    shift: Tensor
    matrix: Tensor | None = None
    low_rank: LowRank | None = None

    @classmethod
    def of(cls, w: Named, phi: Named, residual: bool = False) -> "Site":
        """The operations phi at strengths w.

        Args:
            w: strengths, each of the shape of a scalar.
            phi: operation parameters.
            residual: low-rank operations are z U S V^T + z (I - P_k), P_k the projection on the first k units.
        """
        if "scale" in phi:
            factor, shift = 1 + w["scale"] * (phi["scale"] - 1), w["shift"] * phi["shift"]
            return cls(w, factor[..., None, None], shift[..., None, None])
        factor = (w["identity"] + w["scalar-scale"] * phi["scalar-scale"])[..., None]
        factor = factor + w["vector-scale"][..., None] * phi["vector-scale"]
        shift = (w["scalar-shift"] * phi["scalar-shift"])[..., None] + w["vector-shift"][..., None] * phi[
            "vector-shift"
        ]
        matrix = w["matrix"][..., None, None] * phi["matrix"]
        names = [name for name in phi if name.startswith("rank")]
        low_rank = LowRank.of(w, phi, names) if names else None
        if low_rank is not None:
            matrix = matrix + low_rank.matrix()
            if residual:
                units = torch.arange(matrix.shape[-1], device=matrix.device)
                for name, k in zip(names, low_rank.ranks, strict=True):
                    factor = factor + w[name][..., None] * (units >= k)
        return cls(w, factor.unsqueeze(-2), shift.unsqueeze(-2), matrix, low_rank)

    def __call__(self, z: Tensor) -> Tensor:
        """The output (K, d) for the input z (K, d)."""
        out = z * self.factor + self.shift
        return out if self.matrix is None else out + z @ self.matrix

    def fold(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The layer that reads this site's output, as one that reads its input: weight (m, d) and bias (m,)."""
        folded = weight * self.factor
        folded = folded if self.matrix is None else folded + weight @ self.matrix.mT
        return folded, bias + (weight * self.shift).sum(-1)

    def backward(self, delta: Tensor) -> Tensor:
        """The derivative with respect to the input, from that with respect to the output, both (K, d)."""
        out = delta * self.factor
        return out if self.matrix is None else out + delta @ self.matrix.mT

    def gradient(self, z: Tensor, delta: Tensor) -> Named:
        """The derivative with respect to every operation, like phi (the residual form has the same).

        Args:
            z: the input, (K, d).
            delta: the derivative with respect to the output, (K, d).
        """
        w = self.w
        if self.matrix is None:
            return {"scale": w["scale"] * (z * delta).sum((-2, -1)), "shift": w["shift"] * delta.sum((-2, -1))}
        along, down = (z * delta).sum(-2), delta.sum(-2)  # (d,) each
        full = z.mT @ delta  # with respect to the whole matrix
        return {
            "scalar-scale": w["scalar-scale"] * along.sum(-1),
            "vector-scale": w["vector-scale"][..., None] * along,
            "matrix": w["matrix"][..., None, None] * full,
            **(self.low_rank.gradient(full) if self.low_rank else {}),
            "scalar-shift": w["scalar-shift"] * down.sum(-1),
            "vector-shift": w["vector-shift"][..., None] * down,
        }
