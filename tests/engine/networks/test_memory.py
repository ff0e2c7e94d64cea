"""How much a pass keeps, as counted from the points, against what torch really saves."""

import pytest
import torch

from engine.networks import MLP, Conv4, Network, ResNet12
from engine.networks.memory import activations
from engine.tasks import Classes, Image, TaskSpec, stream
from tests.engine.networks.cases import CASES, spec_of

EXAMPLES = 16


def saved(network: Network, spec: TaskSpec) -> float:
    """The 32-bit numbers that torch saves for one example of a batch, in storages of their own, without the weights."""
    net = {key: value.requires_grad_() for key, value in network.init(stream("init"), spec).items()}
    weights = {value.untyped_storage().data_ptr() for value in net.values()}
    kept: dict[int, torch.Tensor] = {}

    def keep(value):
        kept.setdefault(value.untyped_storage().data_ptr(), value)
        return value

    x = torch.randn(EXAMPLES, *spec.input_shape, generator=stream("page"))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        output = network.forward(net, x)
    assert output.grad_fn is not None
    storages = {at: value.untyped_storage() for at, value in kept.items() if at not in weights}
    return sum(storage.nbytes() for storage in storages.values()) / 4 / EXAMPLES


@pytest.mark.parametrize("name", CASES)
def test_what_is_counted_is_about_what_torch_saves(name):
    network, spec = CASES[name][0], spec_of(name)
    assert 0.4 < saved(network, spec) / activations(network, spec) < 1.25


@pytest.mark.parametrize(
    ("network", "shape"), [(Conv4(), (3, 84, 84)), (ResNet12(width=16), (3, 84, 84)), (MLP(), (1, 28, 28))], ids=str
)
def test_so_it_is_at_the_sizes_that_people_use(network, shape):
    spec = TaskSpec(Image(*shape), Classes(5))
    assert 0.8 < saved(network, spec) / activations(network, spec) < 1.25


def test_conv4_of_the_dissertation():
    """64 channels, 84x84, padding 1: sides 84, 42, 21, 10 before pooling, 42, 21, 10, 5 after."""
    maps = 2 * (84**2 + 42**2 + 21**2 + 10**2) + 3 * (42**2 + 21**2 + 10**2 + 5**2)
    assert activations(Conv4(), TaskSpec(Image(3, 84, 84), Classes(5))) == 3 * 84**2 + 64 * maps + 5
