"""What a task's inputs and targets are: the types from which networks, losses, measures and checks follow."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

Kind = Literal["regression", "classification"]


@dataclass(frozen=True)
class Numbers:
    """Inputs that are rows of `size` numbers."""

    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (self.size,)


@dataclass(frozen=True)
class Image:
    """Inputs that are images, channels first."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (self.channels, self.height, self.width)


@dataclass(frozen=True)
class Values:
    """Targets that are rows of `size` real numbers: float tensors (points, size), scored by their squared error."""

    kind: ClassVar[Kind] = "regression"

    size: int

    @property
    def outputs(self) -> int:
        """How many numbers a prediction consists of."""
        return self.size


@dataclass(frozen=True)
class Classes:
    """Targets that are one of `ways` classes: int64 tensors (points,), predicted by a logit for each class."""

    kind: ClassVar[Kind] = "classification"

    ways: int

    @property
    def outputs(self) -> int:
        """How many numbers a prediction consists of."""
        return self.ways


@dataclass(frozen=True)
class TaskSpec:
    """What a learner must know of a task to build its networks."""

    inputs: Numbers | Image
    targets: Values | Classes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one input."""
        return self.inputs.shape

    @property
    def input_size(self) -> int:
        """How many numbers an input consists of."""
        return math.prod(self.input_shape)

    @property
    def output_dim(self) -> int:
        """How many numbers a prediction consists of."""
        return self.targets.outputs

    @property
    def kind(self) -> Kind:
        """What learners say that they learn (`Learner.kinds`)."""
        return self.targets.kind


LINE = TaskSpec(Numbers(1), Values(1))  # a function of one number: what can be drawn as a curve
