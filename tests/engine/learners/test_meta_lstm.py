"""The meta-learner LSTM: MAML inside it, its preprocessing, and its meta-gradients against an independent oracle."""

import math

import pytest
import torch
from torch.func import functional_call

from engine.learners import FOMAML, MAML
from engine.learners.coordinates import flatten
from engine.learners.meta_lstm import EnhancedMetaLSTM, MetaLSTM, preprocess
from engine.networks import MLP
from engine.networks import cells as lstm
from engine.tasks import Sine, stream
from engine.trees import count, leaves, tree_map
from tests.engine.conftest import init
from tests.engine.learners.test_maml import sequential

BOTH = pytest.mark.parametrize("cls", [MetaLSTM, EnhancedMetaLSTM])


def close(a, b, tolerance=1e-10):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


def lively(learner):
    """Parameters whose gates depend visibly on everything that they read (the init's weights are below 0.01)."""
    params = init(learner)
    for index, name in enumerate(("W_I", "W_F")):
        params["gates"][name] = torch.randn(22, generator=stream("page", index), dtype=torch.float64) / 2
    return params


@pytest.mark.parametrize(("cls", "maml"), [(MetaLSTM, FOMAML), (EnhancedMetaLSTM, MAML)])
def test_silent_gates_make_it_maml(task, cls, maml):
    """The whole trajectory, and the meta-gradient of theta_0 of the same order."""
    alpha, learner = 0.05, cls()
    params = init(learner)
    params["gates"]["W_I"].zero_()
    params["gates"]["W_F"].zero_()
    params["gates"]["b_I"].fill_(math.log(alpha / (1 - alpha)))
    params["gates"]["b_F"].fill_(50.0)
    oracle, net = maml(inner_lr=alpha), {"net": params["net"]}
    expected = oracle.adapt(net, task.support_x, task.support_y, 5)
    for ours, theirs in zip(learner.adapt(params, task.support_x, task.support_y, 5), expected, strict=True):
        close(ours["net"], theirs["net"], 1e-13)
    close(learner.meta_gradient(params, task)[0]["net"], oracle.meta_gradient(net, task)[0]["net"], 1e-11)


EDGE = math.exp(-10)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (1.0, (0.0, 1.0)),
        (-math.exp(3), (0.3, -1.0)),
        (math.exp(-9), (-0.9, 1.0)),
        (EDGE / 2, (-1.0, 0.5)),
        (-EDGE / 4, (-1.0, -0.25)),
        (0.0, (-1.0, 0.0)),
    ],
)
def test_preprocessing_is_that_of_the_paper_in_both_branches(x, expected):
    close(preprocess(torch.tensor([x], dtype=torch.float64)), torch.tensor([expected], dtype=torch.float64), 1e-14)


@pytest.mark.parametrize("sign", [1, -1])
def test_preprocessing_is_continuous_where_its_branches_meet(sign):
    below, above = preprocess(sign * EDGE * torch.tensor([1 - 1e-9, 1 + 1e-9], dtype=torch.float64))
    close(below, above, 1e-8)
    close(above, torch.tensor([-1.0, sign], dtype=torch.float64), 1e-8)


def test_preprocessing_has_finite_derivatives_everywhere():
    x = torch.tensor([0.0, EDGE, -EDGE, 1e-300, 1.0, 1e10], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(preprocess(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert bool(first.isfinite().all() & second.isfinite().all())
    assert float(first[0].detach()) == pytest.approx(math.exp(10))


@BOTH
def test_coordinates_that_have_no_gradient_leave_the_meta_gradient_finite(task, cls):
    """Every hidden unit is dead: all gradients but one are exactly 0. Through the preprocessing as well."""
    learner = cls(steps=2, first_order=False)
    params = init(learner)
    params["net"]["bias1"].fill_(-100.0)
    gradient, loss = learner.meta_gradient(params, task)
    assert bool(loss.isfinite())
    assert all(bool(g.isfinite().all()) for g in leaves(gradient))


def by_hand(params, task, steps, preprocessed, first_order):
    """The meta-gradient by autograd through torch's modules, coordinate by coordinate as in the paper."""
    base, cell = sequential(params["net"]), torch.nn.LSTMCell(4 if preprocessed else 1, 20, dtype=torch.float64)
    with torch.no_grad():
        for name, weight in cell.named_parameters():
            weight.copy_(params["lstm"][f"{name}1"])
    theta_0 = dict(base.named_parameters())
    gates = [leaf.clone().requires_grad_() for leaf in params["gates"].values()]
    W_I, W_F, b_I, b_F = gates
    theta = torch.cat([value.flatten() for value in theta_0.values()])
    memory, i, f = None, torch.zeros_like(theta), torch.zeros_like(theta)

    def network(x):
        parts = theta.split([value.numel() for value in theta_0.values()])
        named = {name: part.view_as(value) for (name, value), part in zip(theta_0.items(), parts, strict=True)}
        return functional_call(base, named, x)

    def two_numbers(x):
        small = x.abs() < EDGE
        return torch.where(small, -1.0, x.abs().log() / 10), torch.where(small, math.exp(10) * x, x.sign())

    for _ in range(steps):
        loss = torch.nn.functional.mse_loss(network(task.support_x), task.support_y)
        (g,) = torch.autograd.grad(loss, theta, create_graph=True)
        if first_order:
            loss, g = loss.detach(), g.detach()
        z = torch.stack([*two_numbers(loss.expand_as(g)), *two_numbers(g)], 1) if preprocessed else g[:, None]
        memory = cell(z, memory)
        i, f = (
            torch.sigmoid(torch.cat([memory[0], theta[:, None], before[:, None]], 1) @ W + b)
            for W, b, before in ((W_I, b_I, i), (W_F, b_F, f))
        )
        theta = f * theta - i * g
    query = torch.nn.functional.mse_loss(network(task.query_x), task.query_y)
    return torch.autograd.grad(query, [*theta_0.values(), *cell.parameters(), *gates])


@BOTH
def test_meta_gradient_equals_one_by_hand_with_gradient_and_loss_of_first_order_detached(task, cls):
    learner = cls(steps=3)
    params = lively(learner)
    expected = by_hand(params, task, 3, learner.preprocessed, learner.first_order)
    close(list(leaves(learner.meta_gradient(params, task)[0])), list(expected))


@BOTH
def test_the_order_changes_the_meta_gradient_and_not_the_adaptation(task, cls):
    """For theta_0, the LSTM and the gates alike, the dropped terms are not small."""
    learners = cls(steps=3, first_order=False), cls(steps=3, first_order=True)
    params = lively(learners[0])
    close(*(learner.adapt(params, task.support_x, task.support_y)[-1]["net"] for learner in learners), 0.0)
    second, first = (learner.meta_gradient(params, task)[0] for learner in learners)
    for group in ("net", "lstm", "gates"):
        a, b = (torch.cat([leaf.flatten() for leaf in leaves(tree[group])]) for tree in (second, first))
        assert float((a - b).norm()) > 1e-2 * float(a.norm())


def test_a_gate_reads_its_own_last_value(task):
    """The value, not what went into its sigmoid (as the published code has it); 0 before the first step."""
    learner = MetaLSTM()
    params = lively(learner)
    start, first, second = learner.adapt(params, task.support_x, task.support_y, 2)
    for before, after in ((start, first), (first, second)):
        for name in ("I", "F"):
            gate = before[name.lower()]
            read = torch.cat(
                [lstm.output(params["lstm"], after), flatten(learner.network, before["net"])[:, None], gate[:, None]], 1
            )
            drive = (read * params["gates"][f"W_{name}"]).sum(1) + params["gates"][f"b_{name}"]
            close(after[name.lower()], drive.sigmoid())
    assert float(start["i"].abs().max()) == float(start["f"].abs().max()) == 0


@BOTH
def test_coordinates_share_one_lstm(task, cls):
    """Renaming the hidden units of the base network renames the trajectory: no coordinate knows its place."""
    learner = cls(network=MLP((6, 6)))
    params, order = lively(learner), torch.tensor([3, 0, 5, 1, 4, 2])

    def renamed(net):
        return net | {
            "weight1": net["weight1"][order],
            "bias1": net["bias1"][order],
            "weight2": net["weight2"][:, order],
        }

    plain, permuted = (
        learner.adapt({**params, "net": net}, task.support_x, task.support_y, 5)
        for net in (params["net"], renamed(params["net"]))
    )
    for a, b in zip(plain, permuted, strict=True):
        close(renamed(a["net"]), b["net"])
    assert float((plain[-1]["net"]["weight1"] - permuted[-1]["net"]["weight1"]).abs().max()) > 1e-3


@pytest.mark.parametrize(("cls", "cell"), [(MetaLSTM, 2_080), (EnhancedMetaLSTM, 1_840)])
def test_parameter_counts(cls, cell):
    params = cls().init(stream("init"), Sine.spec)
    assert count(params["lstm"]) == cell
    assert count(params["gates"]) == 46
    assert count(params) == cell + 46 + 1_761


def test_gates_start_near_gradient_descent():
    for seed in range(20):
        gates = MetaLSTM().init(stream("init", seed), Sine.spec)["gates"]
        assert max(float(gates[name].abs().max()) for name in ("W_I", "W_F")) <= 0.01
        assert -5 <= float(gates["b_I"]) <= -4
        assert 4 <= float(gates["b_F"]) <= 6
