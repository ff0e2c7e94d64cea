"""Glyphs: tell characters of a script apart, drawn by several fonts and deformed anew for every image.

A task is one group (a script, or a kind of symbols), drawn in proportion to the square root of its size, and `ways` of
its characters. Each image is one of the styles that the character has, at random, and a deformation of its own
(`engine.tasks.images.warps`), so that no image comes twice. Groups are in one split each (`bank`).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.errors import BadInput
from engine.tasks.episodes import Episodes
from engine.tasks.images import bank, warps
from engine.tasks.spec import Classes, Image, TaskSpec
from engine.tasks.task import Pooled, Stored, split_of

INK = bank.BOX / bank.SIDE


@dataclass(frozen=True, eq=False)
class Warped(Stored):
    """A pool whose images are deformed as they are gathered.

    Attributes:
        strength: of the deformations.
    """

    strength: float = 1.0

    def at(self, index: Tensor) -> Tensor:
        """Images (..., 1, side, side) of rows (..., 1 + `warps.NUMBERS`): an index, and its deformation's numbers."""
        flat = index.flatten(0, -2)
        images = super().at(flat[:, 0].long())
        return warps.warped(images, flat[:, 1:], INK, self.strength).unflatten(0, index.shape[:-1])


@dataclass(frozen=True)
class Glyphs(Episodes):
    """Few-shot classification of characters.

    Attributes:
        side: pixels of a side.
        warp: strength of the deformations; 0 for none.
    """

    name = "glyphs"
    summary = "Tell characters of a script apart (5 ways) from a few images of each; tests are in scripts never met."

    side: Literal[14, 28] = 14
    warp: Annotated[float, Field(ge=0, le=2)] = 1.0

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Image(1, self.side, self.side), Classes(self.ways))

    def pool(self, split: str) -> Warped:
        part = bank.part(split, self.side)
        labels = torch.arange(len(part.styles)).repeat_interleave(part.styles)
        return Warped(part.images, labels, self.warp)

    def at_random(self, generator: torch.Generator, *shape: int) -> tuple[Tensor, Tensor]:
        """Each character as often as any other, in one of its styles."""
        part = bank.part(split_of(generator), self.side)
        picked = torch.randint(len(part.styles), shape, generator=generator)
        return self._styled(generator, picked, shape), picked

    def _styled(self, generator: torch.Generator, picked: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Rows for the pool: of characters, a style of each and its deformation, (*shape, 1 + `warps.NUMBERS`)."""
        part = bank.part(split_of(generator), self.side)
        style = torch.rand(shape, generator=generator) * part.styles[picked]
        index = part.first[picked] + style.long()
        return torch.cat([index.unsqueeze(-1), warps.numbers(generator, *shape)], -1)

    def _lazy(self, generator: torch.Generator, tasks: int) -> tuple[Pooled, Tensor]:
        """Hidden `classes` are Unicode code points."""
        split = split_of(generator)
        part = bank.part(split, self.side)
        sizes = part.groups.bincount()
        chances = torch.where(sizes >= self.ways, sizes.double().sqrt(), 0.0)
        if not chances.any():
            raise BadInput(f"A task of glyphs may have up to {int(sizes.max())} ways; {self.ways} were asked for.")
        group = torch.multinomial(chances, tasks, replacement=True, generator=generator)
        order = torch.rand((tasks, len(part.groups)), generator=generator)
        order = order.masked_fill(part.groups != group.unsqueeze(1), 2.0)
        picked = order.topk(self.ways, dim=1, largest=False).indices  # (tasks, ways)
        shape = (tasks, self.ways, self.shots + self.queries)
        drawn = self._styled(generator, picked.unsqueeze(-1).expand(shape), shape)
        return self._pooled(generator, drawn, self.pool(split)), part.codes[picked]
