r"""Two losses as functions of one vector, for probes that look around in weight space.

They are never the same thing:

    task loss   L_task(w) = loss of the network with weights w on the points of one task. Its centre w is where a
                learner's adaptation to that task has led; the inner loop walks on this surface (on the support).
    meta-loss   L_meta(theta) = mean over tasks of the query loss after the T inner steps of meta-training, as a
                function of all meta-parameters theta. Outer updates walk on this surface.

Both are in float64. The meta-loss is the same *look-ahead* loss for every learner, also for finetuning and Reptile,
which descend something else; and it is differentiated exactly, also for first-order learners, whose `detach` changes
how they train and not what they compute (`exact`).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.func import vmap

from engine.errors import BadInput
from engine.learners import Learner, Params, State
from engine.tasks import Task
from engine.trees import Layout, Tree, tree_map


@dataclass(frozen=True)
class Surface:
    """A loss as a function of a vector.

    Attributes:
        loss: (N,) -> scalar, differentiable twice; works under vmap.
        centre: the vector that is looked around, (N,) float64.
        layout: how the tensors lie in the vector, each with a leading axis of one: `layout.unpack(v[None])`.
    """

    loss: Callable[[Tensor], Tensor]
    centre: Tensor
    layout: Layout

    @property
    def size(self) -> int:
        """N."""
        return self.layout.size

    def tree(self, vector: Tensor) -> Tree:
        """A vector (N,) as named tensors of their own shapes."""
        return tree_map(lambda leaf: leaf[0], self.layout.unpack(vector[None]))


def exact(learner: Learner) -> Learner:
    """The same learner with every derivative kept: what a first-order learner computes, differentiated exactly."""
    if any(field.name == "first_order" for field in fields(learner)):
        return replace(learner, first_order=False)  # type: ignore[call-arg]
    return learner


def double(tree: Tree) -> Tree:
    """The floating-point tensors of a tree in float64; the others as they are."""
    return tree_map(lambda leaf: leaf.double() if leaf.is_floating_point() else leaf, tree)


def flat(tree: Tree) -> tuple[Tensor, Layout]:
    """A tree of tensors as one vector (N,), and its layout."""
    rows = tree_map(lambda leaf: leaf[None], tree)
    layout = Layout(rows)
    return layout.pack(rows)[0], layout


def task_surface(learner: Learner, params: Params, state: State, x: Tensor, y: Tensor) -> Surface:
    """The task loss on points x (K, *input_shape), y around the network of an adapted state.

    Raises:
        BadInput: the learner adapts no network (a plain LSTM keeps what it learns in its hidden state).
    """
    acting = learner.acting(params, state)
    if acting is None:
        raise BadInput(f"{learner.title} has no adapted network, and so no task loss around its weights.")
    centre, layout = flat(double(acting.weights))
    x, y = double([x, y])
    standing = learner.acting(double(params), double(state))
    assert standing is not None
    at = standing.at  # what stands between the weights, in their type

    def loss(vector: Tensor) -> Tensor:
        weights = tree_map(lambda leaf: leaf[0], layout.unpack(vector[None]))
        return learner.loss(acting.network.forward(weights, x, at), y)

    return Surface(loss, centre, layout)


def meta_surface(learner: Learner, params: Params, tasks: Task, fixed: Collection[str] = ()) -> Surface:
    """The meta-loss on a batch of tasks (a leading axis) around meta-parameters `params`.

    Groups of parameters that are `fixed` are no part of the vector and stay as they are.
    """
    learner = exact(learner)
    rest = double({name: group for name, group in params.items() if name in fixed})
    centre, layout = flat(double({name: group for name, group in params.items() if name not in fixed}))
    tasks = double(tasks)

    def of_task(params: Params, task: Task) -> Tensor:
        return look_ahead(learner, params, task)

    def loss(vector: Tensor) -> Tensor:
        params = tree_map(lambda leaf: leaf[0], layout.unpack(vector[None]))
        return vmap(of_task, (None, 0))({**params, **rest}, tasks).mean()

    return Surface(loss, centre, layout)


def look_ahead(learner: Learner, params: Params, task: Task) -> Tensor:
    """The query loss after the T inner steps of meta-training, for one task."""
    final = learner.adapt(params, task.support_x, task.support_y, learner.train_steps)[-1]
    return learner.loss(learner.predict(params, final, task.query_x), task.query_y)


def gradient(surface: Surface, at: Tensor) -> Tensor:
    """The gradient of the loss at a vector: (N,)."""
    found: Tensor = torch.func.grad(surface.loss)(at)
    return found


def hessian_vector(surface: Surface, at: Tensor) -> Callable[[Tensor], Tensor]:
    """The product of the Hessian at a vector (N,) with a vector v (N,), exact, for a few gradients' cost.

    Reverse over reverse: the graph of the gradient is built once and differentiated along each v.
    """
    where = at.detach().requires_grad_()
    (slope,) = torch.autograd.grad(surface.loss(where), where, create_graph=True)

    def product(v: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(slope, where, v, retain_graph=True, materialize_grads=True)
        return found.detach()

    return product
