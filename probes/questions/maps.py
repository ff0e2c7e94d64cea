r"""A map on which learners are close that see tasks alike, or say alike.

Every point is one learner and seed, adapted for some inner steps to one held-out task. Its place comes from

    features      the last hidden layer at a few inputs, as the normalised kernel of `questions.similarity`: the
                  squared distance of two points is 2 - 2 CKA; order, number and rotation of units do not matter
    predictions   what the learner says at those inputs, as numbers; not where there are classes, since what class 2 of
                  one task is has nothing to do with class 2 of the next

The inputs are even over the range of waves, and drawn where tasks tell classes apart.

reduced to two dimensions by the first two principal components, or by UMAP (McInnes, Healy & Melville, arXiv
1802.03426), either fitted on the union of all learners. A map has at most `CAP` points: those of as many tasks, drawn
by the seed, as fit. Distances between far clusters of a UMAP, and their sizes, mean nothing; neighbours do.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from sklearn.decomposition import PCA

from engine.errors import BadInput
from engine.runs.ensembles import Ensemble
from engine.tasks import Classes
from probes.needs import HiddenLayers, HiddenParameters, OneInput, Truth
from probes.probe import Need, Probe, Progress, part
from probes.questions.similarity import u_centred, unit
from probes.tools.representations import PREDICTION, inputs, represent, tasks_lazily, truths
from probes.tools.scoring import query_scores

CAP = 2000
LOCK = threading.Lock()  # numba's threads and UMAP's memory: one fit at a time in a process


@dataclass(frozen=True)
class Config:
    """What is mapped, and how.

    Attributes:
        space: "features" or "predictions".
        method: "pca" or "umap".
        tasks: held-out tasks in all; fewer are shown if they would be more than `CAP` points.
        places: even inputs.
        neighbours: of a point, for UMAP.
        seed: of the choice of tasks and of UMAP.
    """

    space: Literal["features", "predictions"] = "features"
    method: Literal["pca", "umap"] = "pca"
    tasks: Annotated[int, Field(ge=5, le=500)] = 60
    places: Annotated[int, Field(ge=5, le=60)] = 30
    neighbours: Annotated[int, Field(ge=2, le=100)] = 15
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class Map:
    """Points of the plane.

    Attributes:
        learners: registered names.
        learner: which of them each point is, (n,).
        seed, task, step: of each point, (n,).
        share: of the learner's inner steps that are done, 0 to 1, (n,).
        error: mean squared error against the true function at the places, (n,); the share of queries that are wrong,
            where there are classes.
        xy: the map, (n, 2).
        total: how many points there would be without the cap.
        explained: shares of variance of the two components, (2,); empty for UMAP.
        places: the even inputs, (places,); none where there are classes.
        said: what the learner says there, (n, places).
        amplitude, phase: of the tasks, by their number, (tasks,); none where there are classes.
    """

    learners: list[str]
    learner: np.ndarray
    seed: np.ndarray
    task: np.ndarray
    step: np.ndarray
    share: np.ndarray
    error: np.ndarray
    xy: np.ndarray
    total: int
    explained: np.ndarray
    places: np.ndarray
    said: np.ndarray
    amplitude: np.ndarray
    phase: np.ndarray


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Map:
    """Adapts all learners to the tasks and maps what they see or say.

    Raises:
        BadInput: all points would be one, those of a single task are more than a map shows, or predictions of classes
            were asked for.
    """
    first = ensembles[0].distribution
    classes = isinstance(first.spec.targets, Classes)
    if classes and config.space == "predictions":
        raise BadInput("Predictions of classes have no map: a class means something within one task only.")
    x = inputs(first, config.places)
    tasks, parameters = tasks_lazily(first, config.tasks)
    places = np.zeros(0) if classes else x.double().numpy()[:, 0]
    truth = None if classes else truths(first, config.tasks, x)  # (tasks, places)
    columns: list[np.ndarray] = []  # of each learner: learner, seed, task, step, share, error; (6, points)
    codes, said = [], []
    share = part(progress, 0.0, 0.4)
    for index, ensemble in enumerate(ensembles):
        steps = stops(ensemble.learner.evaluation_steps)
        layers = represent(ensemble.learner, ensemble.params, tasks, x, steps, predictions=not classes)
        if truth is None:
            right = query_scores(ensemble, tasks, steps)[1]
            assert right is not None  # `PROBE` needs true functions or classes
            error, spoken = 1 - right, np.zeros((*right.shape, 0))
        else:
            spoken = layers.pop(PREDICTION)[..., 0]  # (seeds, tasks, steps, places)
            error = np.square(spoken - truth[:, None]).mean(-1)
        seen = list(layers.values())[-1]
        codes.append((spoken if config.space == "predictions" else fingerprint(seen)).reshape(error.size, -1))
        said.append(spoken.reshape(error.size, -1))
        seeds = np.array([run.seed for run in ensemble.runs])
        which = np.meshgrid(seeds, np.arange(config.tasks), np.array(steps), indexing="ij")
        last = max(steps[-1], 1)
        columns.append(
            np.stack([np.full(error.size, index), *(w.ravel() for w in which), which[2].ravel() / last, error.ravel()])
        )
        share((index + 1) / len(ensembles))
    table, code, spoken = np.concatenate(columns, 1), np.concatenate(codes), np.concatenate(said)
    kept = np.isin(table[2], chosen(config, table.shape[1]))
    code, table, spoken = np.nan_to_num(code[kept]), table[:, kept], spoken[kept]
    if not np.ptp(code, axis=0).any():
        what = "say" if config.space == "predictions" else "see"
        raise BadInput(f"What these learners {what} is the same on every task and at every step: it has no map.")
    xy, explained = reduced(code, config)
    progress(1.0)
    learner, seed, task, step = table[:4].astype(int)
    return Map(
        learners=[e.learner.name for e in ensembles],
        learner=learner,
        seed=seed,
        task=task,
        step=step,
        share=table[4],
        error=table[5],
        xy=xy,
        total=kept.size,
        explained=explained,
        places=places,
        said=spoken,
        amplitude=parameters.get("amplitude", np.zeros(0)),
        phase=parameters.get("phase", np.zeros(0)),
    )


def stops(last: int) -> tuple[int, ...]:
    """The inner steps shown: none, one, half of them, all."""
    return tuple(sorted({0, min(1, last), last // 2, last}))


def fingerprint(features: np.ndarray) -> np.ndarray:
    """The normalised kernel of features (..., Q, d), each pair of inputs once: (..., Q (Q - 1) / 2), of length 1."""
    kernel = unit(u_centred(features))
    above = np.triu_indices(kernel.shape[-1], 1)
    return np.sqrt(2) * kernel[..., above[0], above[1]]


def chosen(config: Config, points: int) -> np.ndarray:
    """The numbers of the tasks that are shown so that at most `CAP` of the points are.

    Raises:
        BadInput: the points of a single task are more than that.
    """
    of_each = points // config.tasks
    fitting = min(config.tasks, CAP // of_each)
    if not fitting:
        raise BadInput(f"A map shows {CAP} points; these learners have {of_each} on every task. Choose fewer.")
    return np.sort(np.random.default_rng(config.seed).permutation(config.tasks)[:fitting])


def reduced(code: np.ndarray, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, dimensions) in the plane, (n, 2), and the shares of variance, (2,) or empty."""
    if config.method == "pca":
        pca = PCA(2, svd_solver="covariance_eigh").fit(code)
        return pca.transform(code), pca.explained_variance_ratio_
    with LOCK:
        from umap import UMAP  # slow to import, and needed only here

        neighbours = min(config.neighbours, len(code) - 1)
        mapper = UMAP(n_neighbors=neighbours, random_state=config.seed, n_jobs=1, init="pca")
        return np.asarray(mapper.fit_transform(code), dtype=np.float64), np.zeros(0)


@dataclass(frozen=True)
class WavesOrClasses:
    """Tasks that a map can be made of."""

    says = "Its tasks are waves whose true functions are known, or tell classes apart."

    def __call__(self, ensemble: Ensemble) -> str | None:
        if isinstance(ensemble.distribution.spec.targets, Classes):
            return None
        needs: tuple[Need, ...] = (OneInput(), HiddenParameters("amplitude", "phase"), Truth())
        return next(filter(None, (need(ensemble) for need in needs)), None)


PROBE = Probe(
    name="maps",
    question="Which learners, tasks and steps lie close to each other in what they see or say?",
    config=Config,
    needs=(WavesOrClasses(), HiddenLayers()),
    ask=ask,
)
