"""Convolutions with an axis of groups, against torch's: values and derivatives, however vmap and they are nested."""

import pytest
import torch
from torch import Tensor
from torch.func import grad, jvp, vmap
from torch.nn.functional import conv2d

from engine.operations import convolve as module
from engine.operations.convolve import convolve
from engine.tasks import stream
from engine.trees import leaves

SEEDS, TASKS, IMAGES = 2, 3, 4
WINDOWS = [(3, 1, 1), (3, 1, 0), (3, 2, 1), (3, 2, 0), (1, 1, 0), (1, 2, 0), (5, 1, 2)]  # kernel, stride, padding


@pytest.fixture(autouse=True, params=["products", "one after the other"])
def way(request, monkeypatch):
    monkeypatch.setattr(module, "MANY", 10**9 if request.param == "products" else 0)


def drawn(*shape: int) -> Tensor:
    """Numbers, the same for equal shapes."""
    return torch.randn(*shape, generator=stream("page"), dtype=torch.float64)


def same(got: object, expected: object) -> None:
    for one, other in zip(leaves(got), leaves(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # by torch, for its own forward derivatives
@pytest.mark.parametrize(("side", "stride", "padding"), WINDOWS)
def test_values_and_derivatives_are_those_of_torch(side, stride, padding):
    """Also the second ones: what two steps of gradient descent make of a loss, differentiated, forward and back."""
    weights = drawn(5, 2, side, side), drawn(5)
    x = drawn(IMAGES, 2, 7, 8)

    def loss(conv, weights, x):
        return conv(x, *weights, stride, padding).sin().square().sum()

    def stepped(conv):
        def after(weights, x):
            steps = grad(lambda w: loss(conv, w, x))(weights)
            return loss(conv, [w - 0.1 * step for w, step in zip(weights, steps, strict=True)], 0.5 * x)

        return after

    same(convolve(x, *weights, stride, padding), conv2d(x, *weights, stride, padding))
    first, second = (grad(stepped(conv), argnums=(0, 1)) for conv in (convolve, conv2d))
    same(first(weights, x), second(weights, x))
    along = (tuple(drawn(*w.shape) for w in weights), drawn(*x.shape))
    same(jvp(first, (weights, x), along)[1], jvp(second, (weights, x), along)[1])


@pytest.mark.parametrize("shared", [True, False], ids=["kernels of a seed", "kernels of a task"])
def test_seeds_and_tasks_at_once_are_those_one_by_one(shared):
    """Gradients of kernels that all tasks of a seed share, or that each has for itself, and of their images."""
    w = drawn(SEEDS, 5, 2, 3, 3) if shared else drawn(SEEDS, TASKS, 5, 2, 3, 3)
    x = drawn(SEEDS, TASKS, IMAGES, 2, 6, 6)

    def loss(conv):
        def of_seed(w, x):
            return vmap(lambda w, x: conv(x, w, None, 1, 1).sin().sum(), in_dims=(None if shared else 0, 0))(w, x).sum()

        return vmap(grad(of_seed, argnums=(0, 1)))

    def looped(w, x):
        def of_seed(w, x):
            return sum(conv2d(x[t], w if shared else w[t], None, 1, 1).sin().sum() for t in range(TASKS))

        found = [grad(of_seed, argnums=(0, 1))(w[s], x[s]) for s in range(SEEDS)]
        return tuple(torch.stack(values) for values in zip(*found, strict=True))

    same(loss(convolve)(w, x), looped(w, x))


def test_channels_lie_last_in_memory_whatever_the_way():
    x, w = drawn(IMAGES, 2, 6, 6), drawn(5, 2, 3, 3)
    made = vmap(convolve, in_dims=(0, 0, None, None, None))(torch.stack([x, x]), torch.stack([w, w]), None, 1, 1)
    assert made.permute(0, 1, 3, 4, 2).is_contiguous()
