"""What stands at the points of an MLP: derivatives written out against autograd's, folded weights against the hook."""

from __future__ import annotations

import pytest
import torch

from engine.networks import MLP, Network
from engine.operations import At, Kernel, Matrix, Scaled, ScaledChannels, matrix_site, scaling_site
from engine.operations.unit_mix import HiddenMix
from engine.tasks import Classes, Numbers, TaskSpec, stream
from engine.trees import tree_map

SPEC, NETWORK, WIDTHS = TaskSpec(Numbers(3), Classes(2)), MLP((5, 4)), {"layer1": 5, "layer2": 4}
GENERATOR = stream("page", 7)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def matrices(point: str, d: int) -> dict[str, torch.Tensor]:
    return {"matrix": draw(d, d), "shift": draw(d)}


def scales(point: str, d: int) -> dict[str, torch.Tensor]:
    return {"factor": draw(d), "shift": draw(d)}


def single(point: str, d: int) -> dict[str, torch.Tensor]:
    return {"factor": draw(1), "shift": draw(1)}


SIZES = {"input": 3, "layer1.linear": 5, "layer1.active": 5, "layer2.linear": 4, "layer2.active": 4, "output": 2}
KINDS = {"matrices": (Matrix, matrices), "scales": (Scaled, scales), "one scale": (Scaled, single)}


@pytest.fixture(params=[(kind, where) for kind in KINDS for where in (*SIZES, "everywhere")], ids=str)
def standing(request):
    """Sites of one kind at one point, or at all of them: their parameters by point, and the hook that they make."""
    kind, where = request.param
    cls, parameters = KINDS[kind]
    phi = {point: parameters(point, d) for point, d in SIZES.items() if where in (point, "everywhere")}
    return phi, lambda phi: At({point: cls(**values) for point, values in phi.items()})


@pytest.fixture
def net():
    found = tree_map(torch.Tensor.double, NETWORK.init(stream("init"), SPEC))
    return {key: value + 0.3 * draw(*value.shape) for key, value in found.items()}


def close(a, b):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-11), a, b)


def test_the_way_back_to_the_weights_is_autograds(standing, net):
    phi, at = standing
    x, delta = draw(7, 3), draw(7, 2)
    output, back = NETWORK.pullback(net, x, at(phi))
    expected, by_autograd = Network.pullback(NETWORK, net, x, at(phi))
    close(output, expected)
    found = back(delta)
    close({key: found[key] for key in net}, by_autograd(delta))


def test_the_way_back_to_what_stands_there_is_autograds(standing, net):
    phi, at = standing
    if any("matrix" in values for values in phi.values()):
        pytest.skip("matrices are never adapted: they have no gradient of their own")
    x, delta = draw(7, 3), draw(7, 2)
    output, back = NETWORK.pullback_of(phi, net, x, at)
    expected, by_autograd = Network.pullback_of(NETWORK, phi, net, x, at)
    close(output, expected)
    close(back(delta), by_autograd(delta))


def test_folded_into_the_weights_it_is_the_same_function(standing, net):
    phi, at = standing
    x = draw(7, 3)
    close(NETWORK.plain(net, at(phi))(x), NETWORK.forward(net, x, at(phi)))


def test_a_stack_of_networks_with_sites_broadcasts(standing, net):
    phi, at = standing
    x, delta = draw(7, 3), draw(7, 2)
    many = [tree_map(lambda v: v + 0.1 * draw(*v.shape), (net, phi)) for _ in range(2)]
    nets, phis = tree_map(lambda *v: torch.stack(v), *many)
    output, back = NETWORK.pullback(nets, x, at(phis))
    found = back(delta.expand(2, 7, 2))
    for place, (one, mine) in enumerate(many):
        alone, its = NETWORK.pullback(one, x, at(mine))
        close(output[place], alone)
        close({key: found[key][place] for key in one}, its(delta))


def test_a_mix_of_operations_is_what_its_parts_say(net):
    """Of one hidden site: the affine map that the products psi make, and its gradient in each piece, by autograd."""
    mix = HiddenMix(4, (2,))
    psi = {name: draw(size) for name, size in mix.pieces.items()}
    x, delta = draw(7, 3), draw(7, 2)
    phi, at = {"layer2.active": psi}, lambda phi: At({"layer2.active": mix.site(phi["layer2.active"])})
    output, back = NETWORK.pullback_of(phi, net, x, at)
    expected, by_autograd = Network.pullback_of(NETWORK, phi, net, x, at)
    close(output, expected)
    found, wanted = back(delta)["layer2.active"], by_autograd(delta)["layer2.active"]
    close(found, {name: wanted[name] for name in found})
    assert set(wanted) - set(found) == {"kept"}


def test_on_images_they_act_on_channels():
    images = draw(2, 3, 6, 6)
    one_by_one, wide = draw(3, 3), torch.nn.functional.pad(draw(3, 3)[..., None, None], (1, 1, 1, 1))
    mixed = torch.einsum("ij,kjhw->kihw", one_by_one, images)
    close(matrix_site(False, one_by_one)(images), mixed)
    close(Kernel(wide, draw(3) * 0)(images), torch.einsum("ij,kjhw->kihw", wide[..., 1, 1], images))
    factor, shift = draw(3), draw(3)
    expected = images * factor.view(1, 3, 1, 1) + shift.view(1, 3, 1, 1)
    close(scaling_site(False, factor, shift)(images), expected)
    assert isinstance(scaling_site(False, factor, shift), ScaledChannels)
