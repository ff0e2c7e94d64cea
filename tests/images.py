"""A tiny image task for tests: 24 classes of 14 x 14 pictures, a bar at one of 8 angles, a blob beside it or none.

And runs on glyphs that nothing trained.
"""

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from engine.learners import make
from engine.networks import Conv4
from engine.runs.run import describe, save
from engine.tasks import Classes, Episodes, Glyphs, Image, Stored, TaskDistribution, TaskSpec, stream
from engine.tasks.task import SPLITS

SIDE, ANGLES, MEMBERS = 14, 8, 30
OF_SPLIT = {"train": range(0, 12), "validation": range(12, 18), "test": range(18, 24)}


def pictures(label: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Members of one class, (count, 1, 14, 14) bytes: moved by up to two pixels, with noise."""
    angle, blob = math.pi * (label % ANGLES) / ANGLES, label // ANGLES - 1  # no blob is 0, else on either side
    places = torch.arange(SIDE) - (SIDE - 1) / 2
    moved = 4 * torch.rand((count, 2, 1, 1), generator=generator) - 2
    y, x = places[:, None] - moved[:, 0], places[None, :] - moved[:, 1]
    across = -math.sin(angle) * x + math.cos(angle) * y
    along = math.cos(angle) * x + math.sin(angle) * y
    seen = ((across.abs() < 1) & (along.abs() < 5)).float()
    if blob:
        seen = torch.maximum(seen, ((across - 4 * blob).square() + along.square() < 4).float())
    noise = 0.1 * torch.randn(seen.shape, generator=generator)
    return (255 * (0.1 + 0.8 * seen + noise).clamp(0, 1)).byte().unsqueeze(1)


@lru_cache(maxsize=3)
def pool(split: str) -> Stored:
    """All members of the classes of a split."""
    generator = torch.Generator().manual_seed(SPLITS.index(split))
    labels = [label for label in OF_SPLIT[split] for _ in range(MEMBERS)]
    drawn = [pictures(label, MEMBERS, generator) for label in OF_SPLIT[split]]
    return Stored(torch.cat(drawn), torch.tensor(labels))


@dataclass(frozen=True)
class Bars(Episodes):
    """Few-shot classification of bars and blobs."""

    name = "bars"
    summary = "Tell bars and blobs apart from a few pictures of each."

    shots: int = 2
    queries: int = 3
    ways: int = 3

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Image(1, SIDE, SIDE), Classes(self.ways))

    def pool(self, split: str) -> Stored:
        return pool(split)


GLYPHS = Glyphs(shots=1, queries=2)
SMALL = Conv4(channels=2, blocks=3, norm="support")
INNER = {"network": SMALL, "steps": 1, "test_steps": 2}
LEARNERS = {
    "protonet": {"encoder": SMALL},
    "maml": INNER,
    "sap": INNER,
    "op-lstm": {"network": SMALL, "writes": "head"},
}


def put_run(root: Path, name: str, seed: int, loss: float | None = None, task: TaskDistribution = GLYPHS) -> Path:
    """A run folder whose weights nothing trained: of another stream than those that a training begins with."""
    learner = make(name, **LEARNERS[name])
    path = root / f"{name}-k{task.shots}-s{seed}"
    known = {"status": "done", "shots": task.shots, "training": {"iterations": 7, "meta_batch": 3}, "seconds": 90}
    save(path, learner.init(stream("page", seed), task.spec), {**describe(learner, task, seed), **known})
    if loss is not None:
        (path / "history.jsonl").write_text("".join(json.dumps({"iteration": i, "loss": loss}) + "\n" for i in (0, 7)))
    return path
