"""TURTLE against MAML, against its recursion by hand, and its meta-gradients against an independent double backward."""

import pytest
import torch
from torch.func import functional_call, grad

from engine.learners import MAML, coordinates
from engine.learners.turtle import FirstOrderTurtle, Turtle
from engine.networks import MLP, perceptron
from engine.tasks import Sine, stream
from engine.trees import count, leaves, stack, tree_map
from tests.engine.conftest import init
from tests.engine.learners.test_maml import sequential


def flatten(net):
    """The coordinates of a perceptron."""
    return coordinates.flatten(MLP((1,) * (len(net) // 2 - 1)), net)


def close(a, b, tolerance=1e-10):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


def support_gradient(net, task):
    """The gradient of the support loss at a network, by torch.func."""
    return grad(lambda n: torch.nn.functional.mse_loss(perceptron.forward(n, task.support_x), task.support_y))(net)


def test_one_linear_weight_is_maml(task):
    """m(g) = -alpha g with no history and no lambda: the whole trajectory, and the meta-gradient of theta_0."""
    alpha = 0.05
    turtle = Turtle(hidden=(), use_history=False, param_lr=False, inner_clip=None)
    maml = MAML(inner_lr=alpha)
    params = init(turtle)
    params["optimiser"]["weight1"].fill_(-alpha)
    assert params["optimiser"]["weight1"].shape == (1, 1)
    mine = turtle.adapt(params, task.support_x, task.support_y, 5)
    theirs = maml.adapt({"net": params["net"]}, task.support_x, task.support_y, 5)
    for ours, expected in zip(mine, theirs, strict=True):
        close(ours["net"], expected["net"], 1e-13)
    close(
        turtle.meta_gradient(params, task)[0]["net"], maml.meta_gradient({"net": params["net"]}, task)[0]["net"], 1e-11
    )


def test_history_starts_with_the_first_gradient_and_averages_the_others(task):
    learner = Turtle(beta=0.7, inner_clip=None)
    trajectory = learner.adapt(init(learner), task.support_x, task.support_y, 4)
    g = [flatten(support_gradient(state["net"], task)) for state in trajectory[:-1]]
    expected = [g[0]]
    for gradient in g[1:]:
        expected.append(0.7 * expected[-1] + 0.3 * gradient)
    close([state["H"] for state in trajectory[1:]], expected)


def test_a_step_is_lambda_times_the_network_of_gradient_and_history(task):
    learner = Turtle(inner_clip=None)
    params = init(learner)
    _, before, after = learner.adapt(params, task.support_x, task.support_y, 2)
    g = flatten(support_gradient(before["net"], task))
    module = sequential(params["optimiser"])
    move = module(torch.stack([g, 0.9 * before["H"] + 0.1 * g], dim=1))[:, 0].detach()
    moved = flatten(after["net"]) - flatten(before["net"])
    close(moved, flatten(params["learning_rates"]) * move)
    assert float(moved.abs().max()) > 1e-3


@pytest.mark.parametrize("limit", [0.05, None])
def test_gradients_are_clamped_entry_by_entry_before_anything_sees_them(task, limit):
    """H_0 is the clamped first gradient."""
    learner = Turtle(inner_clip=limit)
    params = init(learner)
    H = learner.adapt(params, task.support_x, task.support_y, 1)[-1]["H"]
    g = flatten(support_gradient(params["net"], task))
    assert float(g.abs().max()) > 0.05
    close(H, g if limit is None else g.clamp(-limit, limit), 1e-13)


def test_coordinates_share_one_network(task):
    """Renaming the hidden units of the base network renames the trajectory: no coordinate knows its place."""
    learner = Turtle(network=MLP((6, 6)))
    params, order = init(learner), torch.tensor([3, 0, 5, 1, 4, 2])

    def renamed(net):
        return net | {
            "weight1": net["weight1"][order],
            "bias1": net["bias1"][order],
            "weight2": net["weight2"][:, order],
        }

    other = {**params, "net": renamed(params["net"]), "learning_rates": renamed(params["learning_rates"])}
    plain, permuted = (learner.adapt(p, task.support_x, task.support_y, 5) for p in (params, other))
    for a, b in zip(plain, permuted, strict=True):
        close(renamed(a["net"]), b["net"])
    assert float((plain[-1]["net"]["weight1"] - permuted[-1]["net"]["weight1"]).abs().max()) > 1e-3


def by_hand(params, task, steps, first_order, limit=10.0, beta=0.9):
    """The meta-gradient by autograd through torch modules, the dropped terms dropped by `detach`."""
    base, m = sequential(params["net"]), sequential(params["optimiser"])
    theta_0, phi = dict(base.named_parameters()), list(m.parameters())
    rates = [leaf.clone().requires_grad_() for leaf in leaves(params["learning_rates"])]
    theta, H = dict(theta_0), None
    for _ in range(steps):
        loss = torch.nn.functional.mse_loss(functional_call(base, theta, task.support_x), task.support_y)
        g = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
        g = [(entry.detach() if first_order else entry).clamp(-limit, limit) for entry in g]
        H = g if H is None else [beta * old + (1 - beta) * new for old, new in zip(H, g, strict=True)]
        moves = [rate * m(torch.stack([a, b], -1))[..., 0] for rate, a, b in zip(rates, g, H, strict=True)]
        theta = {name: value + move for (name, value), move in zip(theta.items(), moves, strict=True)}
    loss = torch.nn.functional.mse_loss(functional_call(base, theta, task.query_x), task.query_y)
    return torch.autograd.grad(loss, [*theta_0.values(), *phi, *rates])


@pytest.mark.parametrize("cls", [Turtle, FirstOrderTurtle])
def test_meta_gradient_equals_one_by_hand_with_the_gradients_of_first_order_detached(task, cls):
    learner = cls(steps=3)
    params = init(learner)
    close(list(leaves(learner.meta_gradient(params, task)[0])), list(by_hand(params, task, 3, learner.first_order)))


def test_the_dropped_terms_are_not_small(task):
    """First order is another direction for theta_0, phi and lambda alike, along the same adaptation."""
    learners = Turtle(steps=3, hidden=(20,)), FirstOrderTurtle(steps=3, hidden=(20,))
    params = init(learners[0])
    close(*(learner.adapt(params, task.support_x, task.support_y)[-1]["net"] for learner in learners), 0.0)
    second, first = (learner.meta_gradient(params, task)[0] for learner in learners)
    for group in ("net", "optimiser", "learning_rates"):
        gap = flatten(tree_map(torch.sub, second[group], first[group])).norm()
        assert float(gap) > 1e-2 * float(flatten(second[group]).norm())


def test_parameter_counts():
    params = Turtle().init(stream("init"), Sine.spec)
    assert count(params["net"]) == count(params["optimiser"]) == count(params["learning_rates"]) == 1_761
    assert count(params) == 5_283
    assert count(Turtle(param_lr=False).init(stream("init"), Sine.spec)) == 3_522


def test_learning_rates_start_between_0_and_1():
    rates = flatten(Turtle().init(stream("init"), Sine.spec)["learning_rates"])
    assert 0 <= float(rates.min()) < 0.01
    assert 0.99 < float(rates.max()) <= 1


def test_coordinates_go_back_to_their_places():
    nets = [perceptron.init(stream("init", seed), (3, 5, 2)) for seed in range(2)]
    for net in (nets[0], stack(nets)):
        backwards = dict(reversed(net.items()))  # as backpropagation gives them
        close(coordinates.unflatten(MLP((5,)), flatten(backwards), net), net, 0.0)
    assert flatten(nets[0]).shape == (3 * 5 + 5 + 5 * 2 + 2,)
    assert flatten(stack(nets)).shape == (2, 32)
