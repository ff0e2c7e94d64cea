r"""How many directions do a learner's features use, layer by layer, before and after adaptation?

The features of a layer at Q fixed inputs are a matrix F (Q, d). With the singular values s_1 >= s_2 ... of F less its
column means, and p_i = s_i / sum of s:

    effective rank       exp(-sum of p_i log p_i)                        Roy & Vetterli, EUSIPCO 2007
    participation ratio  (sum of s_i^2)^2 / sum of s_i^4                 Gao et al., bioRxiv 214262, 2017
    dead units           share of the d columns that are the same at all inputs
    cosine               mean of cos(F_x, F_x') over pairs of different inputs; 1: all inputs look alike

Both ranks lie between 1 and d and are 0 for features that never change. Rows F_x of zeros have no direction and are
left out of the cosine. After adaptation, a number is the mean over held-out tasks. The control is the same learner as
drawn for the run's seed, before any training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from engine.runs.ensembles import Ensemble
from probes.needs import HiddenLayers
from probes.probe import Probe, Progress
from probes.tools.representations import AFTER, BEFORE, inputs, represent, tasks_lazily, untrained

MEASURES = ("effective_rank", "participation_ratio", "dead", "cosine")
SAME = 1e-6  # of the layer's largest value: a unit that changes less has float32's noise only


@dataclass(frozen=True)
class Config:
    """How many held-out tasks to adapt to, and at how many inputs to look."""

    tasks: Annotated[int, Field(ge=1, le=500)] = 20
    points: Annotated[int, Field(ge=4, le=1000)] = 200


@dataclass(frozen=True)
class Layer:
    """The features of one layer at one moment.

    Attributes:
        learner: its registered name.
        layer: its name, the same word for all learners.
        moment: "before" or "after" adaptation.
        control: True for the learner as drawn, without any training.
        width: the number of units d.
        effective_rank, participation_ratio, dead, cosine: one number for each seed, means over tasks, (seeds,).
        spectrum: singular values, largest first, as shares of the largest, means over tasks, (seeds, d).
    """

    learner: str
    layer: str
    moment: str
    control: bool
    width: int
    effective_rank: np.ndarray
    participation_ratio: np.ndarray
    dead: np.ndarray
    cosine: np.ndarray
    spectrum: np.ndarray


@dataclass(frozen=True)
class Diversity:
    """All layers of all learners.

    Attributes:
        inputs: where the features were looked at, (points, *input_shape).
        tasks: how many tasks a mean after adaptation is over.
        seeds: the seeds of each learner's runs, by name.
        layers: the learners in the order asked, each with its layers from the input up.
    """

    inputs: np.ndarray
    tasks: int
    seeds: dict[str, list[int]]
    layers: list[Layer]


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Diversity:
    """Looks at the trained learners and at their controls."""
    layers: list[Layer] = []
    done = 0
    for ensemble in ensembles:
        x = inputs(ensemble.distribution, config.points)
        tasks, _ = tasks_lazily(ensemble.distribution, config.tasks)
        for control, params in ((False, ensemble.params), (True, untrained(ensemble))):
            found = represent(ensemble.learner, params, tasks, x, (0, -1))
            for layer, features in found.items():
                for at, moment in enumerate((BEFORE, AFTER)):
                    measured = measures(features[:, :, at])  # (seeds, tasks) each
                    means = {name: value.mean(1) for name, value in measured.items()}
                    width = features.shape[-1]
                    layers.append(Layer(ensemble.learner.name, layer, moment, control, width, **means))
            done += 1
            progress(done / (2 * len(ensembles)))
    seeds = {e.learner.name: [run.seed for run in e.runs] for e in ensembles}
    return Diversity(inputs(ensembles[0].distribution, config.points).numpy(), config.tasks, seeds, layers)


def measures(features: np.ndarray) -> dict[str, np.ndarray]:
    """All measures of features (..., Q, d): (...) each, and the spectrum (..., d)."""
    s = singular_values(features)
    largest = s[..., :1]
    return {
        "effective_rank": effective_rank(s),
        "participation_ratio": participation_ratio(s),
        "dead": dead(features),
        "cosine": mean_cosine(features),
        "spectrum": np.divide(s, largest, out=np.zeros_like(s), where=largest > 0),
    }


def singular_values(features: np.ndarray) -> np.ndarray:
    """Of features (..., Q, d) less their column means, largest first: (..., d).

    From the eigenvalues of the (d, d) product, which is small: what lies below its numerical rank is 0.
    """
    centred = features - features.mean(-2, keepdims=True)
    squares = np.linalg.eigvalsh(np.swapaxes(centred, -1, -2) @ centred)[..., ::-1]
    floor = max(features.shape[-2:]) * np.finfo(features.dtype).eps * squares[..., :1]
    return np.sqrt(np.where(squares > floor, squares, 0.0))


def effective_rank(s: np.ndarray) -> np.ndarray:
    """exp of the entropy of singular values (..., d), as shares of their sum; 0 if all are 0."""
    total = s.sum(-1, keepdims=True)
    p = np.divide(s, total, out=np.zeros_like(s), where=total > 0)
    entropy = -(p * np.log(np.where(p > 0, p, 1.0))).sum(-1)
    return np.where(total[..., 0] > 0, np.exp(entropy), 0.0)


def participation_ratio(s: np.ndarray) -> np.ndarray:
    """(sum of variances)^2 over the sum of their squares, for singular values (..., d); 0 if all are 0."""
    shares = s / np.maximum(s[..., :1], np.finfo(s.dtype).tiny)
    variances = np.square(shares)
    top, bottom = np.square(variances.sum(-1)), np.square(variances).sum(-1)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def dead(features: np.ndarray) -> np.ndarray:
    """The share of units of features (..., Q, d) that say the same at all inputs: (...)."""
    largest = np.abs(features).max((-2, -1))[..., None]
    return (np.ptp(features, axis=-2) <= SAME * largest).mean(-1)


def mean_cosine(features: np.ndarray) -> np.ndarray:
    """The mean cosine between the features of two different inputs, of features (..., Q, d); NaN below two rows."""
    length = np.linalg.norm(features, axis=-1, keepdims=True)
    rows = np.divide(features, length, out=np.zeros_like(features), where=length > 0)
    n = (length[..., 0] > 0).sum(-1)
    pairs = np.square(rows.sum(-2)).sum(-1) - n  # the sum over all ordered pairs of different rows
    return np.divide(pairs, n * (n - 1), out=np.full(n.shape, np.nan), where=n > 1)


PROBE = Probe(
    name="diversity",
    question="How diverse are a learner's features, layer by layer, before and after adaptation?",
    config=Config,
    needs=(HiddenLayers(),),
    ask=ask,
)
