"""What does every learner make of these points, step by step?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.runs.ensembles import Ensemble


@dataclass(frozen=True)
class Adaptation:
    """One learner's answer to one support set.

    Attributes:
        learner: its registered name.
        steps: the inner steps looked at, (stops,).
        errors: mean squared error at the scored points, (stops, seeds).
        drawn: the steps that have a curve; all of them unless fewer were asked for.
        curves: predictions on the grid, (drawn, seeds, grid).
    """

    learner: str
    steps: np.ndarray
    errors: np.ndarray
    drawn: np.ndarray
    curves: np.ndarray

    def band(self) -> np.ndarray:
        """Mean, lowest and highest over seeds: (drawn, 3, grid)."""
        return np.stack([self.curves.mean(1), self.curves.min(1), self.curves.max(1)], axis=1)


@dataclass(frozen=True)
class Drawing:
    """A one-dimensional regression task that somebody looks at.

    Attributes:
        points: support points (K, 2), columns x and y.
        target: values of the true function where errors are scored, if there is one: errors are then query errors,
            else support errors.
    """

    points: np.ndarray
    target: np.ndarray | None = None


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
    scored = query_x if query_x is not None else grid
    drawing = Drawing(points, truth(scored) if truth is not None and query_x is not None else None)
    return adaptations(ensemble, [drawing], grid, steps, scored)[0]


def adaptations(
    ensemble: Ensemble,
    drawings: Sequence[Drawing],
    grid: np.ndarray,
    steps: Sequence[int],
    query_x: np.ndarray,
    drawn: Sequence[int] | None = None,
) -> list[Adaptation]:
    """The same for several tasks at once, which have equally many points and either all a target or none.

    Args:
        ensemble: the seeds of a learner.
        drawings: the tasks.
        grid: where to draw the curves, (grid,).
        steps: inner steps to score; steps beyond a learner's last repeat it.
        query_x: query inputs (Q,), used where there is a target.
        drawn: the steps to draw (all unless given): a hand that moves points sees one of them.
    """
    support = np.stack([drawing.points for drawing in drawings]).astype(np.float32)
    labelled = zip(drawings, support, strict=True)
    places = [(xy[:, 0], xy[:, 1]) if one.target is None else (query_x, one.target) for one, xy in labelled]
    scored_x, lines = np.stack([x for x, _ in places]), np.broadcast_to(grid, (len(drawings), len(grid)))
    queries = [(scored_x, steps), (lines, drawn)] if drawn else [(np.concatenate([scored_x, lines], axis=1), steps)]
    inputs = [(x.astype(np.float32)[..., None], list(after)) for x, after in queries]
    found = [y[..., 0].double().numpy() for y in ensemble.predict_each(support[..., :1], support[..., 1:], inputs)]
    count = scored_x.shape[1]
    scored, curves = found if drawn else (found[0][..., :count], found[0][..., count:])
    asked, shown = np.asarray(steps), np.asarray(drawn or steps)
    return [
        Adaptation(ensemble.learner.name, asked, ((score - target) ** 2).mean(-1), shown, curve)
        for curve, score, (_, target) in zip(curves, scored, places, strict=True)
    ]
