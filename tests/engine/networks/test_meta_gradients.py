"""Meta-gradients of every network with every norm: batched by vmap over seeds and tasks, against a plain loop."""

from dataclasses import dataclass

import pytest
import torch
from torch.func import grad, vmap
from torch.nn import functional

from engine.networks import Conv4, Net, Network
from engine.tasks import Task, TaskSpec
from engine.trees import stack, tree_map
from tests.engine.networks.cases import CASES, detached, drawn_task, spec_of, weights

RATE = 0.2
SEEDS, TASKS = 2, 2
CLOSE = 1e-10


def query_loss(network: Network, net: Net, task: Task) -> torch.Tensor:
    """The squared error of the query under the statistics of the support, where the network has such."""
    return (network.forward(network.settled(net, task.support_x), task.query_x) - task.query_y).square().mean()


def meta_loss(network: Network, net: Net, task: Task, first_order: bool) -> torch.Tensor:
    """The query loss after one step of gradient descent, as learners write it: with the network's pullback."""
    output, back = network.pullback(net, task.support_x)
    g = back(2 * (output - task.support_y) / output.numel())
    g = detached(g) if first_order else g
    return query_loss(network, {key: net[key] - RATE * g[key] for key in net}, task)


def together(network: Network, nets: Net, tasks: Task, first_order: bool = False) -> Net:
    """The meta-gradients of a stack of seeds (seeds, ...) on tasks (seeds, tasks, ...), as training takes them."""

    def mean_loss(net: Net, of_seed: Task) -> torch.Tensor:
        return vmap(lambda task: meta_loss(network, net, task, first_order))(of_seed).mean()

    return vmap(grad(mean_loss))(nets, tasks)


def one_by_one(network: Network, nets: list[Net], tasks: list[list[Task]], first_order: bool = False) -> Net:
    """The same by nothing but `forward`, `torch.autograd.grad` and two loops."""
    found = []
    for net, of_seed in zip(nets, tasks, strict=True):
        theta = {key: value.detach().requires_grad_() for key, value in net.items()}
        total = torch.zeros((), dtype=torch.float64)
        for task in of_seed:
            loss = (network.forward(theta, task.support_x) - task.support_y).square().mean()
            g = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
            moved = {
                key: value - RATE * (d.detach() if first_order else d)
                for (key, value), d in zip(theta.items(), g, strict=True)
            }
            total = total + query_loss(network, moved, task) / len(of_seed)
        found.append(dict(zip(theta, torch.autograd.grad(total, list(theta.values())), strict=True)))
    return stack(found)


def difference(network: Network, spec: TaskSpec, first_order: bool = False) -> float:
    """The largest difference between the two, relative to the largest entry."""
    nets = [weights(network, spec, seed) for seed in range(SEEDS)]
    tasks = [[drawn_task(spec, TASKS * seed + n) for n in range(TASKS)] for seed in range(SEEDS)]
    got = together(network, stack(nets), stack([stack(of_seed) for of_seed in tasks]), first_order)
    expected = one_by_one(network, nets, tasks, first_order)
    assert got.keys() == expected.keys()
    largest = max(float(value.abs().max()) for value in expected.values())
    assert largest > 1e-3
    return max(float((got[key] - expected[key]).abs().max()) for key in got) / largest


@pytest.mark.parametrize("first_order", [False, True], ids=["second order", "first order"])
@pytest.mark.parametrize("name", CASES)
def test_all_seeds_and_tasks_at_once_are_each_alone(name, first_order):
    assert difference(CASES[name][0], spec_of(name), first_order) < CLOSE


@dataclass(frozen=True)
class WithTorchsBatchNorm(Conv4):
    """A network as anyone would write it."""

    def normed(self, net, place, z):
        return functional.batch_norm(z, None, None, net[f"scale{place}"], net[f"shift{place}"], training=True)


@dataclass(frozen=True)
class WithTorchsLayerNorm(Conv4):
    """The same with the channels of every place normalised."""

    def normed(self, net, place, z):
        channels = z.movedim(1, -1)
        scale, shift = net[f"scale{place}"], net[f"shift{place}"]
        return functional.layer_norm(channels, channels.shape[-1:], scale, shift).movedim(-1, 1)


@pytest.mark.parametrize("network", [WithTorchsBatchNorm, WithTorchsLayerNorm])
def test_the_same_test_finds_the_norms_of_torch_wrong(network):
    """It would not pass just anything: their batched meta-gradients are off by far more than rounding."""
    wrong = difference(network(channels=4, blocks=2), spec_of("conv4 batch"))
    assert wrong > 1e4 * CLOSE


def test_torchs_batch_norm_is_right_where_nothing_is_batched():
    """So the loop, with which the others are compared, is right whoever wrote the norm."""
    spec = spec_of("conv4 batch")
    ours, theirs = Conv4(channels=4, blocks=2), WithTorchsBatchNorm(channels=4, blocks=2)
    nets, tasks = [weights(ours, spec)], [[drawn_task(spec)]]
    expected, got = (one_by_one(network, nets, tasks) for network in (theirs, ours))
    tree_map(lambda g, e: torch.testing.assert_close(g, e, rtol=1e-9, atol=1e-11), got, expected)


@pytest.mark.parametrize("name", ["conv4 support", "resnet12 support"])
def test_derivatives_through_the_statistics_of_the_support_are_finite_differences(name):
    network, spec = CASES[name][0], spec_of(name)
    net, task = weights(network, spec), drawn_task(spec)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        return meta_loss(network, dict(zip(net, values, strict=True)), task, first_order=False)

    inputs = tuple(value.requires_grad_() for value in net.values())
    assert torch.autograd.gradcheck(loss, inputs, eps=1e-6, atol=1e-6, rtol=1e-4, fast_mode=True)
