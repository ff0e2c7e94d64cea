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


def count(tree: Tree) -> int:
    """The number of scalars in a tree."""
    return sum(leaf.numel() for leaf in leaves(tree))
