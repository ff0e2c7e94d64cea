"""Ranges (low, high) as parameters of task distributions, and uniform numbers from them."""

from typing import Annotated

import torch
from pydantic import AfterValidator
from torch import Tensor


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower end of a range comes first")
    return bounds


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]


def uniform(generator: torch.Generator, bounds: Range, shape: tuple[int, ...]) -> Tensor:
    """Numbers of the given shape, uniform between the two bounds."""
    low, high = bounds
    return low + (high - low) * torch.rand(shape, generator=generator)
