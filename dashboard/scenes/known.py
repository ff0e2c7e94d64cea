"""What is known of one task of one number, and where learners are scored on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
import torch

from engine.errors import EngineError
from engine.tasks import Drawn, Task, TaskDistribution, stream

MOST_ROWS = 200  # of a task that are shown and scored
SAMPLE = 200  # tasks of a fixed set that are looked at
SPLIT = "validation"  # what pages show of a fixed set (`engine.tasks.split_of`)
NOBODY = np.empty((0, 2))
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Known:
    """One task, worked out once.

    Attributes:
        support: the points that it begins with, (K, 2).
        rows: other points of it, (R, 2), where it is known by them.
        function: its true function, where there is one, for inputs of any shape.
        curve: the same on the grid.
        scored: inputs on which learners are scored, and the values there; None where nothing is known.
        says: which task it is, where it has a name.
        trouble: why it could not be had, in a sentence.
    """

    support: np.ndarray
    rows: np.ndarray = field(default_factory=lambda: NOBODY)
    function: Function | None = None
    curve: np.ndarray | None = None
    scored: tuple[np.ndarray, np.ndarray] | None = None
    says: str = ""
    trouble: str = ""


def fixed(distribution: TaskDistribution) -> bool:
    """Whether its tasks are a fixed set."""
    return type(distribution).listed is not TaskDistribution.listed


def drawn(distribution: TaskDistribution, number: int, shots: int) -> Drawn:
    """One task by its number."""
    return replace(distribution, shots=shots).draw(stream("page", number, 1), 1)


def by_points(task: Drawn) -> Known:
    """A task without a true function: its query points are what is known."""
    support, query = points_of(task.task)
    return _by_rows(support, query[:MOST_ROWS])


def by_function(task: Drawn, function: Function, grid: np.ndarray, even: np.ndarray) -> Known:
    """A task with one."""
    return Known(points_of(task.task)[0], NOBODY, function, function(grid), (even, function(even)))


def made_of(distribution: TaskDistribution, hidden: Mapping[str, float]) -> Function:
    """The true function of hidden numbers."""
    made = distribution.function({name: torch.tensor(value, dtype=torch.float64) for name, value in hidden.items()})
    assert made is not None
    return lambda x: made(torch.from_numpy(np.asarray(x, np.float64))).numpy()


def truth_of(task: Drawn) -> Function:
    """The true function that a task was drawn with."""
    truth = task.truth
    assert truth is not None
    return lambda x: truth(torch.from_numpy(np.asarray(x, np.float64)).reshape(1, -1, 1)).numpy().reshape(np.shape(x))


def points_of(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Support (K, 2) and query (Q, 2) of the first of some tasks."""
    pairs = ((task.support_x, task.support_y), (task.query_x, task.query_y))
    support, query = (torch.cat([x[0], y[0]], -1).double().numpy() for x, y in pairs)
    return support, query


def by_list(distribution: TaskDistribution, number: int, shots: int) -> Known:
    """A task of a fixed set: some of its rows are its support, the others are what is known.

    Raises:
        EngineError: the set cannot be read.
    """
    count = distribution.distinct(SPLIT) or 1
    index = (number - 1) % count
    task = distribution.listed(SPLIT, index)
    assert task is not None
    order = torch.randperm(len(task.x), generator=stream("page", number)).numpy()
    points = torch.cat([task.x, task.y], -1).double().numpy()[order]
    rows, others = points[shots : shots + MOST_ROWS], len(points) - shots
    some = f"{len(rows)} of its {others}" if others > len(rows) else f"its {others}"
    path = getattr(distribution, "path", "")
    where = f"the validation split of {PurePath(path).name}" if path else "the validation split"
    says = (
        f"Task {task.name}, {index + 1} of {count} in {where}: nobody was trained on it. Rings are {some} other rows."
    )
    return replace(_by_rows(points[:shots], rows), says=says)


def unknown(x: tuple[float, float], y: float, shots: int, why: str) -> Known:
    """Points to begin with where a task cannot be had: even ones at one height."""
    return Known(np.stack([np.linspace(*x, shots + 2)[1:-1], np.full(shots, y)], axis=1), trouble=why)


def values_of(distribution: TaskDistribution, sample: Drawn | None, grid: np.ndarray) -> tuple[float, float]:
    """Lowest and highest value that tasks have: those of a sample, or those of a fixed set; equal if nobody knows."""
    if sample is not None and sample.truth is not None:
        values = sample.truth(torch.from_numpy(grid).reshape(1, -1, 1))
    elif sample is not None:
        values = torch.cat([sample.task.support_y, sample.task.query_y], 1)
    else:
        low, high = getattr(distribution, "targets", (0.0, 0.0))
        if low < high:
            return low, high
        try:  # the records of older runs do not say
            listed = [distribution.listed("train", number) for number in range(SAMPLE)]
            values = torch.cat([task.y for task in listed if task is not None])
        except EngineError:
            return low, high
    return float(values.min()), float(values.max())


def trained_numbers(distribution: TaskDistribution, sample: Drawn | None) -> list[float]:
    """What sliders would go to: the ends of all axes, and of all hidden numbers of a sample."""
    hidden = [] if sample is None else [float(v) for h in sample.hidden.values() for v in (h.min(), h.max())]
    return [*hidden, *(end for axis in distribution.axes for end in distribution.trained(axis.name))]


def _by_rows(support: np.ndarray, rows: np.ndarray) -> Known:
    return Known(support, rows, scored=(rows[:, 0], rows[:, 1]) if len(rows) else None)
