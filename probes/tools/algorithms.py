"""Known algorithms on functions of one number, and learners, asked alike: what do they say from a support set?"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from sklearn import config_context
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor

from engine.learners import Learner, Params, State
from engine.learners.maml import MAML
from engine.runs.ensembles import Ensemble
from engine.tasks import Task, TaskDistribution, stream
from engine.trees import leaves, repeat
from probes.tools.batches import each_task
from probes.tools.weights import in_type_of, network_below

SINES, KERNEL, LINES, NEAREST = "sine basis", "kernel ridge", "linear ridge", "nearest point"
CHUNK = 100  # supports at once
TUNED_ON = 20  # tasks
ROUNDING = 1e-5  # of true functions, which float32 inputs have
RATE = 0.01  # of gradient descent
SETTINGS: dict[str, list[tuple[float, ...]]] = {
    SINES: [(strength,) for strength in (1e-6, 1e-3, 1e-2, 0.1, 1.0)],
    KERNEL: [(width, strength) for width in (0.7, 1.0, 1.5, 2.0, 3.0) for strength in (1e-4, 1e-3, 1e-2, 0.1, 1.0)],
    LINES: [(strength,) for strength in (0.1, 1.0, 10.0, 100.0)],
    NEAREST: [()],
}


@dataclass(frozen=True)
class Algorithm:
    """A known algorithm: what it says, (shots, tasks, points), and its mean squared error, (shots,)."""

    name: str
    said: np.ndarray
    error: np.ndarray


def drawn(
    distribution: TaskDistribution, shots: int, tasks: int, points: int, index: int = 0
) -> tuple[Task, Tensor, np.ndarray]:
    """Held-out tasks (index 0; others for tuning), the even inputs (points, 1), and the true functions there."""
    wide, source = replace(distribution, shots=shots, queries=1), "page" if index else "test"
    found = wide.draw(stream(source, index), tasks)
    assert distribution.span is not None
    assert found.truth is not None
    grid = torch.linspace(*distribution.span, points).unsqueeze(-1)
    return found.task, grid, found.truth(grid.expand(tasks, -1, -1))[..., 0].double().numpy()


def predictions(
    ensemble: Ensemble, support_x: Tensor, support_y: Tensor, x: Tensor, steps: int | None = None
) -> np.ndarray:
    """What every seed says at inputs x (points, 1) after adapting to N supports: (seeds, N, points).

    Takes as many inner steps as in evaluation unless `steps` are given.
    """
    return predictions_of(ensemble.learner, ensemble.params, support_x, support_y, x, steps)


def predictions_of(
    learner: Learner, params: Params, support_x: Tensor, support_y: Tensor, x: Tensor, steps: int | None = None
) -> np.ndarray:
    """The same of a learner with a stack of parameters."""
    like = in_type_of(params, Task(support_x, support_y, x, x))
    x, count = like.query_x, learner.evaluation_steps if steps is None else steps
    if not stacks(learner):

        def one(params: Params, task: Task) -> Tensor:
            return learner.predict(params, after(learner, params, task.support_x, task.support_y, count), x)[..., 0]

        supports = like._replace(query_x=like.support_x, query_y=like.support_y)
        return np.asarray(each_task(one, learner, params, supports, queries=len(x)).double().numpy())
    seeds = len(next(leaves(params)))
    chunks = []
    with torch.inference_mode():
        for some in zip(like.support_x.split(CHUNK), like.support_y.split(CHUNK), strict=True):
            every = repeat(params, len(some[0]))
            xs, ys = (each.repeat_interleave(seeds, 0) for each in some)
            state = after(learner, every, xs, ys, count)
            chunks.append(learner.predict(every, state, x)[..., 0].unflatten(0, (-1, seeds)))
    return torch.cat(chunks).transpose(0, 1).double().numpy()


def stacks(learner: Learner) -> bool:
    """Whether a stack of meta-parameters goes through its functions as one set does (`Network.broadcasts`)."""
    network = network_below(learner)
    return network is None or network.broadcasts


def after(learner: Learner, params: Params, x: Tensor, y: Tensor, steps: int) -> State:
    """The state after so many inner steps; those before it are not kept."""
    state = learner.start(params, x, y)
    for _ in range(steps):
        state = learner.step(params, state, x, y)
    return state


@lru_cache(maxsize=8)
def algorithms(
    distribution: TaskDistribution, tasks: int, points: int, shots: tuple[int, ...], steps: tuple[int, ...]
) -> tuple[Algorithm, ...]:
    """What every algorithm says on held-out tasks, computed once for a distribution.

    Args:
        distribution: functions of one number that are known everywhere.
        tasks: how many.
        points: even inputs.
        shots: numbers of support points.
        steps: of gradient descent from a random network.
    """
    largest = max(shots)
    held_out, grid, truth = drawn(distribution, largest, tasks, points)
    others, _, known = drawn(distribution, largest, TUNED_ON, points, index=31)
    at = grid.double().numpy()
    found = []
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for name, settings in SETTINGS.items():
            if name == SINES and not of_waves(at, np.concatenate([truth, known])):
                continue
            rows = []
            for k in shots:
                best = min(settings, key=lambda s: np.square(fitted(name, s, others, k, at) - known).mean())
                rows.append(fitted(name, best, held_out, k, at))
            found.append((name, np.stack(rows)))
    learner = MAML(inner_lr=RATE)
    start = {"net": {k: v.unsqueeze(0) for k, v in learner.init(stream("init"), distribution.spec)["net"].items()}}
    x, y = held_out.support_x, held_out.support_y
    for count in steps:
        said = [predictions_of(learner, start, x[:, :k], y[:, :k], grid, count)[0] for k in shots]
        found.append((f"{count} steps", np.stack(said)))
    return tuple(Algorithm(name, said, np.square(said - truth).mean((1, 2))) for name, said in found)


def of_waves(x: np.ndarray, truth: np.ndarray) -> bool:
    """Whether functions (tasks, points) at inputs (points, 1) are all of the form a sin x + b cos x."""
    basis = np.concatenate([np.sin(x), np.cos(x)], axis=1)
    rest = truth.T - basis @ np.linalg.lstsq(basis, truth.T, rcond=None)[0]
    return bool(np.abs(rest).max() <= ROUNDING * np.abs(truth).max())


def fitted(name: str, setting: tuple[float, ...], tasks: Task, k: int, x: np.ndarray) -> np.ndarray:
    """An algorithm fitted to the first k support points of each task: (tasks, points) at x (points, 1)."""
    make, features = _estimator(name, setting)
    said = []
    for support_x, support_y in zip(tasks.support_x.double().numpy(), tasks.support_y.double().numpy(), strict=True):
        said.append(make().fit(features(support_x[:k]), support_y[:k, 0]).predict(features(x)))
    return np.stack(said)


def _estimator(name: str, setting: tuple[float, ...]) -> tuple[Callable[[], Any], Callable[[np.ndarray], np.ndarray]]:
    if name == SINES:
        return lambda: Ridge(setting[0], fit_intercept=False), lambda x: np.concatenate([np.sin(x), np.cos(x)], 1)
    if name == KERNEL:
        return lambda: KernelRidge(alpha=setting[1], kernel="rbf", gamma=0.5 / setting[0] ** 2), lambda x: x
    if name == LINES:
        return lambda: Ridge(setting[0]), lambda x: x
    return lambda: KNeighborsRegressor(1), lambda x: x
