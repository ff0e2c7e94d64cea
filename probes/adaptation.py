"""What does every learner make of these points, step by step?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.ensembles import Ensemble


@dataclass(frozen=True)
class Adaptation:
    """One learner's answer to one support set.

    Attributes:
        learner: its registered name.
        steps: the inner steps looked at, (stops,).
        curves: predictions on the grid, (stops, seeds, grid).
        errors: mean squared error at the scored points, (stops, seeds).
    """

    learner: str
    steps: np.ndarray
    curves: np.ndarray
    errors: np.ndarray

    def band(self) -> np.ndarray:
        """Mean, lowest and highest over seeds: (stops, 3, grid)."""
        return np.stack([self.curves.mean(1), self.curves.min(1), self.curves.max(1)], axis=1)


def stops(ensembles: Sequence[Ensemble]) -> list[int]:
    """The inner steps worth a stop: the first ten one by one, then ever fewer, and the last of every learner."""
    lasts = {ensemble.learner.evaluation_steps for ensemble in ensembles}
    longest = max(lasts, default=0)
    return sorted(step for step in {*range(11), 15, 20, 30, 40, 50, 75, *lasts} if step <= longest)


def adaptation(
    ensemble: Ensemble,
    points: np.ndarray,
    grid: np.ndarray,
    steps: Sequence[int],
    truth: Callable[[np.ndarray], np.ndarray] | None = None,
    query_x: np.ndarray | None = None,
) -> Adaptation:
    """Adapts all seeds of one learner to the points of a one-dimensional regression task.

    Args:
        ensemble: the seeds of a learner.
        points: support points (K, 2), columns x and y.
        grid: where to draw the curves, (grid,).
        steps: inner steps to look at; steps beyond a learner's last repeat it.
        truth: the true function, if there is one: errors are then query errors at `query_x`, else support errors.
        query_x: query inputs (Q,), needed with `truth`.
    """
    support = points.astype(np.float32)
    trajectory = ensemble.adapt(support[:, :1], support[:, 1:])
    scored_x, target = (support[:, 0], support[:, 1]) if truth is None or query_x is None else (query_x, truth(query_x))
    x = np.concatenate([grid, scored_x]).astype(np.float32)[:, None]
    predicted = ensemble.predict(trajectory, x, list(steps))[..., 0].double().numpy()  # (stops, seeds, grid + scored)
    curves, scored = predicted[..., : len(grid)], predicted[..., len(grid) :]
    return Adaptation(ensemble.learner.name, np.asarray(steps), curves, ((scored - target) ** 2).mean(-1))
