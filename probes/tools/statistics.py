"""Is there a relation between two measurements of the same runs? Correlations with permutation p-values.

Under the hypothesis that x and y have nothing to do with each other, every pairing is as likely as the one seen:

    p = (1 + number of shuffles with |r| at least as large as the one seen) / (1 + number of shuffles),   two-sided

With groups (such as learners), only values of the same group are exchanged, and each group's mean is taken off first:
what remains is the relation within groups. Spearman's rho is Pearson's r of the ranks. (Phipson & Smyth, 2010.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

LEAST = 3  # pairs: two always lie on a line


@dataclass(frozen=True)
class Relation:
    """Correlations of n pairs with their two-sided permutation p-values; NaN where there is nothing to correlate."""

    n: int
    pearson: float
    pearson_p: float
    spearman: float
    spearman_p: float


def relation(
    x: np.ndarray, y: np.ndarray, groups: Sequence[object] | None = None, shuffles: int = 9999, seed: int = 0
) -> Relation:
    """Correlates x (n,) with y (n,); pairs with a value that is not finite are left out.

    Args:
        x: one measurement of each run.
        y: another one of the same runs.
        groups: which group each run belongs to; the relation is then that within groups.
        shuffles: random pairings.
        seed: of the shuffles.
    """
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = np.asarray(x, float)[kept], np.asarray(y, float)[kept]
    names = [str(group) for group in groups] if groups is not None else [""] * len(kept)
    labels = np.unique([name for name, keep in zip(names, kept, strict=True) if keep], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    order = _shuffled(labels, shuffles, rng)
    results = []
    for a, b in ((x, y), (_ranks(x, labels), _ranks(y, labels))):
        results.append(_tested(_within(a, labels), _within(b, labels), order))
    (pearson, pearson_p), (spearman, spearman_p) = results
    return Relation(len(x), pearson, pearson_p, spearman, spearman_p)


def _ranks(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Ranks within each group; ties share their mean rank."""
    ranks = np.empty(len(values))
    for label in np.unique(labels):
        ranks[labels == label] = rankdata(values[labels == label])
    return ranks


def _within(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Values less the mean of their group."""
    if not len(values):
        return values
    return values - (np.bincount(labels, values) / np.bincount(labels))[labels]


def _shuffled(labels: np.ndarray, shuffles: int, rng: np.random.Generator) -> np.ndarray:
    """Random orders that keep every group in its places: (shuffles, n)."""
    order = np.tile(np.arange(len(labels)), (shuffles, 1))
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        order[:, places] = rng.permuted(order[:, places], axis=1)
    return order


def _tested(a: np.ndarray, b: np.ndarray, order: np.ndarray) -> tuple[float, float]:
    """Pearson's r of values with mean 0, and its p-value."""
    scale = np.sqrt(np.square(a).sum() * np.square(b).sum())
    if len(a) < LEAST or scale == 0:
        return float("nan"), float("nan")
    seen = float(a @ b / scale)
    others = b[order] @ a / scale
    hits = int((np.abs(others) >= abs(seen) - 1e-12).sum())  # equal ones count, whatever the order of the sum
    return seen, (1 + hits) / (1 + len(order))
