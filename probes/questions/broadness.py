r"""How much can be read off a learner's frozen features, with one recipe for all learners?

Every question is a linear probe: features of unit variance, ridge regression (Hoerl & Kennedy, 1970; scikit-learn's
`RidgeCV`, its strength chosen for each target by leave-one-out on the training part), scored on the part left out of
five shuffled folds:

    R^2 = 1 - sum of squared errors on the parts left out / sum of squared deviations from the target's mean

An R^2 below 0, worse than a constant, counts as 0. What is asked, of learners of waves with an amplitude, a phase and a
frequency that can be moved (Huisman et al., arXiv 2310.06148, ask for the classes of all images together, with a head
whose learning rate and batch size are settings; here are none):

    fresh functions   sin(f x + phi) at even inputs x, phi uniform, for each frequency f: training knew f = 1 only
    broadness         the mean of that R^2 over all frequencies, for the last hidden layer as training left it
    task parameters   amplitude and phase of held-out tasks, from the features at a few inputs after adapting to each

The controls are the learner as drawn for the run's seed, and the true function's values in place of features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field
from sklearn import config_context
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from engine.evaluation import held_out_lazily, knowing_nothing, mean_errors
from engine.learners import Params
from engine.runs.ensembles import Ensemble
from probes.needs import Axes, HiddenLayers, HiddenParameters, OneInput, Truth
from probes.probe import Probe, Progress, part
from probes.tools.representations import (
    AFTER,
    BEFORE,
    PREDICTION,
    inputs,
    represent,
    tasks_of,
    truths,
    untrained,
)

STRENGTHS = np.logspace(-6, 3, 10)
FOLDS = 5
FAR = (1.5, 2.5)  # frequencies of the tasks called far; training had 1
PARAMETERS = ("amplitude", "phase")


@dataclass(frozen=True)
class Config:
    """The fresh functions, and how many tasks are adapted to.

    Attributes:
        frequencies: of the fresh functions.
        functions: for each frequency.
        points: even inputs at which the fresh functions are to be read off.
        adapted: tasks whose adapted features are asked for fresh functions.
        tasks: held-out tasks whose parameters are decoded, and on which the few-shot error is measured.
        places: even inputs whose features tell about the task.
    """

    frequencies: tuple[Annotated[float, Field(gt=0)], ...] = tuple(0.5 * i for i in range(1, 13))
    functions: Annotated[int, Field(ge=1, le=200)] = 8
    points: Annotated[int, Field(ge=20, le=1000)] = 200
    adapted: Annotated[int, Field(ge=1, le=100)] = 2
    tasks: Annotated[int, Field(ge=20, le=2000)] = 300
    places: Annotated[int, Field(ge=2, le=50)] = 8


@dataclass(frozen=True)
class Layer:
    """What can be read off one layer at one moment.

    Attributes:
        learner, layer, moment, control: as in the probe `diversity`; "prediction" is what the learner says.
        functions: R^2 of fresh functions, means over tasks and functions, (seeds, frequencies); empty for predictions.
        parameters: R^2 of amplitude and phase, (seeds, 2); only after adaptation, else empty.
    """

    learner: str
    layer: str
    moment: str
    control: bool
    functions: np.ndarray
    parameters: np.ndarray


@dataclass(frozen=True)
class Runs:
    """Broadness and few-shot error, run by run: what a relation is looked for in.

    Attributes:
        learner: registered names, one for each run.
        seed: of each run.
        broadness: mean R^2 of the fresh functions, last hidden layer before adaptation, (runs,).
        near, far: mean query errors after adaptation on tasks as in training, and on frequencies `FAR`, (runs,).
        diverged: how many of these tasks diverged and are left out of the means, near and far, (runs, 2).
    """

    learner: list[str]
    seed: list[int]
    broadness: np.ndarray
    near: np.ndarray
    far: np.ndarray
    diverged: np.ndarray


@dataclass(frozen=True)
class Broadness:
    """All learners.

    Attributes:
        frequencies: of the fresh functions.
        layers: the learners in the order asked, each with its layers from the input up.
        truth: R^2 of amplitude and phase from the true function's values, (2,).
        runs: broadness beside few-shot error.
    """

    frequencies: np.ndarray
    layers: list[Layer]
    truth: np.ndarray
    runs: Runs


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Broadness:
    """Asks the trained learners and their controls."""
    layers: list[Layer] = []
    rows: list[tuple[str, int, float, list[float], list[int]]] = []
    for index, ensemble in enumerate(ensembles):
        low, high = index / len(ensembles), (index + 1) / len(ensembles)
        middle = (low + high) / 2
        trained = _layers(ensemble, ensemble.params, config, False, part(progress, low, middle))
        layers += trained
        layers += _layers(ensemble, untrained(ensemble), config, True, part(progress, middle, high))
        last = [layer for layer in trained if layer.moment == BEFORE][-1]
        for run, broadness in zip(ensemble.runs, last.functions.mean(1), strict=True):
            rows.append(
                (ensemble.learner.name, run.seed, float(broadness), *_errors(ensemble, run.params, config.tasks))
            )
    progress(1.0)
    names, seeds, broad, errors, lost = zip(*rows, strict=True)
    near, far = np.array(errors, float).T
    runs = Runs(list(names), list(seeds), np.array(broad), near, far, np.array(lost, float))
    return Broadness(np.array(config.frequencies), layers, _truth(ensembles[0], config), runs)


def fresh_functions(config: Config, x: np.ndarray) -> np.ndarray:
    """The values of all fresh functions at x (Q,), those of one frequency beside each other: (Q, functions in all)."""
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (len(config.frequencies), config.functions))
    waves = np.sin(x[:, None, None] * np.array(config.frequencies)[:, None] + phases)
    return waves.reshape(len(x), -1)


def decoded(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """R^2 of each target, (n, targets), read off features (n, d) by the recipe that all learners share: (targets,)."""
    errors = np.zeros(targets.shape[1])
    with config_context(assume_finite=True, skip_parameter_validation=True):  # thousands of tiny fits
        for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(features):
            scaler = StandardScaler().fit(features[train])
            ridge = RidgeCV(alphas=STRENGTHS, alpha_per_target=True)
            ridge.fit(scaler.transform(features[train]), targets[train])
            said = ridge.predict(scaler.transform(features[test])).reshape(len(test), -1)
            errors += np.square(said - targets[test]).sum(0)
    return np.maximum(1 - errors / np.square(targets - targets.mean(0)).sum(0), 0.0)


def _layers(ensemble: Ensemble, params: Params, config: Config, control: bool, progress: Progress) -> list[Layer]:
    """Every layer before and after adaptation, of the trained learner or of its control."""
    learner, distribution = ensemble.learner, ensemble.distribution
    x = inputs(distribution, config.points)
    targets = fresh_functions(config, x.double().numpy()[:, 0])
    few, _ = tasks_of(distribution, config.adapted)
    found = represent(learner, params, few, x, (0, -1))
    tasks, hidden = tasks_of(distribution, config.tasks)
    parameters = np.stack([hidden[name] for name in PARAMETERS], 1)
    codes = represent(learner, params, tasks, inputs(distribution, config.places), (-1,), predictions=True)
    empty = np.zeros((len(ensemble.runs), 0))
    layers = []
    for done, (layer, code) in enumerate(codes.items(), start=1):
        flat = code[:, :, 0].reshape(len(code), config.tasks, -1)  # (seeds, tasks, places * d)
        told = np.stack([decoded(seed, parameters) for seed in flat])
        if layer == PREDICTION:
            layers.append(Layer(learner.name, layer, AFTER, control, empty, told))
            continue
        features = found[layer]  # (seeds, adapted, 2, points, d)
        start = features[:, :1, 0]  # before adaptation all tasks are alike
        layers.append(Layer(learner.name, layer, BEFORE, control, _functions(start, targets, config), empty))
        end = features[:, :, 1]
        layers.append(Layer(learner.name, layer, AFTER, control, _functions(end, targets, config), told))
        progress(done / len(codes))
    return layers


def _functions(features: np.ndarray, targets: np.ndarray, config: Config) -> np.ndarray:
    """R^2 of fresh functions from features (seeds, tasks, points, d): (seeds, frequencies)."""
    per_task = np.array([[decoded(task, targets) for task in seed] for seed in features])
    return per_task.mean(1).reshape(len(features), len(config.frequencies), -1).mean(-1)


def _errors(ensemble: Ensemble, params: Params, tasks: int) -> tuple[list[float], list[int]]:
    """Mean query errors of one run, on tasks as in training and on far ones, and how many of each diverged."""
    near, far = ensemble.distribution, replace(ensemble.distribution, frequency=FAR)  # type: ignore[call-arg]
    drawn = [held_out_lazily(d, tasks) for d in (near, far)]
    nothing = knowing_nothing(near, drawn[0])  # far waves are as high
    found = [mean_errors([ensemble.learner], params, each, nothing) for each in drawn]
    return [error for (error,), _ in found], [away for _, away in found]


def _truth(ensemble: Ensemble, config: Config) -> np.ndarray:
    """What the recipe makes of the true function's values at the same places."""
    _, hidden = tasks_of(ensemble.distribution, config.tasks)
    values = truths(ensemble.distribution, config.tasks, inputs(ensemble.distribution, config.places))
    assert values is not None  # `PROBE` needs it
    return decoded(values, np.stack([hidden[name] for name in PARAMETERS], 1))


PROBE = Probe(
    name="broadness",
    question="How broad are a learner's features: what can be read off them linearly?",
    config=Config,
    needs=(OneInput(), HiddenParameters(*PARAMETERS), Axes("frequency"), Truth(), HiddenLayers()),
    ask=ask,
)
