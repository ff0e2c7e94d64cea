"""The bank of glyphs that ships beside this file, and who belongs to training, validation and test.

Groups (scripts, and kinds of symbols) play the part of Omniglot's alphabets: each is in one split as a whole. Some
letters look alike across scripts (Latin A, Greek Alpha, Cyrillic A); where two of different splits do, the one of
training (or of validation, against the test) is left out, so that nothing that is tested was seen in training.
"""

import json
import lzma
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load
from torch import Tensor
from torch.nn.functional import avg_pool2d

FILE = Path(__file__).with_name("glyphs.safetensors.xz")
SIDE, BOX = 28, 20  # of an image, and of the square that its ink fills
OF_SPLIT = {
    "validation": ("Armenian", "Lao"),
    "test": ("Georgian", "Hebrew", "Nko", "Ogham", "Old Italic", "Tifinagh"),
}  # all other groups are trained on
PRECEDED = {"train": ("validation", "test"), "validation": ("test",), "test": ()}  # splits whose look-alikes it lacks
LOOK_ALIKE = 0.12  # squared distance over the sum of squares, of the nearest pair of images


@dataclass(frozen=True, eq=False)
class Bank:
    """Images of characters.

    Attributes:
        images: (P, 28, 28) bytes.
        classes: which character each shows, (P,), in order.
        codes: the Unicode code point of each character, (C,).
        groups: which group each character belongs to, (C,).
        names: of the groups.
        like: which characters look like one of validation or test, (C,) each; theirs do.
        origin: what it was made from (`make_bank.origin`).
    """

    images: np.ndarray
    classes: np.ndarray
    codes: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]
    like: dict[str, np.ndarray]
    origin: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Part:
    """The characters of one split.

    Attributes:
        images: (P, 1, side, side) bytes.
        first, styles: where the images of each character begin, and how many there are, (C,).
        codes: its Unicode code point, (C,).
        groups: which group each belongs to, (C,), counted within the part.
        names: of the groups.
    """

    images: Tensor
    first: Tensor
    styles: Tensor
    codes: Tensor
    groups: Tensor
    names: tuple[str, ...]


@lru_cache(maxsize=1)
def bank() -> Bank:
    """All of it."""
    file = load(lzma.decompress(FILE.read_bytes()))
    about = json.loads(file["about"].tobytes())
    like = {split: file[f"like_{split}"] for split in OF_SPLIT}
    arrays = (file["images"], file["classes"].astype(np.int64), file["codes"], file["groups"])
    return Bank(*arrays, tuple(about["names"]), like, about["origin"])


def split_of_group(name: str) -> str:
    """The split that a group belongs to."""
    return next((split for split, names in OF_SPLIT.items() if name in names), "train")


@lru_cache(maxsize=6)
def part(split: str, side: int) -> Part:
    """One split, at 28 or 14 pixels (means of 2 x 2), the same object every time."""
    every = bank()
    chosen = np.array([split_of_group(name) == split for name in every.names])[every.groups]
    for other in PRECEDED[split]:
        chosen &= ~every.like[other]
    kept = np.flatnonzero(chosen)
    images = torch.from_numpy(every.images[np.isin(every.classes, kept)]).unsqueeze(1)
    if side != SIDE:
        images = avg_pool2d(images.float(), SIDE // side).round().byte()
    counts = torch.from_numpy(np.bincount(every.classes, minlength=len(every.codes))[kept])
    present, groups = np.unique(every.groups[kept], return_inverse=True)
    return Part(
        images,
        counts.cumsum(0) - counts,
        counts,
        torch.from_numpy(every.codes[kept]).long(),
        torch.from_numpy(groups),
        tuple(every.names[i] for i in present),
    )
