"""One of the held-out tasks, and what a SAP makes of it when some of its operations stay at phi_0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch

from dashboard.figures import operations as figures
from dashboard.views.operations.anatomy import TASKS
from dashboard.widgets import page
from engine.runs.ensembles import Ensemble
from engine.tasks import LINE
from probes.questions import subspace
from probes.tools import representations
from probes.tools.adaptation import adaptation


@dataclass(frozen=True)
class Compared:
    """Curves with all operations adapting and with some held still.

    Attributes:
        subtitle: the task in words.
        points: the support, (K, 2).
        grid: inputs, (161,).
        truth: the true function there, (161,); None if it is unknown.
        whole, changed: (seeds, 161).
        before, after: their mean query errors on this task.
        seeds: of the runs.
    """

    subtitle: str
    points: np.ndarray
    grid: np.ndarray
    truth: np.ndarray | None
    whole: np.ndarray
    changed: np.ndarray
    before: float
    after: float
    seeds: list[int]


def compared(ensemble: Ensemble, still: Sequence[str], number: int) -> Compared | None:
    """Adapts to held-out task `number` twice: as trained, and with the operations in `still` at phi_0.

    None where tasks are no functions of one number, which could be drawn.
    """
    distribution = ensemble.distribution
    if distribution.spec != LINE or distribution.span is None:
        return None
    tasks, hidden = representations.tasks_of(distribution, TASKS)
    points = np.concatenate([tasks.support_x[number].numpy(), tasks.support_y[number].numpy()], 1)
    grid = np.linspace(*distribution.span, 161)
    known = representations.truths(distribution, TASKS, torch.as_tensor(grid).unsqueeze(-1))
    query, target = (values[number, :, 0].numpy() for values in (tasks.query_x, tasks.query_y))

    def truth(_: np.ndarray) -> np.ndarray:
        return target

    learner = ensemble.learner
    steps = [learner.evaluation_steps]
    whole = adaptation(ensemble, points, grid, steps, truth, query)
    held = Changed(ensemble, subspace.frozen(learner, still))  # type: ignore[arg-type]
    changed = adaptation(held, points, grid, steps, truth, query) if still else whole
    return Compared(
        f"Task {number}:{_spoken(hidden, number)} {len(points)} points, after {steps[0]} steps.",
        points,
        grid,
        None if known is None else known[number],
        whole.curves[0],
        changed.curves[0],
        float(whole.errors.mean()),
        float(changed.errors.mean()),
        [run.seed for run in ensemble.runs],
    )


def _spoken(hidden: dict[str, np.ndarray], number: int) -> str:
    """What a task was made of, in words."""
    if set(hidden) == {"amplitude", "phase"}:
        return f" {hidden['amplitude'][number]:.2f} sin(x + {hidden['phase'][number]:.2f}),"
    return "".join(f" {name} {values[number]:.2f}," for name, values in hidden.items())


def drawn(found: Compared, label: str, learner: str) -> go.Figure:
    """Both sets of curves over the task and its points; `label` names the changed ones."""
    curves = (found.whole, found.changed)
    return figures.effect(found.grid, found.truth, found.points, *curves, label, learner, dark=page.dark())


class Changed(Ensemble):
    """The same weights behind a learner with other settings."""

    def __init__(self, ensemble: Ensemble, learner: Any):
        object.__setattr__(self, "runs", ensemble.runs)
        object.__setattr__(self, "_learner", learner)

    @property
    def learner(self) -> Any:
        """The learner with other settings."""
        return self._learner  # type: ignore[attr-defined]
