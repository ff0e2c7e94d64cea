"""The MLP against torch.nn.Sequential, and its written-out backpropagation against autograd."""

import pytest
import torch
from torch.func import grad

from engine.networks import perceptron
from engine.tasks import stream
from engine.trees import count, stack, tree_map
from tests.engine.conftest import double
from tests.engine.learners.test_maml import sequential

SIZES = [(1, 40, 40, 1), (3, 5, 2), (2, 4)]


def drawn(sizes, seed=0):
    """A network whose biases are not zero, and inputs for it."""
    net = double(perceptron.init(stream("init", seed), sizes))
    net = {k: v + 0.3 * torch.randn(v.shape, generator=stream("page"), dtype=v.dtype) for k, v in net.items()}
    return net, torch.randn(7, sizes[0], generator=stream("page", 1), dtype=torch.float64)


@pytest.mark.parametrize("sizes", SIZES)
def test_forward_is_torch_sequential(sizes):
    net, x = drawn(sizes)
    torch.testing.assert_close(perceptron.forward(net, x), sequential(net)(x).detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sizes", SIZES)
def test_backward_is_autograd(sizes):
    net, x = drawn(sizes)
    delta = torch.randn(7, sizes[-1], generator=stream("page", 2), dtype=torch.float64)
    expected = grad(lambda n: (perceptron.forward(n, x) * delta).sum())(net)
    got = perceptron.backward(net, perceptron.activations(net, x), delta)
    assert got.keys() == net.keys()
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12), got, expected)


def test_a_stack_of_networks_broadcasts():
    """Values and gradients of three networks at once are those of each alone."""
    nets = [drawn((2, 6, 3), seed)[0] for seed in range(3)]
    x = drawn((2, 6, 3))[1]
    together, delta = stack(nets), torch.ones(3, 7, 3, dtype=torch.float64)
    a = perceptron.activations(together, x)
    gradient = perceptron.backward(together, a, delta)
    for index, net in enumerate(nets):
        alone = perceptron.activations(net, x)
        torch.testing.assert_close(a[-1][index], alone[-1], rtol=1e-12, atol=1e-12)
        expected = perceptron.backward(net, alone, delta[index])
        tree_map(lambda g, e: torch.testing.assert_close(g[index], e, rtol=1e-12, atol=1e-12), gradient, expected)  # noqa: B023


def test_features_are_what_the_last_layer_sees():
    net, x = drawn((1, 40, 40, 1))
    torch.testing.assert_close(
        perceptron.features(net, x) @ net["weight3"].T + net["bias3"], perceptron.forward(net, x)
    )


def test_init_draws_torch_defaults_and_zero_biases():
    net = perceptron.init(stream("init"), (1, 40, 40, 1))
    assert count(net) == 1_761
    bound = 40**-0.5
    assert 0.98 * bound < float(net["weight2"].abs().max()) <= bound
    assert float(net["weight2"].std()) == pytest.approx(bound / 3**0.5, rel=0.05)
    assert all(float(net[f"bias{layer}"].abs().max()) == 0 for layer in (1, 2, 3))
    drawn_bias = perceptron.init(stream("init"), (1, 40, 40, 1), output_bias=True)["bias3"]
    assert 0 < float(drawn_bias.abs()) <= bound
