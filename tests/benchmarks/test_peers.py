"""The benchmark compares speeds of one computation: every engine's meta-gradient is the same."""

import pytest
import torch
from torch._dynamo.utils import counters

from engine.execution.gradients import can_compile
from engine.learners import MAML
from engine.networks import MLP
from engine.tasks import Sine, stream
from engine.trees import tree_map
from tests.benchmarks.peers import Missing, Work, build

WORKS = [Work((40, 40), steps=5, tasks=3), Work((12, 12, 12), steps=14, tasks=2)]
SMALL = Work((8, 8), steps=2, tasks=3)  # what torch.compile takes its time for grows with depth and steps
# Relative to the gradient's norm: float32 carries 24 bits through T second-order steps.
TOLERANCES = {torch.float64: 1e-11, torch.float32: 2e-5}


def setting(work, dtype):
    """One network and one batch of tasks."""
    sine = Sine(shots=work.shots, queries=work.queries)
    net = MAML(network=MLP(work.widths, output_bias=True)).init(stream("init"), sine.spec)["net"]
    batch = sine.sample(stream("train"), work.tasks)
    return tree_map(lambda v: v.to(dtype), net), tree_map(lambda v: v.to(dtype), batch)


def by_differences(work, net, batch, key, index, h=1e-6):
    """The derivative along one weight by central differences of a meta-loss written with nothing but torch."""

    def meta_loss(theta):
        total = 0.0
        for sx, sy, qx, qy in zip(*batch, strict=True):
            weights = {name: w.clone().requires_grad_() for name, w in theta.items()}
            for _ in range(work.steps):
                inner = torch.autograd.grad((output(weights, sx) - sy).square().mean(), list(weights.values()))
                stepped = zip(weights.items(), inner, strict=True)
                weights = {n: (w - work.inner_lr * g).detach().requires_grad_() for (n, w), g in stepped}
            total += (output(weights, qx) - qy).square().mean().item()
        return total / work.tasks

    def output(weights, x):
        depth = len(weights) // 2
        for layer in range(1, depth + 1):
            x = torch.einsum("ki,oi->ko", x, weights[f"weight{layer}"]) + weights[f"bias{layer}"]
            x = torch.where(x > 0, x, 0) if layer < depth else x
        return x

    values = []
    for sign in (1, -1):
        theta = {name: w.clone() for name, w in net.items()}
        theta[key][index] += sign * h
        values.append(meta_loss(theta))
    return (values[0] - values[1]) / (2 * h)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.network)
@pytest.mark.parametrize("name", ["higher", "loop", "jax"])
def test_peers_agree_with_the_engine(name, work, dtype):
    compare(name, work, dtype)


@pytest.mark.skipif(not can_compile(), reason="torch.compile needs a C++ compiler (g++ or clang++), none is installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_compiled_agrees_and_is_one_graph():
    """A graph break inside vmap makes torch.compile run everything eagerly, without a word."""
    torch._dynamo.reset()
    counters.clear()
    compare("compiled", SMALL, torch.float64)
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == 1


def compare(name, work, dtype):
    """Gradient and loss of the engine `name` against those of the eager engine."""
    net, batch = setting(work, dtype)
    try:
        peer = build(name, work, net)
    except Missing as reason:
        pytest.skip(str(reason))
    ours = build("eager", work, net)
    gradient, loss = peer.read(peer(peer.accept(batch)))
    expected, expected_loss = ours.read(ours(ours.accept(batch)))
    assert gradient.keys() == expected.keys()
    assert all(g.dtype == dtype for g in gradient.values())
    bound = TOLERANCES[dtype]
    for key, want in expected.items():
        assert (gradient[key] - want).norm() <= bound * want.norm(), key
    assert abs(loss - expected_loss) <= bound * expected_loss


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.network)
def test_the_common_answer_is_the_derivative(work):
    """Agreement alone could mean a shared mistake, such as a dropped second-order term."""
    net, batch = setting(work, torch.float64)
    ours = build("eager", work, net)
    gradient, _ = ours.read(ours(ours.accept(batch)))
    last = len(work.widths) + 1
    for key, index in [("weight1", (3, 0)), ("bias2", (5,)), ("weight2", (1, 7)), (f"bias{last}", (0,))]:
        assert gradient[key][index].item() == pytest.approx(by_differences(work, net, batch, key, index), rel=1e-5)
