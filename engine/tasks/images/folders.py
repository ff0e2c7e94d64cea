"""Your own images: a folder for each class, or the layouts of Omniglot, miniImageNet, tieredImageNet and CUB.

`engine.tasks.images.listing` says what is a class and which split it is in. Images of any size are resized (both sides,
as the published loaders do, with anti-aliasing) when they are first needed, and the last ones are kept in memory, so
that a set may be larger than it.
"""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from engine.errors import BadInput, quoted
from engine.tasks.episodes import Episodes
from engine.tasks.images.listing import Listing, listed
from engine.tasks.spec import Classes, Image, TaskSpec
from engine.tasks.task import SPLITS, Pool, Pooled, split_of

KEPT_BYTES = 2_000_000_000  # of decoded images, in a process
GREY = ("1", "L", "LA", "I", "F", "I;16")  # modes of images without colours


@dataclass(frozen=True, eq=False)
class Files(Pool):
    """A pool of image files, decoded when they are needed.

    Attributes:
        files: of all images.
        labels: the class of each, (P,).
        names: of the classes.
        channels, side: what an image becomes.
        invert: dark for bright.
    """

    files: tuple[str, ...]
    labels: Tensor
    names: tuple[str, ...]
    channels: int
    side: int
    invert: bool
    _kept: "OrderedDict[int, Tensor]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, index: Tensor) -> Tensor:
        """Images (..., channels, side, side) of indices (...), in [0, 1].

        Raises:
            BadInput: a file cannot be read as an image.
        """
        wanted, where = index.flatten().unique(return_inverse=True)
        found = torch.stack([self._image(i) for i in wanted.tolist()]).float() / 255
        return (1 - found if self.invert else found)[where].unflatten(0, index.shape)

    def _image(self, number: int) -> Tensor:
        """One image as bytes (channels, side, side)."""
        with self._lock:
            if (known := self._kept.get(number)) is not None:
                self._kept.move_to_end(number)
                return known
        found = decoded(self.files[number], self.channels, self.side)
        with self._lock:
            self._kept[number] = found
            while len(self._kept) * found.numel() > KEPT_BYTES:
                self._kept.popitem(last=False)
        return found


def decoded(file: str, channels: int, side: int) -> Tensor:
    """An image file as bytes (channels, side, side).

    Raises:
        BadInput: it cannot be read as an image.
    """
    from PIL import Image as pictures

    try:
        with pictures.open(file) as picture:
            deep = picture.mode == "I;16"  # 16 bits, which `convert` would cut off at 255
            eight = picture.point(lambda value: value / 256) if deep else picture
            ready = eight.convert("RGB" if channels == 3 else "L")
            small = ready.resize((side, side), pictures.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, pictures.DecompressionBombError) as error:
        raise BadInput(f"{file} cannot be read as an image: {quoted(str(error))[1:-1]}.") from None
    return torch.from_numpy(np.array(small, np.uint8).reshape(side, side, channels)).permute(2, 0, 1).contiguous()


def channels_of(file: str) -> int:
    """1 for an image without colours, otherwise 3.

    Raises:
        BadInput: it cannot be read as an image.
    """
    from PIL import Image as pictures

    try:
        with pictures.open(file) as picture:
            return 1 if picture.mode in GREY else 3
    except (OSError, ValueError, SyntaxError) as error:
        raise BadInput(f"{file} cannot be read as an image: {quoted(str(error))[1:-1]}.") from None


@dataclass(frozen=True)
class Folders(Episodes):
    """Few-shot classification of the images of a folder.

    Attributes:
        path: the folder.
        side: pixels of a side that images are resized to.
        channels: 1 for grey, 3 for colours; 0 as the first image has it, filled in when the folder is first read.
        invert: dark for bright, for ink on paper where learners were trained on light on dark.
        sha256: of the names and sizes of all files, filled in likewise; a folder that has changed since is refused.
    """

    name = "folders"
    summary = "Tell your own images apart (5 ways): a folder of images for each class."
    sealed = ("sha256",)

    path: str = ""
    side: Annotated[int, Field(ge=4, le=256)] = 28
    channels: Literal[0, 1, 3] = 0
    invert: bool = False
    sha256: str = ""

    def __post_init__(self) -> None:
        if not self.path or self.sha256:
            return
        object.__setattr__(self, "path", os.path.abspath(os.path.expanduser(self.path)))
        there = listed(self.path)
        object.__setattr__(self, "sha256", there.sha256)
        if not self.channels:
            object.__setattr__(self, "channels", channels_of(there.files[0]))
        for split in SPLITS:
            self._enough(there, split)

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Image(self.channels or 1, self.side, self.side), Classes(self.ways))

    @property
    def missing(self) -> str | None:
        return None if self.path else "The task folders reads a folder: set path to one with a folder for each class."

    def pool(self, split: str) -> Files:
        """The images of a split.

        Raises:
            BadInput: the folder is gone or has changed.
        """
        if self.missing:
            raise BadInput(self.missing)
        there = listed(self.path)
        if there.sha256 != self.sha256:
            raise BadInput(f"{self.path} is not the folder that this task was made of: its files are others.")
        return _pool(there, split, self.channels, self.side, self.invert)

    def _lazy(self, generator: torch.Generator, tasks: int) -> tuple[Pooled, Tensor]:
        split = split_of(generator)
        if self.path:
            self._enough(listed(self.path), split)
        return super()._lazy(generator, tasks)

    def _enough(self, there: Listing, split: str) -> None:
        """Whether tasks of a split can be drawn; raises BadInput."""
        mine = [one for one, of in zip(there.classes, there.splits, strict=True) if of == split]
        if len(mine) < self.ways:
            many = f"{len(mine)} class{'es' * (len(mine) != 1)} for {split}"
            raise BadInput(f"{self.path} has {many}; a task needs {self.ways} (ways).")
        name, least = min(mine, key=lambda one: one[1])
        if least < self.shots + self.queries:
            needed = f"shots + queries = {self.shots} + {self.queries}"
            raise BadInput(f"Class {quoted(name)} of {self.path} has {least} images; {needed} needs as many or more.")


@lru_cache(maxsize=6)
def _pool(there: Listing, split: str, channels: int, side: int, invert: bool) -> Files:
    files: list[str] = []
    names: list[str] = []
    labels, first = [], 0
    for (name, count), of in zip(there.classes, there.splits, strict=True):
        if of == split:
            files += there.files[first : first + count]
            labels += [len(names)] * count
            names.append(name)
        first += count
    return Files(tuple(files), torch.tensor(labels), tuple(names), channels, side, invert)
