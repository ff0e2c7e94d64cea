"""How far do predictions move while a learner adapts?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from engine.evaluation import held_out_tasks
from engine.runs.ensembles import Ensemble
from probes.probe import Probe, Progress


@dataclass(frozen=True)
class Config:
    """How many held-out tasks."""

    tasks: Annotated[int, Field(ge=1, le=1000)] = 100


@dataclass(frozen=True)
class Moved:
    """The mean absolute change of the query predictions from the first step to the last, (seeds, tasks), by learner."""

    by_learner: dict[str, np.ndarray]


@dataclass(frozen=True)
class MetaTrained:
    """Something learned to start from."""

    says = "It has learned something across tasks."

    def __call__(self, ensemble: Ensemble) -> str | None:
        """None for everybody that can be asked, otherwise one sentence."""
        learner = ensemble.learner
        return None if learner.meta_trained else f"{learner.title} has learned nothing to start from."


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Moved:
    """Adapts every seed to every task."""
    found: dict[str, np.ndarray] = {}
    for i, ensemble in enumerate(ensembles):
        tasks, moved = held_out_tasks(ensemble.distribution, config.tasks), []
        for run in ensemble.runs:
            for x, y, query_x, _ in zip(*tasks, strict=True):
                trajectory = run.adapt(x, y)
                first, last = run.predict(trajectory, query_x, step=0), run.predict(trajectory, query_x)
                moved.append(float((last - first).abs().mean()))
        found[ensemble.learner.name] = torch.tensor(moved).reshape(len(ensemble.runs), -1).numpy()
        progress((i + 1) / len(ensembles))
    return Moved(found)


PROBE = Probe("moved", "How far do predictions move while a learner adapts?", Config, (MetaTrained(),), ask)
