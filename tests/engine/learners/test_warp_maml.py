"""Warp-MAML against its formula written out, against MAML, and its outer gradient against the published loop."""

from itertools import pairwise

import pytest
import torch
from torch.func import grad

from engine.learners import MAML, WarpMAML
from engine.networks import MLP, perceptron
from engine.tasks import Sine, stream
from engine.trees import count, from_names, named_leaves, tree_map
from tests.engine.conftest import init

SMALL = {"network": MLP((6, 5)), "steps": 3, "inner_lr": 0.05}
FIRST = ("weight1", "bias1")
mse = torch.nn.functional.mse_loss


def anywhere(learner: WarpMAML, seed: int = 0) -> dict:
    """Float64 meta-parameters in general position: no warp layer is the identity, no bias is 0."""
    noise = stream("page", seed)
    return tree_map(lambda p: p + 0.3 * torch.randn(p.shape, generator=noise, dtype=p.dtype), init(learner, seed))


def oracle(net, warp, x):
    """The network of the formula on rows x (Q, d)."""
    depth = perceptron.depth(net)
    for layer in range(1, depth):
        a = torch.relu(x @ net[f"weight{layer}"].T + net[f"bias{layer}"])
        x = a @ warp[f"weight{layer}"].T + warp[f"bias{layer}"]
    return x @ net[f"weight{depth}"].T + net[f"bias{depth}"]


def close(a, b, tolerance=1e-11):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


@pytest.mark.parametrize("freeze", [False, True])
def test_steps_are_gradient_descent_between_the_warp_layers(freeze, task):
    learner = WarpMAML(**SMALL, freeze_first=freeze)
    params = anywhere(learner)
    net, warp = params["net"], params["warp"]
    for _ in range(3):
        g = grad(lambda n: mse(oracle(n, warp, task.support_x), task.support_y))(net)
        net = {k: w if freeze and k in FIRST else w - 0.05 * g[k] for k, w in net.items()}
    last = learner.adapt(params, task.support_x, task.support_y, 3)[-1]
    close(last["net"], net)
    close(learner.predict(params, last, task.query_x), oracle(net, warp, task.query_x))


def test_with_identity_warps_its_trajectory_is_that_of_maml(task):
    learner, maml = WarpMAML(), MAML()
    params, theirs = init(learner, 3), init(maml, 3)
    ours = learner.adapt(params, task.support_x, task.support_y)
    for state, their in zip(ours, maml.adapt(theirs, task.support_x, task.support_y), strict=True):
        close(state["net"], their["net"], 1e-13)
        close(learner.predict(params, state, task.query_x), maml.predict(theirs, their, task.query_x), 1e-13)


def published_loop(learner: WarpMAML, params, task):
    """After every inner step the query loss is differentiated: theta_0 through the path, the warp layers as new leaves.

    Returns:
        The accumulated gradient, like params, and the sum of the query losses.
    """
    start = {key: w.clone().requires_grad_() for key, w in params["net"].items()}
    net, total = start, 0.0
    gradient = {f"{group}.{key}": torch.zeros_like(w) for group, tree in params.items() for key, w in tree.items()}
    for _ in range(learner.steps):
        warp = {key: w.clone().requires_grad_() for key, w in params["warp"].items()}
        support = mse(oracle(net, warp, task.support_x), task.support_y)
        g = torch.autograd.grad(support, list(net.values()), create_graph=not learner.first_order)
        net = {
            key: w if learner.freeze_first and key in FIRST else w - learner.inner_lr * step
            for (key, w), step in zip(net.items(), g, strict=True)
        }
        query = mse(oracle(net, warp, task.query_x), task.query_y)
        found = torch.autograd.grad(query, [*start.values(), *warp.values()], retain_graph=True)
        for name, part in zip(gradient, found, strict=True):
            gradient[name] += part
        total += float(query.detach())
    return from_names(gradient, params), total


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("first_order", [False, True])
def test_meta_gradient_equals_the_published_loop_with_its_leaves(first_order, freeze, task):
    learner = WarpMAML(**SMALL, first_order=first_order, freeze_first=freeze)
    params = anywhere(learner)
    got, loss = learner.meta_gradient(params, task)
    expected, total = published_loop(learner, params, task)
    close(got, expected)
    assert float(loss) == pytest.approx(total, rel=1e-12)


def test_warp_layers_do_not_see_earlier_steps(task):
    """The gradient of the plain sum of losses differs from ours in the warp layers, and in nothing else."""
    learner = WarpMAML(**SMALL)
    params = anywhere(learner)

    def plain(p):
        states = learner.adapt(p, task.support_x, task.support_y, 3)[1:]
        return sum(learner.loss(learner.predict(p, s, task.query_x), task.query_y) for s in states)

    through, ours = grad(plain)(params), learner.meta_gradient(params, task)[0]
    close(ours["net"], through["net"])
    assert min(float((ours["warp"][k] - through["warp"][k]).abs().max()) for k in ours["warp"]) > 1e-4
    one = WarpMAML(network=MLP((6, 5)), steps=1, inner_lr=0.05)  # with a single step there is none before
    close(
        one.meta_gradient(params, task)[0],
        grad(lambda p: one.loss(one.predict(p, one.adapt(p, *task[:2], 1)[-1], task.query_x), task.query_y))(params),
    )


def test_first_order_differs_from_second_order(task):
    params = anywhere(WarpMAML(**SMALL))
    both = [WarpMAML(**SMALL, first_order=o).meta_gradient(params, task)[0] for o in (False, True)]
    for group in ("net", "warp"):
        assert float((both[0][group]["weight2"] - both[1][group]["weight2"]).abs().max()) > 1e-3


def test_a_step_leaves_the_warp_layers_and_a_frozen_first_layer(task):
    learner = WarpMAML(**SMALL, freeze_first=True)
    params = anywhere(learner)
    before = {name: leaf.clone() for name, leaf in named_leaves(params)}
    trajectory = learner.adapt(params, task.support_x, task.support_y, 3)
    assert {name for name, leaf in named_leaves(params) if not torch.equal(leaf, before[name])} == set()
    for earlier, later in pairwise(trajectory):
        moved = {key for key in later["net"] if not torch.equal(later["net"][key], earlier["net"][key])}
        assert moved == set(params["net"]) - set(FIRST)


def test_parameter_counts():
    """A dense layer of 40 with biases after each of two hidden layers."""
    params = WarpMAML().init(stream("init"), Sine.spec)
    assert (count(params["net"]), count(params["warp"])) == (1761, 2 * (40 * 40 + 40))
