"""Coalitions of support points as a game: what learners say after adapting to some of them, and Shapley values.

See `probes.questions.attribution` for what is asked.
"""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from math import factorial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.runs.ensembles import Ensemble
from probes.probe import Progress
from probes.tools.algorithms import predictions

CHUNK = 64  # coalitions at once
KEPT = 24  # tables of coalitions
STRETCHES = 4  # of a walk; even, so that both directions count alike


class Game(Protocol):
    """What coalitions of `count` players are worth; a coalition is an integer whose bit i says whether i is in it."""

    count: int

    def ask(self, wanted: Sequence[int], progress: Progress | None = None) -> None:
        """Finds out about coalitions, before their values are asked for."""

    def values(self, wanted: Sequence[int]) -> np.ndarray:
        """The worth of each coalition, (seeds, coalitions, queries)."""


class Coalitions:
    """A game of points: what every seed says on a grid after adapting to some of them; asked once, kept."""

    def __init__(self, ensemble: Ensemble, points: np.ndarray, grid: np.ndarray) -> None:
        self.ensemble, self.count = ensemble, len(points)
        self._x, self._y = torch.as_tensor(points).unsqueeze(-1).unbind(1)
        self._grid = torch.as_tensor(grid).unsqueeze(-1)
        self._said: dict[int, np.ndarray] = {}
        self._walked: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()

    def ask(self, wanted: Sequence[int], progress: Progress | None = None) -> None:
        """Adapts to the coalitions that were not asked before, those of one size together."""
        with self._lock:
            missing = sorted({c for c in wanted if c not in self._said}, key=lambda c: (c.bit_count(), c))
            done = 0
            for size, group in itertools.groupby(missing, int.bit_count):
                for chunk in _batched(group, CHUNK):
                    said = self._adapted(chunk, size)
                    self._said |= {c: said[:, i] for i, c in enumerate(chunk)}
                    done += len(chunk)
                    if progress:
                        progress(done / len(missing))

    def _adapted(self, coalitions: Sequence[int], size: int) -> np.ndarray:
        if not size:  # before the first step the support is not looked at
            return predictions(self.ensemble, self._x[None], self._y[None], self._grid, steps=0)
        members = torch.tensor([[i for i in range(self.count) if c >> i & 1] for c in coalitions])
        return predictions(self.ensemble, self._x[members], self._y[members], self._grid)

    def walk(self, baseline: str) -> tuple[np.ndarray, np.ndarray]:
        """What every label's own steps from the baseline to its value change, (seeds, K, queries), and f at its start.

        That is what learners say after adapting to labels of the baseline, (seeds, queries).
        """
        with self._lock:
            if baseline not in self._walked:
                self._walked[baseline] = self._walk(baseline)
            return self._walked[baseline]

    def _walk(self, baseline: str) -> tuple[np.ndarray, np.ndarray]:
        k, rows, firsts = self.count, [], []
        ends = baselines(self.ensemble, self._x, self._y, baseline)  # (seeds, K)
        runs = [Ensemble((run,)) for run in self.ensemble.runs] if baseline == "before" else [self.ensemble]
        for alone, start in zip(runs, ends if len(runs) > 1 else ends[:1], strict=True):
            moved = torch.zeros(STRETCHES * k + 1, k, dtype=self._y.dtype)  # how far each label has come, 0 to 1
            for step in range(STRETCHES * k):
                stretch, place = divmod(step, k)
                moved[step + 1] = moved[step]
                moved[step + 1, place if stretch % 2 == 0 else k - 1 - place] = (stretch + 1) / STRETCHES
            labels = start + moved * (self._y[:, 0] - start)
            said = predictions(alone, self._x.expand(len(labels), -1, -1), labels.unsqueeze(-1), self._grid)
            gains = np.diff(said, axis=1).reshape(len(said), STRETCHES, k, -1)
            gains[:, 1::2] = gains[:, 1::2, ::-1]
            rows.append(gains.sum(1))
            firsts.append(said[:, 0])
            if torch.equal(labels[-1], self._y[:, 0]) and len(said) == len(ends):  # it ended at the support
                self._said[(1 << k) - 1] = said[:, -1]
        return np.concatenate(rows), np.concatenate(firsts)

    def values(self, wanted: Sequence[int]) -> np.ndarray:
        """Predictions after adapting to each coalition, (seeds, coalitions, queries)."""
        self.ask(wanted)
        return np.stack([self._said[c] for c in wanted], 1)


_kept: OrderedDict[tuple[Any, ...], Coalitions] = OrderedDict()
_kept_lock = threading.Lock()


def coalitions_of(ensemble: Ensemble, points: np.ndarray, grid: np.ndarray) -> Coalitions:
    """The table of a learner and its points: the same one again while the query moves."""
    weights = [run.record.get("weights_sha256") for run in ensemble.runs]
    if None in weights:  # never saved: nothing to know them again by
        return Coalitions(ensemble, points, grid)
    key = (*weights, points.tobytes(), grid.tobytes())
    with _kept_lock:
        if key not in _kept:
            _kept[key] = Coalitions(ensemble, points, grid)
        _kept.move_to_end(key)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
        return _kept[key]


def orders_of(points: int, count: int) -> np.ndarray:
    """Orders of points in pairs of an order and its reverse, the same ones every time: (count, points)."""
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(points) for _ in range(count // 2)]
    return np.array([order for one in drawn for order in (one, one[::-1])])


def shapley_values(coalitions: Game, orders: int, progress: Progress | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Shapley values of all points at all queries and their standard errors, (seeds, K, queries) each.

    Args:
        coalitions: the game.
        orders: how many orders are walked; 0: all coalitions are weighed, and the errors are 0.
        progress: told the share that is done.
    """
    k = coalitions.count
    if not orders:
        every = range(1 << k)
        coalitions.ask(every, progress)
        said = coalitions.values(every)
        weights = np.zeros((k, 1 << k))
        for c in every:
            size = c.bit_count()
            for i in range(k):
                inside = c >> i & 1
                before = size - inside
                weight = factorial(before) * factorial(k - before - 1) / factorial(k)
                weights[i, c] = weight if inside else -weight
        exact = np.einsum("ic,scq->siq", weights, said)
        return exact, np.zeros_like(exact)
    walked = orders_of(k, orders)
    prefixes = np.concatenate([np.zeros((orders, 1), int), np.cumsum(1 << walked, 1)], 1)
    coalitions.ask(prefixes.ravel().tolist(), progress)
    said = coalitions.values(prefixes.ravel().tolist())
    said = said.reshape(len(said), orders, k + 1, -1)
    gains = np.empty_like(said[:, :, 1:])  # (seeds, orders, K, queries), by point
    for index, order in enumerate(walked):
        gains[:, index, order] = np.diff(said[:, index], axis=1)
    pairs = gains.reshape(len(gains), orders // 2, 2, *gains.shape[2:]).mean(2)  # reverses are not independent
    spread = pairs.std(1, ddof=1) if orders > 2 else np.full_like(pairs[:, 0], np.nan)
    return gains.mean(1), spread / np.sqrt(orders // 2)


def _batched(values: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """`itertools.batched`, which Python 3.11 does not have."""
    values = iter(values)
    while chunk := tuple(itertools.islice(values, size)):
        yield chunk


def baselines(ensemble: Ensemble, x: Tensor, y: Tensor, baseline: str) -> Tensor:
    """Labels that say nothing, (seeds, K): 0, or what each seed says at x (K, 1) before it adapts."""
    if baseline == "zero":
        return torch.zeros(len(ensemble.runs), len(x), dtype=y.dtype)
    return torch.as_tensor(predictions(ensemble, x[None], y[None], x, steps=0)[:, 0]).to(y)
