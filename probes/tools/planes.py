r"""Planes through a weight space: two directions, axes, and what lies on the plane or off it.

A point (x, y) of a plane is the vector c + x d_1 + y d_2 around the centre c. Directions are as long as the centre, so
that x and y are in units of |c|; only random ones keep the length that their normalisation gives them, which is |c|
but for the biases. A point w of the space is projected by least squares; what is left is its distance off the plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from probes.probe import Progress
from probes.tools.losses import Surface, gradient, hessian_vector
from probes.tools.spectrum import ends
from probes.tools.surfaces import length

NOTHING = 1e-9  # shorter than this share of the centre is no direction
STILL = 0.05  # how far axes go to either side where nothing has moved
PRODUCTS = 120  # Hessian products that two eigenvectors take, about: for the progress


@dataclass(frozen=True)
class Projected:
    """Points of the space, as a plane has them.

    Attributes:
        xy: their coordinates, (n, 2).
        off: their distances from the plane, in units of |c|, (n,).
        explained: the share of the squared distances from the centre that lies in the plane; NaN if all are at it.
    """

    xy: np.ndarray
    off: np.ndarray
    explained: float


def filter_normalised(surface: Surface, generator: torch.Generator) -> Tensor:
    """A random direction (N,), every row of a matrix as long as that row of the centre (Li et al., NeurIPS 2018).

    A row is what makes one unit. Biases, and whatever else is a vector or a number, stay as they are: direction 0, as
    in the published code.
    """
    rows = []
    for leaf in _leaves(surface.tree(surface.centre)):
        d = torch.randn(leaf.shape, generator=generator, dtype=torch.float64)
        if leaf.ndim < 2:
            rows.append(torch.zeros_like(d).reshape(-1))
            continue
        own, drawn = (part.flatten(1).norm(dim=1) for part in (leaf, d))
        rows.append((d.flatten(1) * (own / drawn.clamp_min(1e-300)).unsqueeze(1)).reshape(-1))
    return torch.cat(rows)


def _leaves(tree: object) -> list[Tensor]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    return [tree]  # type: ignore[list-item]


def random(surface: Surface, generator: torch.Generator) -> Tensor:
    """Two filter-normalised directions, (2, N)."""
    return torch.stack([filter_normalised(surface, generator) for _ in range(2)])


def eigen(surface: Surface, progress: Progress) -> tuple[Tensor, np.ndarray]:
    """The eigenvectors of the two largest eigenvalues of the Hessian, (2, N), and these, (2,)."""
    done, product = 0, hessian_vector(surface, surface.centre)

    def counting(v: Tensor) -> Tensor:
        nonlocal done
        found = product(v)
        done += 1
        progress(min(done / PRODUCTS, 0.99))
        return found

    found = ends(counting, surface.size, 2)
    return torch.as_tensor(found.vectors.copy()) * length(surface.centre), found.high


def along(surface: Surface, wishes: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """Two perpendicular directions (2, N) from the first wishes that are not 0 nor in line; random ones fill up."""
    scale = length(surface.centre)
    found: list[Tensor] = []
    for wish in [*wishes, *(filter_normalised(surface, generator) for _ in range(2))]:
        rest = wish
        for _ in range(2):
            for direction in found:
                rest = rest - (rest @ direction) * direction
        if length(rest) > NOTHING * max(scale, length(wish)):
            found.append(rest / rest.norm())
        if len(found) == 2:
            break
    return torch.stack(found) * scale


def principal(surface: Surface, path: Tensor, generator: torch.Generator) -> Tensor:
    """The two directions (2, N) that hold most of a path (points, N) around the centre; its start lies to the left."""
    moves = path - surface.centre
    _, _, right = torch.linalg.svd(moves, full_matrices=False)
    kept = [v if v @ moves[0] <= 0 else -v for v in right[: min(2, len(moves))]]
    strong = [v for v in kept if length(moves @ v) > NOTHING * length(surface.centre)]
    return along(surface, strong, generator)


def uphill(surface: Surface, start: Tensor, generator: torch.Generator) -> Tensor:
    """The gradient at the centre, and what of the way from a start (N,) to the centre is perpendicular to it."""
    return along(surface, [gradient(surface, surface.centre), surface.centre - start], generator)


def projected(surface: Surface, directions: Tensor, points: Tensor) -> Projected:
    """Points (n, N) on the plane of two directions (2, N)."""
    moves = points - surface.centre
    xy = torch.linalg.lstsq(directions.mT, moves.mT).solution.mT  # (n, 2)
    rest = (moves - xy @ directions).square().sum(-1)
    whole = float(moves.square().sum())
    explained = 1 - float(rest.sum()) / whole if whole > 0 else float("nan")
    return Projected(xy.numpy(), rest.sqrt().numpy() / length(surface.centre), explained)


def axis(low: float, high: float, points: int) -> np.ndarray:
    """Even places from about `low` (at most 0) to about `high` (at least 0), one of them exactly 0: (points,)."""
    apart = (high - low) / (points - 1)
    before = int(np.clip(round(-low / apart), 0, points - 1))
    return apart * np.arange(-before, points - before)


def limits(xy: np.ndarray, least: float, margin: float = 0.25) -> list[tuple[float, float]]:
    """(low, high) of both axes: all points (n, 2) and the centre with a margin, and at least `least` to either side.

    Neither axis is shorter than a third of the other, so that a nearly straight path still has a plane around it.
    """
    low, high = np.minimum(xy.min(0, initial=0), 0), np.maximum(xy.max(0, initial=0), 0)
    air = margin * (high - low)
    low, high = np.minimum(low - air, -least), np.maximum(high + air, least)
    if not (high - low).any():  # everything is at the centre
        return [(-STILL, STILL)] * 2
    widths = high - low
    missing = np.maximum(widths.max() / 3 - widths, 0) / 2
    return [(float(a - m), float(b + m)) for a, b, m in zip(low, high, missing, strict=True)]


def evaluated(surface: Surface, points: Tensor, chunk: int, progress: Progress) -> np.ndarray:
    """The loss at points (n, N), `chunk` at a time, in float64: (n,). The progress is told after every chunk."""
    found = []
    with torch.no_grad():
        for at in range(0, len(points), chunk):
            found.append(vmap(surface.loss)(points[at : at + chunk]))
            progress(min(at + chunk, len(points)) / len(points))
    return torch.cat(found).numpy()


def on_plane(
    surface: Surface, directions: Tensor, x: np.ndarray, y: np.ndarray, chunk: int, progress: Progress
) -> np.ndarray:
    """The loss on a grid x (n,), y (m,) of a plane: (m, n). Points are made as they are needed, never all at once."""
    grid = torch.as_tensor(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))
    found = []
    with torch.no_grad():
        for at in range(0, len(grid), chunk):
            found.append(vmap(surface.loss)(surface.centre + grid[at : at + chunk] @ directions))
            progress(min(at + chunk, len(grid)) / len(grid))
    return torch.cat(found).numpy().reshape(len(y), len(x))
