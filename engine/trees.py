"""Nested dictionaries (and lists) of tensors: the only containers that learners pass around."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

Tree = Any  # Tensor | dict[str, Tree] | list[Tree]


def tree_map(function: Callable[..., Any], tree: Tree, *others: Tree) -> Tree:
    """Applies `function` leaf by leaf to trees of equal structure."""
    if isinstance(tree, dict):
        return {key: tree_map(function, value, *(other[key] for other in others)) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        mapped = [tree_map(function, *leaves) for leaves in zip(tree, *others, strict=True)]
        if hasattr(tree, "_fields"):
            return type(tree)(*mapped)
        return type(tree)(mapped)
    return function(tree, *others)


def leaves(tree: Tree) -> Iterator[Tensor]:
    """The tensors of a tree, in the order of its keys."""
    for _, leaf in named_leaves(tree):
        yield leaf


def named_leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors with their dotted names, such as `net.weight1`."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else None
    if items is None:
        yield prefix, tree
        return
    for key, value in items:
        yield from named_leaves(value, f"{prefix}.{key}" if prefix else str(key))


def from_names(named: dict[str, Tensor], like: Tree, prefix: str = "") -> Tree:
    """The tree with the structure of `like` whose leaves are looked up by their dotted names."""
    if isinstance(like, dict):
        return {key: from_names(named, value, f"{prefix}.{key}" if prefix else key) for key, value in like.items()}
    return named[prefix]


def stack(trees: list[Tree], dim: int = 0) -> Tree:
    """Trees of equal structure as one tree with a new axis."""
    return tree_map(lambda *tensors: torch.stack(tensors, dim), trees[0], *trees[1:])


def repeat(tree: Tree, times: int) -> Tree:
    """Trees whose leaves have a leading axis (rows, ...), so many times over: (times * rows, ...)."""
    return tree_map(lambda leaf: leaf.expand(times, *leaf.shape).flatten(0, 1), tree)


class Layout:
    """How a tree whose leaves share a leading axis lies in one flat tensor (rows, N), leaf behind leaf.

    Attributes:
        size: N.
    """

    def __init__(self, like: Tree):
        self._like = tree_map(lambda leaf: leaf.shape[1:], like)
        self._sizes = [leaf[0].numel() for leaf in leaves(like)]
        self.size = sum(self._sizes)

    def pack(self, tree: Tree) -> Tensor:
        """The leaves (rows, ...) as one tensor (rows, N): by name, whatever the order of the keys."""
        return torch.cat([leaf.reshape(len(leaf), -1) for leaf in leaves(_ordered(tree, self._like))], dim=1)

    def unpack(self, flat: Tensor) -> Tree:
        """The tree whose leaves are views of `flat` (rows, N)."""
        parts = iter(flat.split(self._sizes, dim=1))
        return _shaped(self._like, parts)


def _ordered(tree: Tree, like: Tree) -> Tree:
    """The same tree with its keys in the order of `like`."""
    return {key: _ordered(tree[key], value) for key, value in like.items()} if isinstance(like, dict) else tree


def _shaped(shapes: Tree, parts: Iterator[Tensor]) -> Tree:
    if isinstance(shapes, dict):
        return {key: _shaped(value, parts) for key, value in shapes.items()}
    part = next(parts)
    return part.view(len(part), *shapes)


def count(tree: Tree) -> int:
    """The number of scalars in a tree."""
    return sum(leaf.numel() for leaf in leaves(tree))
