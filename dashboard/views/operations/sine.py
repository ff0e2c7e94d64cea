"""One sine of the held-out tasks, and what a SAP makes of it when some of its operations stay at phi_0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import operations as figures
from dashboard.views.operations.reading import TASKS
from dashboard.widgets import page
from engine.runs.ensembles import Ensemble
from probes.questions import subspace
from probes.tools import representations
from probes.tools.adaptation import adaptation

GRID = np.linspace(-5.0, 5.0, 161)


@dataclass(frozen=True)
class Compared:
    """Curves at `GRID` with all operations adapting and with some held still.

    Attributes:
        subtitle: the task in words.
        points: the support, (K, 2).
        truth: the sine, (161,).
        whole, changed: (seeds, 161).
        before, after: their mean query errors on this task.
        seeds: of the runs.
    """

    subtitle: str
    points: np.ndarray
    truth: np.ndarray
    whole: np.ndarray
    changed: np.ndarray
    before: float
    after: float
    seeds: list[int]


def compared(ensemble: Ensemble, still: Sequence[str], number: int) -> Compared:
    """Adapts to held-out task `number` twice: as trained, and with the operations in `still` at phi_0."""
    tasks, hidden = representations.tasks_of(ensemble.distribution, TASKS)
    points = np.concatenate([tasks.support_x[number].numpy(), tasks.support_y[number].numpy()], 1)
    a, p = (float(hidden[key][number]) for key in ("amplitude", "phase"))

    def truth(x: np.ndarray) -> np.ndarray:
        return a * np.sin(x + p)

    learner = ensemble.learner
    steps, query = [learner.evaluation_steps], tasks.query_x[number, :, 0].numpy()
    whole = adaptation(ensemble, points, GRID, steps, truth, query)
    held = Changed(ensemble, subspace.frozen(learner, still))  # type: ignore[arg-type]
    changed = adaptation(held, points, GRID, steps, truth, query) if still else whole
    return Compared(
        f"Task {number}: {a:.2f} sin(x + {p:.2f}), {len(points)} points, after {steps[0]} steps.",
        points,
        truth(GRID),
        whole.curves[0],
        changed.curves[0],
        float(whole.errors.mean()),
        float(changed.errors.mean()),
        [run.seed for run in ensemble.runs],
    )


def drawn(found: Compared, label: str, learner: str) -> go.Figure:
    """Both sets of curves over the sine and its points; `label` names the changed ones."""
    curves = (found.whole, found.changed)
    return figures.effect(GRID, found.truth, found.points, *curves, label, learner, dark=page.dark())


class Changed(Ensemble):
    """The same weights behind a learner with other settings."""

    def __init__(self, ensemble: Ensemble, learner: Any):
        object.__setattr__(self, "runs", ensemble.runs)
        object.__setattr__(self, "_learner", learner)

    @property
    def learner(self) -> Any:
        """The learner with other settings."""
        return self._learner  # type: ignore[attr-defined]
