"""How predictions are scored, by the type of the targets: float rows are `Values`, class indices `Classes`.

targets                     learners minimise       people compare          who knows nothing has
Values: floats (Q, d)       mean squared error      mean squared error      the mean square of the targets
Classes: int64 (Q,)         cross-entropy           accuracy                log ways
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from engine.tasks.spec import TaskSpec, Values


class Measure(NamedTuple):
    """What people compare.

    Attributes:
        name: as records and tables have it.
        title: in words.
        loss: what learners minimise, in words.
        worst: what a task that diverged counts as in a median: an infinite error, or no right answer.
    """

    name: str
    title: str
    loss: str
    worst: float


ERROR = Measure("mse", "mean squared error", "mean squared error", math.inf)
ACCURACY = Measure("accuracy", "accuracy", "cross-entropy", 0.0)


def measure(spec: TaskSpec) -> Measure:
    """How tasks of a kind are scored."""
    return ERROR if isinstance(spec.targets, Values) else ACCURACY


def are_values(target: Tensor) -> bool:
    """Whether targets are rows of numbers; otherwise they are class indices."""
    return target.is_floating_point()


def one_hot(labels: Tensor, like: Tensor) -> Tensor:
    """Class indices (Q,) as rows (Q, ways) of zeros and ones, with the ways and the dtype of `like` (..., ways)."""
    classes = torch.arange(like.shape[-1], device=like.device)
    return (labels.unsqueeze(-1) == classes).to(like.dtype)


def as_rows(target: Tensor, like: Tensor) -> Tensor:
    """Targets as rows of numbers: (K, output_dim) as they are, class indices (K,) as one-hot rows (K, ways)."""
    return target if are_values(target) else one_hot(target, like)


def loss(prediction: Tensor, target: Tensor) -> Tensor:
    """A scalar, or one per seed for a stack of seeds.

    Mean squared error for numbers (Q, output_dim); cross-entropy of the predicted logits (Q, ways) for class indices
    (Q,), the mean over the Q points.
    """
    if are_values(target):
        return (prediction - target).square().mean((-2, -1))
    chosen = one_hot(target, prediction)
    return -(chosen * prediction.log_softmax(-1)).sum(-1).mean(-1)


def loss_gradient(prediction: Tensor, target: Tensor) -> Tensor:
    """The derivative of `loss` with respect to the prediction, of the prediction's shape."""
    if are_values(target):
        return (prediction - target) * (2 / (prediction.shape[-2] * prediction.shape[-1]))
    return (prediction.softmax(-1) - one_hot(target, prediction)) / prediction.shape[-2]


def uninformed(spec: TaskSpec, targets: Tensor) -> float:
    """The loss of saying 0 everywhere (mean over all targets), or of all classes being equally likely."""
    return float(targets.double().square().mean()) if are_values(targets) else math.log(spec.output_dim)
