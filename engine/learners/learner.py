"""The one interface behind which every learner stands.

A learner is a frozen dataclass of hyper-parameters with pure functions, written for *one* task as its paper writes it.
`torch.func.vmap` makes one task a batch and one seed many; no learner contains a batch loop. A stack of seeds may also be
given as parameters with a leading axis, which broadcasts, for one support set or as many as there are seeds: that is
what the live page does, because an operation takes it less time so than through vmap.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.func import grad_and_value

from engine import losses
from engine.networks import Acting, network_of
from engine.tasks import Task, TaskSpec
from engine.trees import Tree

Params = dict[str, Any]  # named groups of named tensors: {"net": {"weight1": ...}}
State = dict[str, Any]  # what changes while a learner adapts
Trajectory = list[State]  # before the first step and after each one: T + 1 states


@dataclass(frozen=True)
class Learner:
    """Base of all learners; subclasses say `start`, `step` and `predict`, and add hyper-parameters as fields.

    Class attributes describe the learner to people: `name` (registry, command line), `title`, `family`,
    `reference`, `formula` (LaTeX), `rule` (how it adapts, as one line of text), `summary` (one sentence).
    `kinds` says which tasks it can learn. `running` names groups of parameters that are running averages: they take the
    value that `meta_gradient` points to (parameter minus gradient) instead of being optimised. `meta_trained` is False
    for a learner that learns nothing across tasks. `judged_each_step` is True where the meta-loss asks the queries after
    every inner step, which it makes twice. `flat` is True for one that, where tasks are made of the classes of a set, is
    trained to tell all of these apart (`TaskDistribution.flat`), with a `classifier` that nothing else needs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str]
    reference: ClassVar[str]
    formula: ClassVar[str]
    rule: ClassVar[str]
    summary: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ("regression", "classification")
    permutation_invariant: ClassVar[bool] = True
    running: ClassVar[tuple[str, ...]] = ()
    meta_trained: ClassVar[bool] = True
    judged_each_step: ClassVar[bool] = False
    flat: ClassVar[bool] = False
    training: ClassVar[Mapping[str, Any]] = {}  # what it asks of meta-training where no recipe says otherwise

    def noise_size(self, spec: TaskSpec) -> int:
        """How many uniform numbers meta-training draws for each task (they come as `NoisyTask.noise`); 0: none."""
        return 0

    def rule_size(self) -> tuple[int, int]:
        """Of a rule that looks at every weight apart (`coordinates.in_chunks`), for bounds on memory.

        Returns:
            How many numbers a step keeps of one weight, besides the weight and its gradient; and how many the rule
            makes of one on its way. (0, 0): there is no such rule.
        """
        return 0, 0

    def standing(self) -> Collection[str]:
        """The points of its network at which operations stand, for bounds on memory."""
        return ()

    @property
    def train_steps(self) -> int:
        """Inner steps T in meta-training."""
        return self.steps  # type: ignore[attr-defined]

    @property
    def evaluation_steps(self) -> int:
        """Inner steps T in validation, test and on the pages."""
        return getattr(self, "test_steps", None) or self.train_steps

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        """Draws the meta-parameters for tasks of the given kind."""
        raise NotImplementedError(f"{type(self).__name__} must define init")

    def classifier(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        """What stands in for the head in a training on all classes at once, as `params["classifier"]`."""
        raise NotImplementedError(f"{type(self).__name__} must define classifier")

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        """The state before any inner step, for support_x (K, *input_shape), support_y (K, output_dim) or class indices (K,)."""
        raise NotImplementedError(f"{type(self).__name__} must define start")

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        """One inner step."""
        raise NotImplementedError(f"{type(self).__name__} must define step")

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        """What an adapted state says about x (Q, *input_shape): (Q, output_dim)."""
        raise NotImplementedError(f"{type(self).__name__} must define predict")

    def acting(self, params: Params, state: State) -> Acting | None:
        """The function that a state stands for, as a network with weights; None where there is no such thing.

        Landscapes walk in its weights, and probes listen at its points. `predict` says the same.
        """
        return None

    def features(self, params: Params, state: State, x: Tensor) -> dict[str, Tensor]:
        """What the hidden layers make of inputs x (Q, *input_shape), as the next layer reads it.

        Returns:
            (Q, d) by the name of the layer, in the order of the layers; nothing for a learner without hidden layers.
        """
        acting = self.acting(params, state)
        return {} if acting is None else acting.network.features(acting.weights, x, acting.at)

    def refused(self, spec: TaskSpec) -> str | None:
        """Why this learner cannot learn tasks of a kind, as one sentence; None if it can."""
        if spec.kind not in self.kinds:
            return f"it learns {' and '.join(self.kinds)} tasks; this one is {spec.kind}."
        network = network_of(self)
        return None if network is None else network.refused(spec)

    def adapt(self, params: Params, support_x: Tensor, support_y: Tensor, steps: int | None = None) -> Trajectory:
        """The whole adaptation to one support set.

        Args:
            params: meta-parameters from `init` or a trained run.
            support_x: (K, *input_shape).
            support_y: (K, output_dim), or class indices (K,).
            steps: the number of inner steps T; `evaluation_steps` unless given.

        Returns:
            T + 1 states: before the first step and after each one.
        """
        trajectory = [self.start(params, support_x, support_y)]
        for _ in range(self.evaluation_steps if steps is None else steps):
            trajectory.append(self.step(params, trajectory[-1], support_x, support_y))
        return trajectory

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """What learners minimise (`engine.losses`): a scalar, or one per seed for a stack of seeds."""
        return losses.loss(prediction, target)

    def loss_gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The derivative of `loss` with respect to the prediction, of the prediction's shape."""
        return losses.loss_gradient(prediction, target)

    def meta_loss(self, params: Params, task: Task) -> Tensor:
        """The objective of meta-training for one task: by default, the query loss after T steps (look-ahead)."""
        final = self.adapt(params, task.support_x, task.support_y, self.train_steps)[-1]
        return self.loss(self.predict(params, final, task.query_x), task.query_y)

    def meta_gradient(self, params: Params, task: Task) -> tuple[Tree, Tensor]:
        """The direction that meta-training descends, with the loss to report: (like params, scalar)."""
        gradient, loss = grad_and_value(self.meta_loss)(params, task)
        return gradient, loss
