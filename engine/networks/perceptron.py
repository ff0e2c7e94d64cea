"""A ReLU multi-layer perceptron. Parameters: weight1 (d1, d0), bias1 (d1,), weight2 (d2, d1), ...

Parameters may carry leading axes (a stack of networks): they broadcast through every function but `init`.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

Net = dict[str, Tensor]


def init(generator: torch.Generator, sizes: tuple[int, ...], *, output_bias: bool = False) -> Net:
    """Weights and biases for layers of the given sizes.

    Weights are U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default for linear layers; hidden biases are zero.

    Args:
        generator: source of randomness.
        sizes: input size, hidden widths, output size; (1, 40, 40, 1) has 1,761 parameters.
        output_bias: False zeroes the output bias as well (chapter 3); True draws it like a weight (chapter 5).
    """
    net: Net = {}
    last = len(sizes) - 1
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        bound = 1 / math.sqrt(fan_in)
        net[f"weight{layer}"] = uniform(generator, bound, (fan_out, fan_in))
        drawn = layer == last and output_bias
        net[f"bias{layer}"] = uniform(generator, bound, (fan_out,)) if drawn else torch.zeros(fan_out)
    return net


def depth(net: Net) -> int:
    """The number of linear layers, L."""
    return len(net) // 2


def activations(net: Net, x: Tensor) -> list[Tensor]:
    """a^(0) = x (K, d0), the ReLU activations a^(1) ... a^(L-1), and the linear output a^(L) (K, dL)."""
    a = [x]
    for layer in range(1, depth(net) + 1):
        z = a[-1] @ net[f"weight{layer}"].mT + net[f"bias{layer}"].unsqueeze(-2)
        a.append(z.relu() if layer < depth(net) else z)
    return a


def backward(net: Net, a: list[Tensor], delta: Tensor) -> Net:
    """Backpropagation: the gradient of a loss with respect to every weight and bias.

    Written out, because an inner loop takes this gradient at every step: it needs no graph (several times faster on a
    CPU for networks of this size) and is itself differentiable, so that meta-gradients of any order pass through it.

    Args:
        net: the parameters.
        a: `activations(net, x)`.
        delta: the derivative of the loss with respect to the output, (K, dL).

    Returns:
        A dictionary like `net`.
    """
    gradient: Net = {}
    for layer in range(depth(net), 0, -1):
        gradient[f"weight{layer}"] = delta.mT @ a[layer - 1]
        gradient[f"bias{layer}"] = delta.sum(-2)
        if layer > 1:
            delta = before_relu(delta @ net[f"weight{layer}"], a[layer - 1])
    return gradient


def before_relu(delta: Tensor, a: Tensor) -> Tensor:
    """The derivative with respect to what a ReLU reads, from that with respect to its output a: 0 where a is 0."""
    return torch.ops.aten.threshold_backward(delta, a, 0)  # one operation where delta * (a > 0) is two


def hidden(net: Net, x: Tensor) -> dict[str, Tensor]:
    """The ReLU activations a^(1) ... a^(L-1) of inputs x (K, d0), by name: "hidden 1" (K, d1), ..."""
    return {f"hidden {layer}": a for layer, a in enumerate(activations(net, x)[1:-1], start=1)}


def features(net: Net, x: Tensor) -> Tensor:
    """The input of the last layer, (K, d_{L-1})."""
    return activations(net, x)[-2]


def forward(net: Net, x: Tensor) -> Tensor:
    """The output (K, dL) for inputs (K, d0)."""
    return activations(net, x)[-1]


def uniform(generator: torch.Generator, bound: float, shape: tuple[int, ...]) -> Tensor:
    """Numbers U(-bound, bound)."""
    return (2 * torch.rand(shape, generator=generator) - 1) * bound
