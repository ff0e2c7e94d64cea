"""A task, a distribution of tasks, and the random streams that keep training, validation and test apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadInput, quoted
from engine.tasks.spec import TaskSpec

STREAMS = ("init", "train", "validation", "test", "page", "noise", "head")
SPLITS = ("train", "validation", "test")


class Task(NamedTuple):
    """Support and query of one task; a batch of tasks has further axes in front.

    Shapes: support_x (K, *input_shape), support_y (K, output_dim) for regression or (K,) class indices,
    query_x (Q, *input_shape), query_y as support_y with Q rows.
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor


class NoisyTask(NamedTuple):
    """A task with the uniform numbers that a learner asked for: `noise` (n,), new in every meta-update."""

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    noise: Tensor


class Pool:
    """Labelled inputs that tasks are made of; `labels` (P,) int64 says the class of each."""

    labels: Tensor

    def at(self, index: Tensor) -> Tensor:
        """The inputs of some indices (...) as floats: (..., *input_shape)."""
        raise NotImplementedError(f"{type(self).__name__} must define at")


@dataclass(frozen=True, eq=False)
class Stored(Pool):
    """A pool that is in memory.

    Attributes:
        inputs: (P, *input_shape), floats, or bytes, which stand for shares of 255.
        labels: the class of each, (P,) int64.
    """

    inputs: Tensor
    labels: Tensor

    def at(self, index: Tensor) -> Tensor:
        found = self.inputs[index.flatten()].unflatten(0, index.shape)
        return found if found.is_floating_point() else found.float() / 255


@dataclass(frozen=True, eq=False)
class Pooled:
    """A batch of N tasks whose inputs are indices into a pool; `rows` gathers some of them as they are needed.

    Attributes:
        support_x, query_x: indices, (N, K) and (N, Q), or whatever else `pool.at` makes inputs of, (N, K, n).
        support_y, query_y: targets, as `Task` has them.
        pool: where the inputs are.
        spec: what the tasks are.
        noise: as in `NoisyTask`, (N, n), where a learner asked for it.
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    pool: Pool
    spec: TaskSpec
    noise: Tensor | None = None

    def rows(self, part: slice) -> "Task | NoisyTask":
        """Some of the tasks, with their inputs."""
        support_x, query_x = (self.pool.at(index[part]) for index in (self.support_x, self.query_x))
        task = Task(support_x, self.support_y[part], query_x, self.query_y[part])
        return task if self.noise is None else NoisyTask(*task, self.noise[part])


def rows_of(tasks: "Task | NoisyTask | Pooled", part: slice) -> "Task | NoisyTask":
    """Some of a batch of tasks, with their inputs."""
    return tasks.rows(part) if isinstance(tasks, Pooled) else type(tasks)(*(value[part] for value in tasks))


class Drawn(NamedTuple):
    """A batch of N tasks with what is known of them and no learner sees.

    Attributes:
        task: every tensor has a leading axis N.
        hidden: what the tasks were made of, by name, such as "amplitude" (N,) or "means" (N, ways, dimensions).
        truth: the true functions: inputs (N, points, *input_shape), or (1, points, ...) for all tasks alike, as targets
            (N, points, output_dim) in the type of the inputs, float64 for those; None where there are none that are
            known everywhere.
    """

    task: Task
    hidden: dict[str, Tensor]
    truth: Callable[[Tensor], Tensor] | None = None


class Listed(NamedTuple):
    """All points of one task of a fixed set: its name, inputs (points, *input_shape) and targets as `Task` has them."""

    name: str
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Axis:
    """Something that a shift may move: all tasks get one value of it, and what else there is stays as it was drawn.

    Attributes:
        name: of the parameter of the distribution.
        title: in words, with its symbol.
        moves: what the parameter is: the range of a "hidden" number (both of its ends become the value v), that of the
            "inputs" (it becomes [-v, v]), or a "number" (it becomes v).
        stops: values that are worth a look.
        bounds: the least and the largest value that is allowed.
    """

    name: str
    title: str
    moves: Literal["hidden", "inputs", "number"]
    stops: tuple[float, ...]
    bounds: tuple[float, float] = (0.0, 100.0)


@dataclass(frozen=True)
class TaskDistribution:
    """A distribution over tasks: a frozen set of parameters with `draw`.

    Subclasses state `name`, `summary` and `spec` and draw only from the generator they are given. `shots` and `queries`
    count the points of a regression task, and the points of each class of a classification task. `axes` says along
    what its tasks can be moved, and `span` between which bounds the inputs lie where they are single numbers.

    Attributes:
        shots: support points (of each class, where there are classes).
        queries: query points (of each class), on which a meta-update or a test is scored.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    test_tasks: ClassVar[int] = 2000  # that a test takes unless told otherwise: of a training, and by the shell
    sealed: ClassVar[tuple[str, ...]] = ()  # parameters without which making it would read a file

    shots: int = 10
    queries: int = 50

    @property
    def spec(self) -> TaskSpec:
        """What learners must know: a class attribute where no parameter changes it, a property where one does."""
        raise NotImplementedError(f"{type(self).__name__} must define spec")

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """Draws a batch of `tasks` tasks."""
        raise NotImplementedError(f"{type(self).__name__} must define draw")

    def sample(self, generator: torch.Generator, tasks: int) -> Task:
        """What learners see of the same batch."""
        return self.draw(generator, tasks).task

    def lazy(self, generator: torch.Generator, tasks: int) -> Task | Pooled:
        """The same batch; where inputs are large, as indices, so that they are gathered when they are needed."""
        return self.sample(generator, tasks)

    def flat(self) -> "TaskDistribution | None":
        """The classes of a split told apart all at once, in batches as large as its tasks; None where there are none.

        Learners that pre-train on classes instead of tasks (`Learner.flat`) draw from it.
        """
        return None

    def distinct(self, split: str) -> int | None:
        """How many different tasks a split has; None where there is no end of them."""
        return None

    def listed(self, split: str, number: int) -> Listed | None:
        """A task of a split of a fixed set, counted from 0 and round again; None where tasks are drawn anew."""
        return None

    def function(self, hidden: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor] | None:
        """The true function of a task of one number with these hidden numbers (0-d), from inputs of any shape.

        None unless a subclass can say it; `Drawn.hidden` names what it takes.
        """
        return None

    @property
    def missing(self) -> str | None:
        """What must be set before it can be drawn from, as one sentence; None if nothing."""
        return None

    @property
    def span(self) -> tuple[float, float] | None:
        """Lowest and highest input, for tasks of one number: what a curve is drawn over; None for others."""
        return None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """What a shift may move; nothing unless a subclass says so."""
        return ()

    def axis(self, name: str) -> Axis:
        """The axis of a name.

        Raises:
            BadInput: its tasks cannot be moved along it.
        """
        known = {axis.name: axis for axis in self.axes}
        if name not in known:
            along = f"along {', '.join(known)}" if known else "along nothing"
            raise BadInput(f"Tasks of {self.name} can be moved {along}; {quoted(name)} was asked for.")
        return known[name]

    def moved(self, name: str, value: float) -> Self:
        """The distribution with all tasks at one value of one axis.

        Raises:
            BadInput: there is no such axis, or the value is not within its bounds.
        """
        axis = self.axis(name)
        low, high = axis.bounds
        if not low <= value <= high:
            raise BadInput(f"The {name} of {self.name} can be moved to {low:g} to {high:g}; {value:g} was asked for.")
        ends: dict[str, Any] = {"hidden": (value, value), "inputs": (-value, value), "number": value}
        return replace(self, **{name: ends[axis.moves]})

    def trained(self, name: str) -> tuple[float, float]:
        """Lowest and highest value of an axis in this distribution; inputs of [-r, r] cover every smaller range.

        Raises:
            BadInput: there is no such axis.
        """
        axis, found = self.axis(name), getattr(self, name)
        if axis.moves == "number":
            return (found, found)
        low, high = found
        return (low, high) if axis.moves == "hidden" else (0.0, max(abs(low), abs(high)))


class Stream(torch.Generator):
    """A generator that knows what its numbers are for: of a fixed set of tasks it draws its own part (`split_of`)."""

    purpose: str = "test"


def split_of(generator: torch.Generator) -> str:
    """Which of a fixed set of tasks a generator may draw: one of `SPLITS`.

    Those of training for the stream "train", those of validation for "validation" and for "page" (what pages show and
    probes tune on), those of the test for all others, a plain generator among them.
    """
    purpose = getattr(generator, "purpose", "test")
    return {"train": "train", "validation": "validation", "page": "validation"}.get(purpose, "test")


def stream(purpose: str, seed: int = 0, index: int = 0) -> Stream:
    """A CPU generator for one purpose: the same arguments always give the same numbers.

    Streams of different purposes, seeds or indices are independent (numpy's SeedSequence mixes them), so training
    never sees a validation or test task, and a resumed run asks for exactly the numbers that it missed.

    Args:
        purpose: one of `STREAMS`; "validation" and "test" are used with seed 0 by every learner, so that all
            learners and all seeds meet the same tasks.
        seed: the seed of the run.
        index: the position in the stream, such as a block of training iterations.
    """
    entropy = (STREAMS.index(purpose), seed, index)
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    found = Stream()
    found.purpose = purpose
    found.manual_seed(int(state >> np.uint64(1)))
    return found
