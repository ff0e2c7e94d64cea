"""Held-out tasks of large inputs: however many a probe is told to ask, their pictures are gathered a few at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import evaluation
from engine.execution.memory import bytes_of
from engine.learners import make
from engine.networks import Conv4
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import Axis, Drawn, Image, Pool, Pooled, Stored, Task, TaskDistribution, TaskSpec, Values, stream
from probes import asking
from tests.images import SIDE, Bars
from tests.probes.test_devices import same

NETWORK = Conv4(channels=4, blocks=2, norm="group")
TASKS, QUERIES = 5, 9  # 3 of each class


class Counted(Stored):
    """A pool that notes how many pictures are gathered at once."""

    def at(self, index: torch.Tensor) -> torch.Tensor:
        gathered.append(index.numel())
        return super().at(index)


gathered: list[int] = []  # pictures at once
POOLS: dict[str, Counted] = {}


@dataclass(frozen=True)
class Watched(Bars):
    """Bars, out of pools that are watched."""

    name = "watched"

    def pool(self, split: str) -> Pool:
        if split not in POOLS:
            found = super().pool(split)
            POOLS[split] = Counted(found.inputs, found.labels)
        return POOLS[split]


@dataclass(frozen=True)
class Brightness(TaskDistribution):
    """How bright pictures are, times a number: values as targets, out of the same pool."""

    name = "brightness"
    spec = TaskSpec(Image(1, SIDE, SIDE), Values(1))

    shots: int = 6
    queries: int = QUERIES
    factor: float = 1.0

    @property
    def axes(self) -> tuple[Axis, ...]:
        return (Axis("factor", "factor", "number", (0.5, 1.0)),)

    def lazy(self, generator: torch.Generator, tasks: int) -> Pooled:
        pool = Watched().pool("test")
        index = torch.randint(len(pool.labels), (tasks, self.shots + self.queries), generator=generator)
        y, k = self.factor * pool.inputs.float().mean((1, 2, 3))[index].unsqueeze(-1) / 255, self.shots
        return Pooled(index[:, :k], y[:, :k], index[:, k:], y[:, k:], pool, self.spec)

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        lazily = self.lazy(generator, tasks)
        return Drawn(Task(*lazily.rows(slice(None))[:4]), {})


def ensemble(name: str, distribution: TaskDistribution, **settings: Any) -> Ensemble:
    learner = make(name, network=NETWORK, **settings)
    params = [learner.init(stream("init", seed), distribution.spec) for seed in range(2)]
    runs = [Run(Path(f"{name}-{i}"), learner, distribution, p, {"seed": i}) for i, p in enumerate(params)]
    return Ensemble(tuple(runs))


MAML = {"steps": 1, "test_steps": 1}
ASKED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "behaviour": ("maml", MAML, {"tasks": TASKS}),
    "diversity": ("maml", MAML, {"tasks": TASKS, "points": 6}),
    "moving": ("maml", MAML, {"tasks": TASKS}),
    "updates": ("maml", MAML, {"tasks": TASKS}),
    "shots": ("maml", MAML, {"tasks": TASKS, "shots": (2, 6)}),
    "shift": ("maml", MAML, {"tasks": TASKS, "axis": "factor"}),
    "rule": ("op-lstm", {"steps": 2, "writes": "head"}, {"fitted_on": TASKS, "tasks": TASKS, "grid": 5}),
}


@pytest.mark.parametrize("name", ASKED)
def test_no_probe_gathers_more_pictures_at_once_than_fit(name: str, monkeypatch: pytest.MonkeyPatch):
    """Memory is for two tasks of both seeds; what is said is what all tasks at once would have said."""
    learner, settings, values = ASKED[name]
    made = ensemble(learner, Brightness() if name in ("shots", "shift") else Watched(), **settings)
    free = asking.plain(asking.ask(name, [made], values))
    one = bytes_of(made.learner, made.distribution.spec, 6, QUERIES, steps=made.learner.evaluation_steps)
    monkeypatch.setattr(evaluation, "MOST_BYTES", 2 * 2 * one)
    gathered.clear()
    bounded = asking.plain(asking.ask(name, [made], values))
    assert 0 < max(gathered) <= 2 * QUERIES
    same(bounded, free)
