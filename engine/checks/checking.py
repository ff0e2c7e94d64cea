"""What all checks share: how one fails, and how trees of tensors are compared."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.errors import EngineError
from engine.registry import announced
from engine.trees import Tree, named_leaves, tree_map

Check = Callable[..., None]  # raises CheckFailed; its docstring is what it checks, in one line


class CheckFailed(EngineError):
    """Something that is checked is not so."""


def require(so: Any, sentence: str) -> None:
    """Raises CheckFailed with the sentence unless `so`."""
    if not so:
        raise CheckFailed(sentence)


def outcomes(checks: Sequence[Check], *given: Any) -> Iterator[tuple[str, str | None]]:
    """Goes through checks: (what is checked, None or the sentence that says what is wrong)."""
    for check in checks:
        title = (check.__doc__ or check.__name__).splitlines()[0].rstrip(".")
        try:
            check(*given)
        except EngineError as error:
            yield title, str(error)
        except Exception as error:  # whatever somebody's class does
            said = " ".join(str(error).split())
            yield title, f"It failed with {type(error).__name__}: {said[:300].rstrip('.')}."
        else:
            yield title, None


def described(cls: type, base: type) -> None:
    """Everything that people read of it is there."""
    for word in announced(base):
        said = getattr(cls, word, None)
        require(
            isinstance(said, str) and said.strip(), f"{cls.__name__} must say its {word}, a text that is not empty."
        )
    require((cls.__doc__ or "").strip(), f"{cls.__name__} must have a docstring.")


def close(got: Tree, expected: Tree, what: str, tolerance: float = 1e-10) -> None:
    """Compares trees tensor by tensor; `what` begins the sentence: "The batch by vmap differs from a loop"."""
    mine, theirs = dict(named_leaves(got)), dict(named_leaves(expected))
    require(mine.keys() == theirs.keys(), f"{what}: it has {', '.join(mine)} instead of {', '.join(theirs)}.")
    for name, value in mine.items():
        wanted = theirs[name]
        at = f" at {name}" if name else ""
        if value.shape != wanted.shape:
            raise CheckFailed(f"{what}{at}: its shape is {tuple(value.shape)}, not {tuple(wanted.shape)}.")
        gap = float((value - wanted).abs().max()) if value.numel() else 0.0
        limit = tolerance * (1 + (float(wanted.abs().max()) if value.numel() else 0.0))
        require(gap <= limit, f"{what}{at}: by {gap:.3g}, where {limit:.3g} is allowed.")


def same(a: Tree, b: Tree) -> bool:
    """Whether two trees are equal to the bit."""
    mine, theirs = dict(named_leaves(a)), dict(named_leaves(b))
    return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in mine.items())


def finite(tree: Tree) -> bool:
    """Whether all numbers of a tree are."""
    return all(bool(leaf.isfinite().all()) for _, leaf in named_leaves(tree))


def double(tree: Tree) -> Tree:
    """The same tree in float64; whole numbers stay what they are."""
    return tree_map(lambda leaf: leaf.double() if leaf.is_floating_point() else leaf, tree)


def single(tree: Tree) -> Tree:
    """The same tree in float32; whole numbers stay what they are."""
    return tree_map(lambda leaf: leaf.float() if leaf.is_floating_point() else leaf, tree)


def distance(a: Tensor, b: Tensor) -> float:
    """The largest absolute difference."""
    return float((a - b).abs().max())
