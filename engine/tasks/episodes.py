"""Episodes: N-way K-shot tasks over any labelled set, drawn as indices, so that inputs are only gathered when needed.

An episode draws `ways` of the classes of its split without replacement, and of each `shots` + `queries` members without
replacement, in random order (Vinyals et al. 2016). Labels are class indices that mean something within one task only.
"""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from engine.errors import BadInput
from engine.tasks.spec import Classes, TaskSpec
from engine.tasks.task import Drawn, Pool, Pooled, Task, TaskDistribution, split_of


@dataclass(frozen=True)
class Episodes(TaskDistribution):
    """Base of all few-shot classification over a set; subclasses say `pool` and `spec`, with `Classes(self.ways)`.

    Attributes:
        ways: classes of a task.
    """

    test_tasks: ClassVar[int] = 600  # adapting to images takes long, and an accuracy varies less than an error

    shots: Annotated[int, Field(ge=1, le=1000)] = 5
    queries: Annotated[int, Field(ge=1, le=1000)] = 15
    ways: Annotated[int, Field(ge=2, le=1000)] = 5

    def pool(self, split: str) -> Pool:
        """The labelled set of "train", "validation" or "test", the same object every time; splits share no class."""
        raise NotImplementedError(f"{type(self).__name__} must define pool")

    def lazy(self, generator: torch.Generator, tasks: int) -> Pooled:
        """Draws episodes from the split that the stream of the generator may see (`engine.tasks.split_of`).

        Raises:
            BadInput: the set has too few classes, or one of them has too few members.
        """
        return self._lazy(generator, tasks)[0]

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """The same with all inputs, which takes their memory; hidden are the `classes` (tasks, ways) by label."""
        pooled, classes = self._lazy(generator, tasks)
        return Drawn(Task(*pooled.rows(slice(None))[:4]), {"classes": classes})

    def flat(self) -> "Flat":
        return Flat(shots=self.shots, queries=self.queries, of=self)

    def classes(self, split: str) -> int:
        """How many a split has."""
        return len(self.pool(split).labels.unique())

    def at_random(self, generator: torch.Generator, *shape: int) -> tuple[Tensor, Tensor]:
        """Members of a split, whoever they are: inputs for its pool (*shape, ...), and numbers of classes (*shape)."""
        labels = self.pool(split_of(generator)).labels
        index = torch.randint(len(labels), shape, generator=generator)
        return index, labels.unique(return_inverse=True)[1][index]

    def _lazy(self, generator: torch.Generator, tasks: int) -> tuple[Pooled, Tensor]:
        pool = self.pool(split_of(generator))
        names, of, counts = pool.labels.unique(return_inverse=True, return_counts=True)
        of_each = self.shots + self.queries
        if len(names) < self.ways:
            raise BadInput(f"A task of {self.name} needs {self.ways} classes (ways); there are {len(names)}.")
        if (least := int(counts.min())) < of_each:
            needed = f"shots + queries = {self.shots} + {self.queries}"
            raise BadInput(f"A class of {self.name} has {least} members; {needed} needs as many or more.")
        members = of.argsort(stable=True)  # those of class 0, of class 1 ...
        starts = counts.cumsum(0) - counts
        picked = torch.rand((tasks, len(names)), generator=generator).argsort(1)[:, : self.ways]  # (tasks, ways)
        points = torch.rand((tasks, self.ways, int(counts.max())), generator=generator)
        beyond = torch.arange(points.shape[-1]) >= counts[picked].unsqueeze(-1)  # smaller classes have fewer
        rows = points.masked_fill(beyond, 2.0).argsort(-1)[..., :of_each]  # (tasks, ways, shots + queries)
        index = members[starts[picked].unsqueeze(-1) + rows]
        return self._pooled(generator, index, pool), names[picked]

    def _pooled(self, generator: torch.Generator, drawn: Tensor, pool: Pool) -> Pooled:
        """Tasks in random order of what was drawn of each class, (tasks, ways, shots + queries, ...)."""
        labels = torch.arange(self.ways).reshape(1, -1, 1).expand(drawn.shape[:3])

        def shuffled(part: slice) -> tuple[Tensor, Tensor]:
            x, y = drawn[:, :, part].flatten(1, 2), labels[..., part].flatten(1)
            order = torch.rand(y.shape, generator=generator).argsort(1)
            rows = torch.arange(len(y)).unsqueeze(1)
            return x[rows, order], y[rows, order]

        support, query = shuffled(slice(0, self.shots)), shuffled(slice(self.shots, None))
        return Pooled(*support, *query, pool, self.spec)


@dataclass(frozen=True)
class Flat(TaskDistribution):
    """All classes of the training split of a set, told apart at once: batches with as many members as a task has.

    Attributes:
        of: the episodes whose set it is.
    """

    name = "flat"
    summary = "Tell all classes of a set apart."

    of: Episodes = field(kw_only=True)

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(self.of.spec.inputs, Classes(self.of.classes("train")))

    def lazy(self, generator: torch.Generator, tasks: int) -> Pooled:
        """Draws from the split that the stream of the generator may see; only that of training has these classes."""
        shots, queries = (self.of.ways * number for number in (self.shots, self.queries))
        x, y = self.of.at_random(generator, tasks, shots + queries)
        return Pooled(
            x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:], self.of.pool(split_of(generator)), self.spec
        )

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        return Drawn(Task(*self.lazy(generator, tasks).rows(slice(None))[:4]), {})
