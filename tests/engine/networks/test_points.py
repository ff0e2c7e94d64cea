"""What every network says of itself: its points, layers and features, what stands there, and who depends on whom."""

import pytest
import torch

from engine.networks import NETWORKS
from engine.operations import At, Kernel, ScaledChannels
from engine.trees import tree_map
from tests.engine.networks.cases import CASES, IMAGES, drawn_task, images, spec_of, weights


def made(name):
    """The network of a case, its kind of task and weights."""
    network, spec = CASES[name][0], spec_of(name)
    return network, spec, weights(network, spec)


def test_every_registered_network_is_a_case():
    assert {network.name for network, _ in CASES.values()} == set(NETWORKS)


@pytest.mark.parametrize("name", CASES)
def test_layers_name_all_tensors_and_points_that_exist(name):
    network, spec, net = made(name)
    assert list(network.ranks) == list(net)
    assert network.ranks == {key: value.ndim for key, value in net.items()}
    points = {point.name: point for point in network.points(spec)}
    assert len(points) == len(network.points(spec))
    for layer in network.layers:
        assert points[f"{layer.name}.weight"].shape == net[layer.weight].shape
        outputs = layer.outputs or spec.output_dim
        assert points[layer.linear].shape[0] == points[layer.active].shape[0] == points[layer.gives].shape[0] == outputs
        assert layer.reads in points
        assert all(net[key].shape == (outputs,) for key in layer.keys[1:])
        assert net[layer.weight].shape[0] == outputs


@pytest.mark.parametrize("name", CASES)
def test_a_layer_reads_and_gives_what_its_points_see(name):
    """Each convolution and the head, applied to what is seen where it reads, makes what is seen at its linear point."""
    network, spec, net = made(name)
    seen: dict[str, torch.Tensor] = {}
    network.forward(net, images(spec, 3), seen.setdefault)
    convolutions = {} if name == "mlp" else {conv.name: conv for conv in network.convolutions(spec.input_shape[0])}
    for layer in network.layers:
        read, made_of_it, weight = seen[layer.reads], seen[layer.linear], net[layer.weight]
        bias = None if layer.bias is None else net[layer.bias]
        if (conv := convolutions.get(layer.name)) is None:
            got = torch.nn.functional.linear(read.flatten(1), weight, bias)
        else:
            got = torch.nn.functional.conv2d(read, weight, bias, conv.stride, conv.padding)
        torch.testing.assert_close(got, made_of_it, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_body_and_features_are_what_the_layers_read(name):
    network, spec, net = made(name)
    x = images(spec, 3)
    body, head = network.body(net, x), network.head
    torch.testing.assert_close(body @ net[head.weight].T + net[head.bias], network.forward(net, x), rtol=0, atol=1e-12)
    features = network.features(net, x)
    assert list(features) == [f"hidden {i}" for i in range(1, len(features) + 1)]
    assert len(features) == len({layer.reads for layer in network.layers[1:]})
    torch.testing.assert_close(list(features.values())[-1], body, rtol=0, atol=0)
    assert all(value.ndim == 2 and len(value) == 3 for value in features.values())


@pytest.mark.parametrize("name", IMAGES)
def test_operations_that_are_identities_leave_the_function_as_it_is(name):
    """3x3 kernels behind all convolutions, scales and shifts of channels behind all activations and of the input."""
    network, spec, net = made(name)
    task, sites = drawn_task(spec), {"input": ScaledChannels(torch.ones(1).double(), torch.zeros(1).double())}
    for layer in network.layers[:-1]:
        identity = torch.eye(layer.outputs, dtype=torch.float64)
        sites[layer.linear] = Kernel(torch.nn.functional.pad(identity[..., None, None], (1, 1, 1, 1)))
        sites[layer.active] = ScaledChannels(identity[0] * 0 + 1, identity[0] * 0)
    at = At(sites)
    expected = network.forward(network.settled(net, task.support_x), task.query_x)
    settled = network.settled(net, task.support_x, at)
    torch.testing.assert_close(network.forward(settled, task.query_x, at), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(network.plain(settled, at)(task.query_x), expected, rtol=1e-12, atol=1e-12)
    for point in sites:  # and each one is heard: this would not pass if nothing stood there
        other = network.forward(net, task.query_x, At({point: torch.square}))
        assert float((other - network.forward(net, task.query_x)).abs().max()) > 1e-3


@pytest.mark.parametrize("name", IMAGES)
def test_derivatives_reach_what_stands_at_a_point(name):
    network, spec, net = made(name)
    task, layer = drawn_task(spec), network.layers[1]
    phi = {"factor": 1.1 + 0 * net[layer.weight][:, 0, 0, 0], "shift": 0.1 + 0 * net[layer.weight][:, 0, 0, 0]}

    def at(values):
        return At({layer.active: ScaledChannels(values["factor"], values["shift"])})

    _, back = network.pullback_of(phi, net, task.support_x, at)
    got = back(task.support_y)
    leaves = {key: value.clone().requires_grad_() for key, value in phi.items()}
    (network.forward(net, task.support_x, at(leaves)) * task.support_y).sum().backward()
    tree_map(lambda g, leaf: torch.testing.assert_close(g, leaf.grad, rtol=1e-10, atol=1e-12), got, leaves)
    assert all(float(value.abs().max()) > 1e-6 for value in got.values())


@pytest.mark.parametrize("name", CASES)
def test_settled_weights_say_the_same_about_the_whole_support(name):
    """So a learner that asks about the whole support while it adapts need not settle at every step."""
    network, spec, net = made(name)
    x, at = drawn_task(spec).support_x, lambda point, z: z * 1.5 if point.endswith("linear") else z
    settled = network.settled(net, x, at)
    assert (settled is net) == (getattr(network, "norm", None) != "support")
    torch.testing.assert_close(network.forward(settled, x, at), network.forward(net, x, at), rtol=1e-12, atol=1e-12)
