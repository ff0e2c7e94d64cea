"""The written-out derivatives of normalised rows, against those that autograd makes of the formula."""

import pytest
import torch
from torch.func import grad, jvp, vmap

from engine.networks.norm import EPSILON, Standardised
from engine.tasks import stream


def formula(z, scale, shift):
    centred = z - z.mean(0)
    return centred * (centred.square().mean(0) + EPSILON).rsqrt() * scale + shift


def written_out(z, scale, shift):
    return Standardised.apply(z, scale, shift)[0]


def drawn(*shape):
    return torch.randn(*shape, generator=stream("page"), dtype=torch.float64)


GIVEN = drawn(3, 7, 4), drawn(3, 4), drawn(3, 4)  # of three tasks: rows, scale, shift


def after_a_step(normed):
    """A loss after a step of gradient descent on all three, whose derivative is of second order."""

    def loss(z, scale, shift):
        return normed(normed(z, scale, shift).sin(), scale, shift).pow(3).sum()

    def after(*given):
        steps = grad(loss, argnums=(0, 1, 2))(*given)
        return loss(*(value - 0.01 * step for value, step in zip(given, steps, strict=True)))

    return vmap(grad(after, argnums=(0, 1, 2)))


def test_derivatives_of_first_and_second_order():
    torch.testing.assert_close(after_a_step(written_out)(*GIVEN), after_a_step(formula)(*GIVEN), rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # by torch, for its own forward derivatives
def test_forward_derivatives_of_those():
    along = tuple(value.cos() for value in GIVEN)
    (_, got), (_, expected) = (jvp(after_a_step(normed), GIVEN, along) for normed in (written_out, formula))
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
