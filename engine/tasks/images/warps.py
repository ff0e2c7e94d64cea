"""Small random deformations of images, drawn for each image: turned, stretched, slanted, moved, and a little elastic.

A place u of the new image (each coordinate in [-1, 1]) shows what stood at

    A u + t + sum_j d_j B_j(u),    A = rotation(angle) . slant . stretches

with 4 x 4 displacements d_j that bicubic bumps B_j spread over the image. Both are products of matrices: drawn with
the functions of PyTorch that do the same (`affine_grid`, `interpolate`), they take longer than all the rest together.

Normal numbers are cut at 2 standard deviations; a deformation that would push ink out of the frame is drawn smaller.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

COARSE = 4  # displacements along each side
NUMBERS = 6 + 2 * COARSE**2  # of an image
CUT = 2.0
ANGLE, STRETCH, SLANT, SHIFT, ELASTIC = 0.15, 0.12, 0.12, 0.06, 0.06  # standard deviations: radians, logarithm, shares
RIM = 0.02  # how far beyond the ink the edge of the new image must look


def numbers(generator: torch.Generator, *shape: int) -> Tensor:
    """What the deformations of images follow from: (*shape, NUMBERS), normal, cut."""
    return torch.randn((*shape, NUMBERS), generator=generator).clamp_(-CUT, CUT)


@lru_cache(maxsize=4)
def _bases(side: int) -> tuple[Tensor, Tensor]:
    """The places of a new image (3, side^2), and the bumps (COARSE^2, side^2)."""
    places = (2 * torch.arange(side) + 1) / side - 1
    y, x = torch.meshgrid(places, places, indexing="ij")
    bumps = interpolate(
        torch.eye(COARSE**2).reshape(-1, 1, COARSE, COARSE), (side, side), mode="bicubic", align_corners=True
    )
    return torch.stack([x, y, torch.ones_like(x)]).flatten(1), bumps.flatten(1)


def places(drawn: Tensor, side: int, ink: float, strength: float = 1.0) -> Tensor:
    """Where each pixel of a new image looks: (n, side, side, 2) for drawn numbers (n, NUMBERS).

    Args:
        drawn: from `numbers`.
        side: pixels of a side.
        ink: the old image has ink at coordinates of at most this (of 1) only.
        strength: of the deformation; 0 leaves the image as it is.
    """
    angle, wide, high, slant, x, y = (strength * drawn[:, :6]).unbind(-1)
    cosine, sine = (ANGLE * angle).cos(), (ANGLE * angle).sin()
    wide, high, slant = (STRETCH * wide).exp(), (STRETCH * high).exp(), SLANT * slant
    affine = torch.stack(
        [
            torch.stack([cosine * wide, (slant * cosine - sine) * high, SHIFT * x], -1),
            torch.stack([sine * wide, (slant * sine + cosine) * high, SHIFT * y], -1),
        ],
        1,
    )  # (n, 2, 3)
    grid, bumps = _bases(side)
    elastic = ELASTIC * strength * drawn[:, 6:].unflatten(-1, (2, COARSE**2))
    found = (affine @ grid + elastic @ bumps).unflatten(-1, (side, side))  # (n, 2, side, side)
    edge = torch.cat([found[..., 0, :], found[..., -1, :], found[..., :, 0], found[..., :, -1]], -1)
    seen = edge.abs().amax(1).amin(-1)  # how near to the middle the edge comes, (n,)
    found = found * ((ink + RIM) / seen).clamp_min(1.0)[:, None, None, None]
    return found.permute(0, 2, 3, 1)


def warped(images: Tensor, drawn: Tensor, ink: float, strength: float = 1.0) -> Tensor:
    """Images (n, 1, side, side) of floats, each deformed by its numbers (n, NUMBERS)."""
    where = places(drawn, images.shape[-1], ink, strength)
    return grid_sample(images, where, mode="bilinear", padding_mode="zeros", align_corners=False)
