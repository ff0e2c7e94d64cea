"""All tensors of a network as one axis of N coordinates: what coordinate-wise learned optimisers work on.

Their rule makes many numbers of each coordinate on its way to an answer, and the way back through an inner loop would
keep them all for every step. Beyond `CHUNK` coordinates they are taken in chunks, and what is made on the way is made
once more on the way back (Chen et al., arXiv 1604.06174): a step then keeps what the rule reads and what it says, and
one chunk at a time is in memory with all that belongs to it. Up to `CHUNK`, which is several times the size of the
networks for sine waves, nothing is made twice.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.networks import Net, Network
from engine.trees import Tree, leaves, tree_map

CHUNK = 8_192

_vjp: Any = torch.func.vjp  # of outputs and a function
Rule = Callable[..., tuple[Tensor, ...]]


def flatten(network: Network, net: Net) -> Tensor:
    """The coordinates (N,) of a network's tensors, or of anything named like them; leading axes (a stack) stay in front.

    The order is that of the layers, whatever the order of the dictionary (a gradient's may be reversed).
    """
    return torch.cat([net[key].flatten(-rank) if rank > 1 else net[key] for key, rank in network.ranks.items()], -1)


def unflatten(network: Network, values: Tensor, like: Net) -> Net:
    """Coordinates (N,) in the shapes of a network's tensors: the inverse of `flatten`."""
    shapes = {key: like[key].shape[-rank:] for key, rank in network.ranks.items()}
    parts = values.split([shape.numel() for shape in shapes.values()], dim=-1)
    return {name: part.unflatten(-1, shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def in_chunks(rule: Rule, params: Tree, n: int, *seen: Tensor) -> tuple[Tensor, ...]:
    """What a rule says to n coordinates, in chunks if they are many.

    Args:
        rule: rule(params, *seen) is a tuple of tensors shaped like those that it sees. Its answer to one coordinate
            depends on what it sees of that one alone.
        params: the parameters of the rule, which may carry leading axes (a stack) as `seen` does.
        n: how many coordinates there are.
        seen: (n,) or (n, k) each.
    """
    if n <= CHUNK or torch.compiler.is_dynamo_compiling():  # which cannot take functions with a way back of their own
        return rule(params, *seen)
    given = list(leaves(params))

    def of_leaves(*values: Tensor) -> tuple[Tensor, ...]:
        each = iter(values)
        return rule(tree_map(lambda _: next(each), params), *each)

    chunks = zip(*(value.split(CHUNK, _axis(value, n)) for value in seen), strict=True)
    said = [_Again.apply(of_leaves, *given, *chunk) for chunk in chunks]
    return tuple(torch.cat(parts, _axis(parts[0], CHUNK)) for parts in zip(*said, strict=True))


def _axis(value: Tensor, n: int) -> int:
    """Which axis of a value is that of n coordinates."""
    return -1 if value.shape[-1] == n else -2


class _Again(torch.autograd.Function):
    """A function of tensors that keeps its arguments alone for the way back, and is called once more there."""

    generate_vmap_rule = True

    @staticmethod
    def forward(function: Callable[..., tuple[Tensor, ...]], *given: Tensor) -> tuple[Tensor, ...]:
        return function(*given)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.function = inputs[0]
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *deltas: Tensor) -> tuple[Tensor | None, ...]:
        function, n = ctx.function, len(ctx.saved_tensors)

        def back(*values: Tensor) -> tuple[Tensor, ...]:
            found: tuple[Tensor, ...] = _vjp(function, *values[:n])[1](values[n:])
            return found

        # The way back, too, is differentiable: torch.func records it, and would keep all that is made on it.
        return None, *_Again.apply(back, *ctx.saved_tensors, *deltas)
