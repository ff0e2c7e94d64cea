"""The inner optimisers against torch.optim, on a stream of gradients."""

import pytest
import torch

from engine.learners.inner import adam, descend, fresh_moments
from engine.tasks import stream

WEIGHTS = {"a": torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3), "b": torch.zeros(4, dtype=torch.float64)}


def gradients(steps: int):
    """Gradients of very different sizes; the first entry of b never gets one, as at a dead unit."""
    generator = stream("page")
    for step in range(steps):
        g = {k: 10.0 ** (step % 5 - 3) * torch.randn(v.shape, generator=generator).double() for k, v in WEIGHTS.items()}
        g["b"][0] = 0.0
        yield g


def by_torch(make_optimiser, steps: int):
    leaves = {k: v.clone().requires_grad_() for k, v in WEIGHTS.items()}
    optimiser = make_optimiser(leaves.values())
    for g in gradients(steps):
        for key, leaf in leaves.items():
            leaf.grad = g[key]
        optimiser.step()
    return {k: v.detach() for k, v in leaves.items()}


@pytest.mark.parametrize("beta1", [0.0, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 50])
def test_adam_is_torch_adam(beta1, steps):
    weights, moments = WEIGHTS, fresh_moments(WEIGHTS, beta1)
    for g in gradients(steps):
        weights, moments = adam(weights, g, moments, 0.05, beta1)
    expected = by_torch(lambda leaves: torch.optim.Adam(leaves, lr=0.05, betas=(beta1, 0.999)), steps)
    for key, value in expected.items():
        torch.testing.assert_close(weights[key], value, rtol=1e-11, atol=1e-14)


def test_descend_is_torch_sgd():
    weights = WEIGHTS
    for g in gradients(10):
        weights = descend(weights, g, 0.05)
    expected = by_torch(lambda leaves: torch.optim.SGD(leaves, lr=0.05), 10)
    for key, value in expected.items():
        torch.testing.assert_close(weights[key], value, rtol=1e-12, atol=1e-14)


def test_adam_has_a_finite_derivative_where_a_gradient_is_zero():
    """A root of 0 would give NaN to every meta-gradient through a dead unit."""
    g = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    weights = {"a": torch.ones(3, dtype=torch.float64)}
    stepped, _ = adam(weights, {"a": g}, fresh_moments(weights, 0.9), 0.05)
    (derivative,) = torch.autograd.grad(stepped["a"].sum(), g)
    assert bool(derivative.isfinite().all())
