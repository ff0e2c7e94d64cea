"""What every network must satisfy, with every norm: above all, meta-gradients by vmap against a plain loop."""

from dataclasses import dataclass

import pytest
import torch
from torch.nn import functional

from engine.checks import NETWORK_CHECKS
from engine.checks.networks import CLOSE, difference, meta_loss, one_by_one
from engine.networks import Conv4
from engine.trees import tree_map
from tests.engine.networks.cases import CASES, drawn_task, spec_of, weights


@pytest.mark.parametrize("check", NETWORK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CASES)
def test_what_anybodys_network_must_satisfy(name, check):
    check(CASES[name][0], spec_of(name))


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
