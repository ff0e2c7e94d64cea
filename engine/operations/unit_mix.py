"""Mixes of operations on rows of units, as SAP has them in a perceptron.

For an input z (K, d), operation parameters phi and strengths w, a mix of scalars, with a sigmoid each, computes

    z -> (1 - w_scale) z + w_scale a z,   z -> z + w_shift b

and a hidden one, whose multiplications share one softmax and whose shifts share another,

    z -> w_identity z + w_scalar a z + w_vector v * z + w_matrix z M + sum over k of w_k z U_k S_k V_k^T
    z -> z + w_scalar b + w_vector c

Keys of phi: scale, shift; scalar-scale (), vector-scale (d,), matrix (d, d), rank5 (2 d + 1, 5) and so on (the rows of
U, then S, then the rows of V), scalar-shift (), vector-shift (d,). Strengths have the same keys, and identity and
no-shift. In a row the low-rank operations stand side by side, as (2 d + 1, r) with r the sum of their ranks.

An inner step takes the derivatives at every step, and so they are written out.
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.operations.affine import Scaled
from engine.operations.mix import SHIFTS, Mix, Named, Shapes, times
from engine.operations.site import Site

END = {"scale": ["scale"], "shift": ["shift"]}
SCALARS: Shapes = {"scale": (), "shift": ()}


@dataclass(frozen=True)
class ScalarSite(Scaled):
    """What the scalar operations at the input or the output amount to: z -> z * factor + shift, of (1,) each."""

    folds = ()  # type: ignore[assignment]

    def gradient(self, z: Tensor, delta: Tensor) -> Named:
        """The derivative with respect to psi, as pieces of a row."""
        return {"scale": (z * delta).sum((-2, -1))[..., None], "shift": delta.sum((-2, -1))[..., None]}


@dataclass(frozen=True)
class ScalarMix(Mix):
    """A scale and a shift, each with a sigmoid of its own."""

    groups, shapes = END, SCALARS

    def passes(self, w: Named) -> Tensor:
        return (1 - w["scale"])[..., None]

    def site(self, psi: Named) -> ScalarSite:
        return ScalarSite(psi["kept"] + psi["scale"], psi["shift"])


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
    low_rank: tuple[Tensor, ...] | None
    written_out = True

    def __call__(self, z: Tensor) -> Tensor:
        return z @ self.matrix + self.shift

    def backward(self, delta: Tensor) -> Tensor:
        return delta @ self.matrix.mT

    def gradient(self, z: Tensor, delta: Tensor) -> Named:
        """The derivative with respect to psi, as pieces of a row, from that with respect to the output (K, d)."""
        full, down = z.mT @ delta, delta.sum(-2)  # with respect to the whole matrix (d, d) and the shift (d,)
        along = full.diagonal(dim1=-2, dim2=-1).contiguous()
        row = {"scalar-scale": along.sum(-1, keepdim=True), "vector-scale": along, "matrix": full.flatten(-2)}
        if self.low_rank is not None:
            u, s, v = self.low_rank
            left, right = z @ u, delta @ v  # (K, r) each
            parts = [(z.mT @ right) * s, (left * right).sum(-2, keepdim=True), (delta.mT @ left) * s]
            row["low-rank"] = torch.cat(parts, -2).flatten(-2)
        return row | {"scalar-shift": down.sum(-1, keepdim=True), "vector-shift": down}

    def before(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return (self.matrix @ weight.mT).mT, bias + (self.shift @ weight.mT).squeeze(-2)


@dataclass(frozen=True)
class HiddenMix(Mix):
    """Multiplications under one softmax, and shifts under another.

    Attributes:
        width: d, the units.
        ranks: of the low-rank operations.
        residual: low-rank operations are z U S V^T + z (I - P_k), P_k the projection on the first k units.
    """

    width: int
    ranks: tuple[int, ...] = ()
    residual: bool = False

    @property
    def kept(self) -> int:
        return self.width

    @property
    def groups(self) -> dict[str, list[str]]:
        low_rank = [f"rank{k}" for k in self.ranks]
        return {"scale": ["identity", "scalar-scale", "vector-scale", "matrix", *low_rank], "shift": SHIFTS}

    @property
    def shapes(self) -> Shapes:
        d = self.width
        low_rank = {"low-rank": (2 * d + 1, sum(self.ranks))} if self.ranks else {}
        scales = {"scalar-scale": (), "vector-scale": (d,), "matrix": (d, d), **low_rank}
        return {**scales, "scalar-shift": (), "vector-shift": (d,)}

    def plain(self, operation: str) -> Tensor:
        """Matrices start as the identity, and low-rank operations as projections on the first k units."""
        if operation.startswith("rank"):
            corner = torch.eye(self.width, int(operation.removeprefix("rank")))
            return torch.cat([corner, torch.ones_like(corner[:1]), corner])
        return torch.eye(self.width) if operation == "matrix" else super().plain(operation)

    def passes(self, w: Named) -> Tensor:
        kept = times(w["identity"], self.width)
        if self.residual:
            units = torch.arange(self.width, device=kept.device)
            for k in self.ranks:
                kept = kept + w[f"rank{k}"][..., None] * (units >= k)
        return kept

    def site(self, psi: Named) -> HiddenSite:
        d, factor = self.width, psi["kept"] + psi["scalar-scale"] + psi["vector-scale"]
        matrix, low_rank = psi["matrix"].unflatten(-1, (d, d)), None
        if self.ranks:
            low_rank = psi["low-rank"].unflatten(-1, self.shapes["low-rank"]).split([d, 1, d], -2)
            u, s, v = low_rank
            matrix = matrix + (u * s) @ v.mT
        shift = psi["scalar-shift"] + psi["vector-shift"]
        return HiddenSite(matrix + factor.diag_embed(), shift.unsqueeze(-2), low_rank)

    def strength(self, name: str, w: Named) -> Tensor:
        if name != "low-rank":
            return super().strength(name, w)
        of_s = torch.cat([times(w[f"rank{k}"], k) for k in self.ranks], -1)
        whole = torch.ones_like(of_s[..., :1]).expand(*of_s.shape[:-1], self.width * sum(self.ranks))
        return torch.cat([whole, of_s, whole], -1)

    def row(self, phi: Named) -> list[Tensor]:
        joined = {"low-rank": torch.cat([phi[f"rank{k}"] for k in self.ranks], -1)} if self.ranks else {}
        return super().row(phi | joined)

    def named(self, row: Named) -> Named:
        found = super().named(row)
        if self.ranks:
            parts = found["low-rank"].split(list(self.ranks), -1)
            found |= {f"rank{k}": part for k, part in zip(self.ranks, parts, strict=True)}
        return {name: found[name] for group in self.groups.values() for name in group[1:]}

    def held(self, found: Named, still: Collection[str]) -> list[Tensor]:
        if any(f"rank{k}" in still for k in self.ranks):
            columns = found["low-rank"].unflatten(-1, self.shapes["low-rank"])
            free = [torch.full((k,), f"rank{k}" not in still, device=columns.device) for k in self.ranks]
            found = {**found, "low-rank": torch.where(torch.cat(free), columns, 0.0).flatten(-2)}
        return super().held(found, still)
