r"""How alike are two layers: before and after adaptation, and of two learners?

Linear centred kernel alignment (Kornblith et al., ICML 2019) with the unbiased estimator of HSIC (Song et al., JMLR
2012), as chapter 4 of the dissertation uses it. For features F (n, d) and G (n, e) of the same n inputs, K = F F^T and
L = G G^T with their diagonals set to 0 and then U-centred,

    K~_ij = K_ij - (row sum i + row sum j) / (n - 2) + (sum of all) / ((n - 1) (n - 2)),   i /= j;   K~_ii = 0
    CKA = <K~, L~>_F / (|K~|_F |L~|_F)

1 for features that agree up to a rotation and a scale; about 0, at times below, for features that have nothing to do
with each other. (The usual, biased estimator is far above 0 for those where d is not small against n.)

Layers of one learner are compared within each seed; layers of two learners, and the same layer of different seeds, over
all pairs of seeds. All are adapted to the same held-out tasks, and a number is a mean over tasks and pairs of seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from engine.errors import BadInput
from engine.runs.ensembles import Ensemble
from probes.needs import HiddenLayers
from probes.probe import Probe, Progress, part
from probes.tools.representations import AFTER, BEFORE, inputs, represent, tasks_lazily, untrained

UNTRAINED = "untrained"
MOMENTS = (UNTRAINED, BEFORE, AFTER)


@dataclass(frozen=True)
class Config:
    """How many tasks to adapt to, at how many inputs to look, and whether to give the kernels of a pair to look at."""

    tasks: Annotated[int, Field(ge=1, le=200)] = 10
    points: Annotated[int, Field(ge=5, le=500)] = 100
    kernels: bool = False


@dataclass(frozen=True)
class Item:
    """One layer of one learner at one moment: untrained, before or after adaptation."""

    learner: str
    layer: str
    moment: str


@dataclass(frozen=True)
class Similarity:
    """Every layer against every other one.

    Attributes:
        items: what the rows and columns are.
        inputs: where the features were looked at, (points, *input_shape).
        cka: means over tasks and pairs of seeds, (items, items); NaN where features never change.
        low, high: the lowest and the highest pair of seeds, each a mean over tasks, (items, items).
        across_seeds: each layer against itself in another run that differs in its seed only, (items,); NaN for one
            run.
        kernels: K~ / |K~| of the first seed and task at every item, (items, points, points); empty unless asked for.
    """

    items: list[Item]
    inputs: np.ndarray
    cka: np.ndarray
    low: np.ndarray
    high: np.ndarray
    across_seeds: np.ndarray
    kernels: np.ndarray


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Similarity:
    """Compares all layers of all learners.

    Raises:
        BadInput: the learners were trained on different kinds of tasks, so that no input is common to them.
    """
    first = ensembles[0].distribution
    if any(e.distribution.spec != first.spec for e in ensembles):
        raise BadInput("Only learners of one kind of task have inputs in common to be compared at.")
    x, (tasks, _) = inputs(first, config.points), tasks_lazily(first, config.tasks)
    items: list[Item] = []
    rows: list[np.ndarray] = []  # of each item: (seeds, tasks, points^2), K~ / |K~|
    share = part(progress, 0.0, 0.7)
    for index, ensemble in enumerate(ensembles, start=1):
        learner = ensemble.learner
        trained = represent(learner, ensemble.params, tasks, x, (0, -1))
        drawn = represent(learner, untrained(ensemble), tasks, x, (0,))
        for layer, features in trained.items():
            seen = {UNTRAINED: drawn[layer][:, :, 0], BEFORE: features[:, :, 0], AFTER: features[:, :, 1]}
            items += [Item(learner.name, layer, moment) for moment in MOMENTS]
            rows += [unit(u_centred(seen[moment])).reshape(*seen[moment].shape[:2], -1) for moment in MOMENTS]
        share(index / len(ensembles))
    cka, low, high, across = _compared(items, rows, part(progress, 0.7, 1.0))
    n = config.points
    kernels = np.stack([row[0, 0] for row in rows]).reshape(-1, n, n) if config.kernels else np.zeros((0, n, n))
    return Similarity(items, x.numpy(), cka, low, high, across, kernels)


def u_centred(features: np.ndarray) -> np.ndarray:
    """K~ of features (..., n, d): (..., n, n)."""
    n = features.shape[-2]
    centred = features - features.mean(-2, keepdims=True)  # K~ does not depend on it; numbers stay small
    k = centred @ np.swapaxes(centred, -1, -2)
    diagonal = np.arange(n)
    k[..., diagonal, diagonal] = 0.0
    sums = k.sum(-1) / (n - 2)
    k += sums.sum(-1)[..., None, None] / (n - 1) - sums[..., :, None] - sums[..., None, :]
    k[..., diagonal, diagonal] = 0.0
    return k


def unit(kernel: np.ndarray) -> np.ndarray:
    """A kernel (..., n, n) of Frobenius norm 1; NaN where it is 0."""
    norm = np.linalg.norm(kernel, axis=(-2, -1), keepdims=True)
    return np.divide(kernel, norm, out=np.full_like(kernel, np.nan), where=norm > np.finfo(kernel.dtype).tiny)


def debiased_cka(first: np.ndarray, second: np.ndarray) -> float:
    """CKA of features (n, d) and (n, e) of the same inputs."""
    return float((unit(u_centred(first)) * unit(u_centred(second))).sum())


def _compared(items: list[Item], rows: list[np.ndarray], progress: Progress) -> tuple[np.ndarray, ...]:
    """Mean, lowest and highest CKA of every pair of items, and of every item across its seeds."""
    seeds = [len(row) for row in rows]
    ends = np.cumsum([0, *seeds])
    tasks = rows[0].shape[1]
    total = np.zeros((ends[-1], ends[-1]))  # every item's every seed against every other's, summed over tasks
    for task in range(tasks):
        at = np.concatenate([row[:, task] for row in rows])
        total += at @ at.T
        progress((task + 1) / tasks)
    total /= tasks
    n = len(items)
    cka, low, high = np.full((3, n, n), np.nan)
    across = np.full(n, np.nan)
    for i in range(n):
        for j in range(n):
            block = total[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
            pairs = np.diag(block) if items[i].learner == items[j].learner else block.ravel()
            cka[i, j], low[i, j], high[i, j] = pairs.mean(), pairs.min(), pairs.max()
            if i == j and len(block) > 1:
                across[i] = block[~np.eye(len(block), dtype=bool)].mean()
    return cka, low, high, across


PROBE = Probe(
    name="similarity",
    question="How similar are layers to each other: before and after adaptation, and between learners?",
    config=Config,
    needs=(HiddenLayers(),),
    ask=ask,
)
