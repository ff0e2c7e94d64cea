"""Convolutional and residual networks against torch.nn modules with the same weights, and as published."""

import pytest
import torch
from torch import nn

from engine.errors import BadConfig
from engine.networks import Conv4, ResNet10, ResNet12, ResNet18, make_network
from engine.tasks import LINE, Classes, Image, TaskSpec, stream
from engine.trees import count, tree_map
from tests.engine.networks.cases import CASES, IMAGES, drawn_task, images, spec_of, weights


def norm_of(network, channels):
    """The module of torch for a norm."""
    if network.norm == "none":
        return nn.Identity()
    return nn.GroupNorm(network.groups, channels) if network.norm == "group" else nn.BatchNorm2d(channels)


def conv_of(network, inputs, outputs, kernel=3, stride=1):
    """A convolution of a residual network with its norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=network.norm == "none")
    return nn.Sequential(conv, norm_of(network, outputs))


class Block(nn.Module):
    """A residual block; its parts in the order in which our network lists their tensors."""

    def __init__(self, network, inputs, outputs):
        super().__init__()
        twelve = isinstance(network, ResNet12)
        stride = 2 if inputs != outputs and not twelve else 1
        self.first = nn.ModuleList([conv_of(network, inputs, outputs, stride=stride)])
        if twelve:
            self.first.append(conv_of(network, outputs, outputs))
        self.beside = nn.Identity()
        if twelve or inputs != outputs:
            self.beside = conv_of(network, inputs, outputs, 1 if twelve else 3, stride)
        self.last = conv_of(network, outputs, outputs)
        self.active = nn.LeakyReLU(0.1) if twelve else nn.ReLU()
        self.pool = nn.MaxPool2d(2) if twelve else nn.Identity()

    def forward(self, x):
        z = x
        for part in self.first:
            z = self.active(part(z))
        return self.pool(self.active(self.last(z) + self.beside(x)))


def modules(network, spec, head_size):
    """The network as torch modules."""
    inputs, parts = spec.input_shape[0], []
    if isinstance(network, Conv4):
        stride = 2 if network.pool == "stride" else 1
        for _ in range(network.blocks):
            conv = nn.Conv2d(inputs, network.channels, 3, stride, network.padding)
            parts += [conv, norm_of(network, network.channels), nn.ReLU()]
            parts += [nn.MaxPool2d(2)] if network.pool == "max" else []
            inputs = network.channels
    else:
        if not isinstance(network, ResNet12):
            large = network.stem == "large"
            parts += [conv_of(network, inputs, network.width, *((7, 2) if large else (3, 1))), nn.ReLU()]
            parts += [nn.MaxPool2d(3, 2, 1)] if large else []
            inputs = network.width
        for stage, depth in enumerate((2, 2, 2, 2) if isinstance(network, ResNet18) else (1, 1, 1, 1)):
            for _ in range(depth):
                parts.append(Block(network, inputs, network.width * 2**stage))
                inputs = network.width * 2**stage
        parts.append(nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(head_size, spec.output_dim)).double()


def oracle(network, net, spec):
    """The modules with our weights: both list weight, bias, scale and shift layer by layer."""
    made = modules(network, spec, net[network.head.weight].shape[-1])
    parameters = list(made.parameters())
    assert [p.shape for p in parameters] == [net[key].shape for key in network.ranks]
    with torch.no_grad():
        for parameter, key in zip(parameters, network.ranks, strict=True):
            parameter.copy_(net[key])
    return made.train()


@pytest.mark.parametrize("name", IMAGES)
def test_values_and_gradients_are_those_of_torch_modules(name):
    network, spec = CASES[name][0], spec_of(name)
    net, task = weights(network, spec), drawn_task(spec)
    made = oracle(network, net, spec)
    expected = made(task.support_x)
    got, back = network.pullback(net, task.support_x)
    torch.testing.assert_close(got, expected.detach(), rtol=1e-10, atol=1e-12)
    expected.backward(task.support_y)
    gradient = back(task.support_y)
    assert gradient.keys() == net.keys()
    for key, parameter in zip(network.ranks, made.parameters(), strict=True):
        torch.testing.assert_close(gradient[key], parameter.grad, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [name for name in IMAGES if "support" in name])
def test_queries_are_normalised_as_batch_norm_normalises_after_one_batch(name):
    """BatchNorm2d that has seen the support, in eval mode; it keeps the unbiased variance, n / (n - 1) of ours."""
    network, spec = CASES[name][0], spec_of(name)
    net, task = weights(network, spec), drawn_task(spec)
    made, sizes = oracle(network, net, spec), {}
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in norms:
        module.momentum = 1.0
        module.register_forward_pre_hook(lambda m, read: sizes.setdefault(m, read[0][:, 0].numel()) and None)
    made(task.support_x)
    for module in norms:
        module.running_var *= (sizes[module] - 1) / sizes[module]
    got = network.forward(network.settled(net, task.support_x), task.query_x)
    torch.testing.assert_close(got, made.eval()(task.query_x).detach(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("network", "shape", "parameters"),
    [
        (Conv4(padding=0), (3, 84, 84), 115_973),
        (Conv4(), (3, 84, 84), 121_093),
        (Conv4(channels=32), (3, 84, 84), 32_901),
        (ResNet10(), (3, 224, 224), 6_284_613),
        (ResNet18(), (3, 224, 224), 12_555_333),
    ],
    ids=str,
)
def test_parameters_are_as_many_as_the_dissertation_has(network, shape, parameters):
    spec = TaskSpec(Image(*shape), Classes(5))
    assert count(network.init(stream("init"), spec)) == parameters


def test_conv4_without_padding_has_the_published_maps():
    """84 -> 41 -> 19 -> 8 -> 3 and 576 features without padding, 1,600 with."""
    spec = TaskSpec(Image(3, 84, 84), Classes(5))
    pooled = [point.shape for point in Conv4(padding=0).points(spec) if point.kind == "pooled"]
    assert pooled == [(64, side, side) for side in (41, 19, 8, 3)]
    assert Conv4().points(spec)[-2].shape == (5, 1_600)


@pytest.mark.parametrize("network", [Conv4(channels=32, blocks=2), ResNet10(width=32)], ids=str)
def test_init_draws_torch_defaults(network):
    spec = TaskSpec(Image(3, 28, 28), Classes(5))
    net = network.init(stream("init"), spec)
    for layer in network.layers:
        bound = net[layer.weight][0].numel() ** -0.5
        assert 0.98 * bound < float(net[layer.weight].abs().max()) <= bound
        assert (
            layer.bias is None or 0 < float(net[layer.bias].abs().min()) < float(net[layer.bias].abs().max()) <= bound
        )
        assert [float(net[key].unique()) for key in layer.also] == ([1, 0] if layer.also else [])


def test_init_of_resnet12_is_that_of_its_code():
    spec = TaskSpec(Image(3, 16, 16), Classes(5))
    net, like = ResNet12(width=32).init(stream("init"), spec), nn.Conv2d(32, 64, 3)
    nn.init.kaiming_normal_(like.weight, mode="fan_out", nonlinearity="leaky_relu")
    weight = next(net[layer.weight] for layer in ResNet12().layers if layer.name == "block2-conv1")
    assert weight.shape == like.weight.shape
    assert float(weight.std()) == pytest.approx(float(like.weight.detach().std()), rel=0.03)
    assert float(net[ResNet12().head.bias].abs().max()) == 0


@pytest.mark.parametrize(
    ("network", "shape", "part"),
    [
        (Conv4(), (1, 15, 28), "at least 16x16; those of this task have 15x28"),
        (Conv4(padding=0), (1, 45, 45), "at least 46x46"),
        (Conv4(padding=0, pool="stride"), (1, 30, 30), "at least 31x31"),
        (ResNet12(), (3, 14, 14), "at least 16x16"),
    ],
)
def test_images_that_are_too_small_are_refused_in_one_sentence(network, shape, part):
    assert part in network.refused(TaskSpec(Image(*shape), Classes(5)))


def test_what_is_not_an_image_is_refused_in_one_sentence():
    assert Conv4().refused(LINE) == "Conv4 reads inputs of 3 axes, such as images; those of this task have 1."


@pytest.mark.parametrize("network", [Conv4(channels=2), Conv4(channels=2, padding=0), ResNet12(width=2)], ids=str)
def test_the_smallest_images_that_are_not_refused_fit(network):
    """So the bound in the sentence is the true one."""
    side = 46 if network == Conv4(channels=2, padding=0) else 16
    spec = TaskSpec(Image(1, side, side), Classes(3))
    assert network.refused(spec) is None
    net = weights(network, spec)
    assert network.forward(net, images(spec, 2)).shape == (2, 3)


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(BadConfig, match="groups must divide the 6 channels of the network; 4 was given"):
        make_network({"name": "conv4", "channels": 6, "norm": "group"})
    with pytest.raises(BadConfig, match="cannot take norm = 'layer'"):
        make_network({"name": "resnet12", "norm": "layer"})


def test_settling_a_second_time_starts_from_the_weights():
    network, spec = CASES["conv4 support"][0], spec_of("conv4 support")
    net, first, second = weights(network, spec), images(spec, 4), images(spec, 4, 1)
    expected, got = network.settled(net, second), network.settled(network.settled(net, first), second)
    tree_map(lambda g, e: torch.testing.assert_close(g, e, rtol=0, atol=0), got, expected)
