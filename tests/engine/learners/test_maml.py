"""MAML's meta-gradient against closed forms and an independent oracle."""

import itertools
from dataclasses import dataclass

import pytest
import torch
from torch.func import grad

from engine.learners import FOMAML, MAML
from engine.networks import MLP, perceptron
from engine.tasks import Sine, Task, stream
from engine.trees import leaves, tree_map


@dataclass(frozen=True)
class Quadratic(MAML):
    """MAML on c (x - t)^2: every hidden unit is dead, so the output is its bias x alone, and the loss has weight c."""

    c: float = 1.0

    def loss(self, prediction, target):
        return self.c * super().loss(prediction, target)

    def loss_gradient(self, prediction, target):
        return self.c * super().loss_gradient(prediction, target)


def quadratic(x: float, t: float) -> tuple[dict, Task]:
    net = {"weight1": [[1.0]], "bias1": [-1.0], "weight2": [[1.0]], "bias2": [x]}
    points, target = torch.zeros(3, 1, dtype=torch.float64), torch.full((3, 1), t, dtype=torch.float64)
    return {"net": {k: torch.tensor(v, dtype=torch.float64) for k, v in net.items()}}, Task(
        points, target, points, target
    )


@pytest.mark.parametrize("steps", [1, 5, 25])
@pytest.mark.parametrize(("c", "t"), [(1.3, 5.0), (1.0, 100.0)])
@pytest.mark.parametrize("first_order", [False, True])
def test_meta_gradient_on_a_quadratic_equals_the_closed_form(steps, c, t, first_order):
    x, alpha = -20.0, 0.1
    params, task = quadratic(x, t)
    learner = Quadratic(network=MLP((1,)), steps=steps, inner_lr=alpha, first_order=first_order, c=c)
    gradient, loss = learner.meta_gradient(params, task)
    r = 1 - 2 * alpha * c
    power = steps if first_order else 2 * steps
    torch.testing.assert_close(gradient["net"]["bias2"].item(), 2 * c * r**power * (x - t), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(loss.item(), c * (r**steps * (x - t)) ** 2, rtol=1e-10, atol=1e-12)
    assert all(float(gradient["net"][name].abs().max()) == 0 for name in ("weight1", "bias1", "weight2"))


def sequential(net) -> torch.nn.Sequential:
    """The same network, built by torch."""
    sizes = [net["weight1"].shape[1], *(net[f"weight{i}"].shape[0] for i in range(1, perceptron.depth(net) + 1))]
    layers = []
    for i, (a, b) in enumerate(itertools.pairwise(sizes), start=1):
        linear = torch.nn.Linear(a, b, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(net[f"weight{i}"])
            linear.bias.copy_(net[f"bias{i}"])
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("first_order", [False, True])
def test_meta_gradient_equals_double_backward_through_a_torch_module(task, first_order):
    learner = MAML(steps=3, inner_lr=0.05, first_order=first_order)
    params = tree_map(torch.Tensor.double, learner.init(stream("init"), Sine.spec))
    module = sequential(params["net"])
    weights = dict(module.named_parameters())
    theta = dict(weights)
    for _ in range(3):
        support = torch.func.functional_call(module, theta, task.support_x)
        inner = torch.nn.functional.mse_loss(support, task.support_y)
        steps = torch.autograd.grad(inner, list(theta.values()), create_graph=not first_order)
        theta = {name: w - 0.05 * g for (name, w), g in zip(theta.items(), steps, strict=True)}
    query = torch.nn.functional.mse_loss(torch.func.functional_call(module, theta, task.query_x), task.query_y)
    expected = torch.autograd.grad(query, list(weights.values()))
    got = list(leaves(learner.meta_gradient(params, task)[0]["net"]))
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_first_order_is_the_query_gradient_at_the_adapted_weights(task):
    learner = FOMAML(steps=4)
    params = tree_map(torch.Tensor.double, learner.init(stream("init"), Sine.spec))
    adapted = learner.adapt(params, task.support_x, task.support_y, 4)[-1]["net"]
    expected = grad(lambda net: learner.loss(perceptron.forward(net, task.query_x), task.query_y))(adapted)
    got = learner.meta_gradient(params, task)[0]["net"]
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12), got, expected)


def test_fomaml_is_maml_with_the_switch():
    assert FOMAML().first_order
    assert not MAML().first_order
    params = MAML().init(stream("init"), Sine.spec)
    x, y = torch.linspace(-1, 1, 5)[:, None], torch.ones(5, 1)
    same, other = (cls().adapt(params, x, y)[-1] for cls in (MAML, FOMAML))
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), same, other)


def test_inner_clip_clamps_each_entry(task):
    learner = MAML(inner_clip=1e-3, inner_lr=1.0)
    params = tree_map(torch.Tensor.double, learner.init(stream("init"), Sine.spec))
    before, after = learner.adapt(params, task.support_x, task.support_y, 1)
    moved = torch.cat([(a - b).abs().flatten() for a, b in zip(leaves(after), leaves(before), strict=True)])
    assert moved.max() == pytest.approx(1e-3)
