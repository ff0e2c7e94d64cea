"""A site of simple operations between two layers: what SAP adapts. A mix of multiplications, then a mix of shifts.

For an input z (K, d), operation parameters phi and strengths w in (0, 1), a site of scalars computes

    z -> (1 - w_scale) z + w_scale a z,   z -> z + w_shift b

and a hidden site, whose multiplications share one softmax and whose shifts share another,

    z -> w_identity z + w_scalar a z + w_vector v * z + w_matrix z M + sum over k of w_k z U_k S_k V_k^T
    z -> z + w_scalar b + w_vector c

Keys of phi: scale, shift; scalar-scale (), vector-scale (d,), matrix (d, d), rank5 (2 d + 1, 5) and so on (the rows of
U, then S, then the rows of V), scalar-shift (), vector-shift (d,). Strengths have the same keys, and identity and
no-shift.

A strength only ever multiplies its own parameters (of a low-rank operation, S), so a site is a function of the products
psi = w * phi, and the derivative with respect to phi is w times that with respect to psi: one multiplication for all
operations of a network, if their numbers stand in one row. A row comes in pieces, each (n,): first what passes a site
as it is ("kept": phi is 1 there, and w is 1 - w_scale or w_identity), then the operations; of the low-rank ones all U
side by side, as (d, r) with r the sum of their ranks, then all S, then all V.

Leading axes (a stack of networks) broadcast through every function but `plain`.
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.operations.site import Site

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
class ScalarSite(Site):
    """What the scalar operations at the input or the output amount to: z -> z * factor + shift.

    Attributes:
        factor, shift: (1, 1).
    """

    factor: Tensor
    shift: Tensor
    written_out = True

    def __call__(self, z: Tensor) -> Tensor:
        return z * self.factor + self.shift

    def backward(self, delta: Tensor) -> Tensor:
        return delta * self.factor

    def gradient(self, z: Tensor, delta: Tensor) -> Named:
        """The derivative with respect to psi, as pieces of a row.

        Args:
            z: the input, (K, d).
            delta: the derivative with respect to the output, (K, d).
        """
        return {"scale": (z * delta).sum((-2, -1))[..., None], "shift": delta.sum((-2, -1))[..., None]}

    def before(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return weight * self.factor, bias + (weight * self.shift).sum(-1)

    def after(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return weight * self.factor, bias * self.factor.squeeze(-1) + self.shift.squeeze(-1)


@dataclass(frozen=True)
class HiddenSite(Site):
    """What the operations of a hidden site amount to: z -> z @ matrix + shift.

    Attributes:
        matrix: (d, d), the sum of all multiplications.
        shift: (1, d).
        low_rank: U (d, r), w S (1, r) and V (d, r) of the low-rank operations, where there are any.
    """

    matrix: Tensor
    shift: Tensor
    low_rank: tuple[Tensor, Tensor, Tensor] | None
    written_out = True

    def __call__(self, z: Tensor) -> Tensor:
        return z @ self.matrix + self.shift

    def backward(self, delta: Tensor) -> Tensor:
        return delta @ self.matrix.mT

    def gradient(self, z: Tensor, delta: Tensor) -> Named:
        """The derivative with respect to psi, as pieces of a row.

        Args:
            z: the input, (K, d).
            delta: the derivative with respect to the output, (K, d).
        """
        full, down = z.mT @ delta, delta.sum(-2)  # with respect to the whole matrix (d, d) and the shift (d,)
        along = full.diagonal(dim1=-2, dim2=-1).contiguous()
        row = {"scalar-scale": along.sum(-1, keepdim=True), "vector-scale": along, "matrix": full.flatten(-2)}
        if self.low_rank is not None:
            u, s, v = self.low_rank
            left, right = z @ u, delta @ v  # (K, r) each
            row |= {"u": ((z.mT @ right) * s).flatten(-2), "s": (left * right).sum(-2)}
            row["v"] = ((delta.mT @ left) * s).flatten(-2)
        return row | {"scalar-shift": down.sum(-1, keepdim=True), "vector-shift": down}

    def before(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return (self.matrix @ weight.mT).mT, bias + (self.shift @ weight.mT).squeeze(-2)


@dataclass(frozen=True)
class Form:
    """Which operations a site has, and how their parameters stand in a row.

    Attributes:
        width: d, the units of a hidden site; 0 for the scalars at input and output.
        ranks: of the low-rank operations.
        residual: low-rank operations are z U S V^T + z (I - P_k), P_k the projection on the first k units.
    """

    width: int = 0
    ranks: tuple[int, ...] = ()
    residual: bool = False

    @property
    def pieces(self) -> dict[str, int]:
        """The pieces of a row, with how many numbers each has."""
        if not self.width:
            return {"kept": 1, "scale": 1, "shift": 1}
        d, r = self.width, sum(self.ranks)
        low_rank = {"u": d * r, "s": r, "v": d * r} if self.ranks else {}
        scales = {"kept": d, "scalar-scale": 1, "vector-scale": d, "matrix": d * d}
        return {**scales, **low_rank, "scalar-shift": 1, "vector-shift": d}

    def row(self, phi: Named) -> list[Tensor]:
        """Parameters as pieces of a row; those of the low-rank operations as one."""
        first = next(iter(phi.values()))  # the scalar, with whatever leading axes
        kept = first.new_ones((*first.shape, self.pieces["kept"]))
        if not self.width:
            return [kept, phi["scale"][..., None], phi["shift"][..., None]]
        low_rank = [torch.cat([phi[f"rank{k}"] for k in self.ranks], -1).flatten(-2)] if self.ranks else []
        scales = [kept, phi["scalar-scale"][..., None], phi["vector-scale"], phi["matrix"].flatten(-2), *low_rank]
        return [*scales, phi["scalar-shift"][..., None], phi["vector-shift"]]

    def named(self, row: Named) -> Named:
        """The parameters in the pieces of a row."""
        if not self.width:
            return {name: row[name].squeeze(-1) for name in ("scale", "shift")}
        phi = {"scalar-scale": row["scalar-scale"].squeeze(-1), "vector-scale": row["vector-scale"]}
        phi["matrix"] = row["matrix"].unflatten(-1, (self.width, self.width))
        if self.ranks:
            columns = [row[name].unflatten(-1, (-1, sum(self.ranks))) for name in ("u", "s", "v")]
            parts = torch.cat(columns, -2).split(list(self.ranks), -1)
            phi |= {f"rank{k}": part for k, part in zip(self.ranks, parts, strict=True)}
        return phi | {"scalar-shift": row["scalar-shift"].squeeze(-1), "vector-shift": row["vector-shift"]}

    def strengths(self, w: Named) -> list[Tensor]:
        """The strength of every number, as (finer) pieces of a row."""
        if not self.width:
            return [(1 - w["scale"])[..., None], w["scale"][..., None], w["shift"][..., None]]
        d, kept, low_rank = self.width, _times(w["identity"], self.width), []
        if self.ranks:
            whole = w["identity"].new_ones((*w["identity"].shape, d * sum(self.ranks)))
            low_rank = [whole, *(_times(w[f"rank{k}"], k) for k in self.ranks), whole]
        if self.residual:
            units = torch.arange(d, device=kept.device)
            for k in self.ranks:
                kept = kept + w[f"rank{k}"][..., None] * (units >= k)
        scales = [kept, _times(w["scalar-scale"], 1), _times(w["vector-scale"], d), _times(w["matrix"], d * d)]
        return [*scales, *low_rank, _times(w["scalar-shift"], 1), _times(w["vector-shift"], d)]

    def site(self, psi: Named) -> ScalarSite | HiddenSite:
        """The site that the pieces of a row of products psi make."""
        if not self.width:
            return ScalarSite((psi["kept"] + psi["scale"])[..., None], psi["shift"][..., None])
        d, factor = self.width, psi["kept"] + psi["scalar-scale"] + psi["vector-scale"]
        matrix, low_rank = psi["matrix"].unflatten(-1, (d, d)), None
        if self.ranks:
            u, v = (psi[name].unflatten(-1, (d, -1)) for name in ("u", "v"))
            low_rank = u, psi["s"].unsqueeze(-2), v
            matrix = matrix + (u * low_rank[1]) @ v.mT
        shift = psi["scalar-shift"] + psi["vector-shift"]
        return HiddenSite(matrix + factor.diag_embed(), shift.unsqueeze(-2), low_rank)

    def held(self, row: Named, still: Collection[str]) -> list[Tensor]:
        """The derivative with respect to psi as pieces of a row, zero for what does not adapt."""
        like = row["scale" if not self.width else "scalar-scale"]
        found = []
        for name, size in self.pieces.items():
            if name == "kept" or name in still:
                found.append(like.new_zeros((*like.shape[:-1], size)))
            elif name in ("u", "s", "v") and any(f"rank{k}" in still for k in self.ranks):
                free = [torch.full((k,), f"rank{k}" not in still, device=like.device) for k in self.ranks]
                columns = row[name].unflatten(-1, (-1, sum(self.ranks)))
                found.append(torch.where(torch.cat(free), columns, 0.0).flatten(-2))
            else:
                found.append(row[name])
        return found


def _times(strength: Tensor, size: int) -> Tensor:
    """One strength for so many numbers, (size,)."""
    return strength[..., None].expand(*strength.shape, size)
