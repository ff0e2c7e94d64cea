"""Mixes: simple operations that stand at one point of a network, each with a strength; what SAP adapts.

`unit_mix` has those on rows of units, `image_mix` those on images and kernels. The strengths w in (0, 1) of operations
of one kind come from logits by a softmax, or a sigmoid where there is one. A strength only ever multiplies its own
parameters phi (of a low-rank operation, one of its factors), so what stands at a point is a function of the products
psi = w * phi, and the derivative with respect to phi is w times that with respect to psi: one multiplication for all
operations of a network, if their numbers stand in one row. A row comes in pieces, each (n,): for every mix first what
passes as it is ("kept", where phi is 1), then its operations.

Leading axes (a stack of networks) broadcast through every function but `plain`, where they do through the network.
"""

import math
from collections.abc import Collection
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from engine.operations.site import At, Site

Named = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
Value = TypeVar("Value")
SHIFTS = ["no-shift", "scalar-shift", "vector-shift"]


class Mix:
    """Base of all mixes: which operations there are, and how their parameters stand in a row.

    Subclasses say `groups`, `shapes`, `passes` and `site`.
    """

    @property
    def groups(self) -> dict[str, list[str]]:
        """The operations by kind: several share a softmax, and the first has no parameters; one alone has a sigmoid."""
        raise NotImplementedError(f"{type(self).__name__} must define groups")

    @property
    def shapes(self) -> Shapes:
        """What stands in a row behind what passes, in its order, and how it is shaped."""
        raise NotImplementedError(f"{type(self).__name__} must define shapes")

    @property
    def kept(self) -> int:
        """How many numbers say what passes as it is."""
        return 1

    def passes(self, w: Named) -> Tensor:
        """Their strengths, (kept,)."""
        raise NotImplementedError(f"{type(self).__name__} must define passes")

    def site(self, psi: Named) -> Site:
        """What the pieces of a row of products psi make."""
        raise NotImplementedError(f"{type(self).__name__} must define site")

    def plain(self, operation: str) -> Tensor:
        """An operation as it starts: scales at 1, shifts at 0."""
        return (torch.zeros if operation.endswith("shift") else torch.ones)(self.shapes[operation])

    def strength(self, name: str, w: Named) -> Tensor:
        """The strength of every number of a piece, (n,)."""
        return times(w[name], math.prod(self.shapes[name]))

    @property
    def pieces(self) -> dict[str, int]:
        """The pieces of a row, with how many numbers each has."""
        return {"kept": self.kept, **{name: math.prod(shape) for name, shape in self.shapes.items()}}

    def row(self, phi: Named) -> list[Tensor]:
        """Parameters as pieces of a row."""
        found = [phi[name].flatten(-len(s)) if s else phi[name][..., None] for name, s in self.shapes.items()]
        return [found[0].new_ones((*found[0].shape[:-1], self.kept)), *found]

    def named(self, row: Named) -> Named:
        """The parameters in the pieces of a row."""
        return {name: row[name].unflatten(-1, s) if s else row[name].squeeze(-1) for name, s in self.shapes.items()}

    def strengths(self, w: Named) -> list[Tensor]:
        """The strength of every number, as pieces of a row."""
        return [self.passes(w), *(self.strength(name, w) for name in self.shapes)]

    def held(self, found: Named, still: Collection[str]) -> list[Tensor]:
        """The derivative with respect to psi as pieces of a row, zero for what does not adapt."""
        like = next(iter(found.values()))
        return [
            like.new_zeros((*like.shape[:-1], size)) if name == "kept" or name in still else found[name]
            for name, size in self.pieces.items()
        ]


class Place(NamedTuple):
    """A mix, the name of its site, and the point of the network where it stands."""

    site: str
    point: str
    mix: Mix


class Mixes:
    """All mixes of a network, in its order. Operations go by "site.operation", groups of strengths by "site.kind"."""

    def __init__(self, places: list[Place]):
        self._places = places

    def points(self) -> list[str]:
        """Where they stand."""
        return [place.point for place in self._places]

    def groups(self) -> dict[str, list[str]]:
        """Which operations share strengths. Where there are several, the first has no parameters."""
        return {
            f"{site}.{kind}": [f"{site}.{name}" for name in names]
            for site, _, mix in self._places
            for kind, names in mix.groups.items()
        }

    def plain(self) -> Named:
        """The operations that have parameters, as they start."""
        groups = ((place, names) for place in self._places for names in place.mix.groups.values())
        names = ((place, name) for place, each in groups for name in (each if len(each) == 1 else each[1:]))
        return {f"{place.site}.{name}": place.mix.plain(name) for place, name in names}

    def strengths(self, logits: Named) -> Named:
        """The strength of every operation, from the logits of the groups."""
        found: Named = {}
        for group, names in self.groups().items():
            of = logits[group]
            found |= zip(names, [of.sigmoid()] if len(names) == 1 else of.softmax(-1).unbind(-1), strict=True)
        return found

    def rows(self, phi: Named, logits: Named) -> tuple[Tensor, Tensor]:
        """Parameters and strengths of all numbers, (N,) each."""
        w, places = self.strengths(logits), self._places
        row = [piece for site, _, mix in places for piece in mix.row(_of(site, phi))]
        strengths = [piece for site, _, mix in places for piece in mix.strengths(_of(site, w))]
        return torch.cat(row, -1), torch.cat(strengths, -1)

    def pieces(self, row: Tensor) -> dict[str, Named]:
        """A row (N,) cut into its pieces, by point."""
        sizes = [place.mix.pieces for place in self._places]
        pieces = iter(row.split([size for each in sizes for size in each.values()], -1))
        return {place.point: {name: next(pieces) for name in s} for place, s in zip(self._places, sizes, strict=True)}

    def at(self, psi: dict[str, Named]) -> At:
        """What the pieces of a row of products psi make, at the points."""
        return At({point: mix.site(psi[point]) for _, point, mix in self._places})

    def gradient(self, found: dict[str, Named], still: Collection[str]) -> Tensor:
        """Derivatives with respect to psi, by point and piece, as a row (N,), 0 for what does not adapt."""
        named = dict.fromkeys(still)
        return torch.cat([p for site, point, mix in self._places for p in mix.held(found[point], _of(site, named))], -1)

    def named(self, row: Tensor) -> Named:
        """The parameters in a row."""
        found, pieces = Named(), self.pieces(row)
        for site, point, mix in self._places:
            found |= {f"{site}.{name}": value for name, value in mix.named(pieces[point]).items()}
        return found


def times(strength: Tensor, size: int) -> Tensor:
    """One strength for so many numbers, (size,)."""
    return strength[..., None].expand(*strength.shape, size)


def _of(site: str, named: dict[str, Value]) -> dict[str, Value]:
    """The entries of one site, by operation."""
    return {name.removeprefix(f"{site}."): value for name, value in named.items() if name.startswith(f"{site}.")}
