"""This project's engine, compiled and eager, with one seed."""

from torch import Tensor

from engine.execution.gradients import MetaGradient, compiled_meta_gradient, meta_gradient
from engine.learners import MAML
from engine.networks import MLP
from engine.networks.perceptron import Net
from engine.tasks import Task
from engine.trees import Tree, tree_map
from tests.benchmarks.peers import Work


class Eager:
    """`engine.execution.gradients.meta_gradient`: vmap over seeds of the gradient of the mean of a vmap over tasks."""

    transform = staticmethod(meta_gradient)

    def __init__(self, work: Work, net: Net):
        learner = MAML(network=MLP(work.widths), steps=work.steps, inner_lr=work.inner_lr)
        self.params = {"net": tree_map(lambda w: w.unsqueeze(0), net)}  # one seed in front
        self.gradient: MetaGradient = self.transform(learner)

    def accept(self, batch: Task) -> Task:
        """(tasks, ...) to (1 seed, tasks, ...)."""
        return tree_map(lambda v: v.unsqueeze(0), batch)

    def __call__(self, batch: Task) -> tuple[Tree, Tensor]:
        """One meta-gradient."""
        return self.gradient(self.params, batch)

    def read(self, result: tuple[Tree, Tensor]) -> tuple[Net, Tensor]:
        """Without the axis of seeds."""
        gradient, loss = result
        return {key: g[0] for key, g in gradient["net"].items()}, loss[0]


class Compiled(Eager):
    """`engine.execution.gradients.compiled_meta_gradient`: the same function through torch.compile."""

    transform = staticmethod(compiled_meta_gradient)
