r"""OP-LSTM's learned rule on grids: its own cells, called at chosen inputs.

h is a function of (y, y_hat), and of (a, d): from the state 0 ("fresh") and, pass by pass, from the states that the
cells really carried into that pass, as the mean over a sample of them ("carried"). All in the direction in which
signals are written (`tools.rule_readings`), so that gradient descent is y - y_hat, and d where a > 0. Of a surface
h(u, v) on the grid:

    not additive   share of its variance (about its mean) that no f(u) + g(v) has
    not odd        |part that stays when the signs turn|^2 / |h|^2; signs of (y, y_hat), or of d alone
    not monotone   share of its changes (sum of |steps| along the grid) that go against those of gradient descent
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.learners import Params
from engine.learners.op_lstm import OPLSTM
from engine.networks import cells as lstm
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task
from engine.trees import tree_map
from probes.tools import rule_readings
from probes.tools.rule_fits import Heard
from probes.tools.weights import gathered

STATES = 64  # carried states that a surface is the mean of
SHOWN = 200  # signals really met that are given beside a surface


@dataclass(frozen=True)
class RuleSurface:
    """One part of OP-LSTM's rule.

    Attributes:
        part: "output_lstm" or "body_lstm".
        first, second: the grid: y and y_hat, or a and d, (n,) each.
        fresh: h from the state 0, (seeds, n, n): first axis over second.
        carried: mean h over states carried into every pass, (seeds, T, n, n).
        spread: standard deviation of h over those states, mean over the grid, (seeds, T).
        met: signals really met, (seeds, T, m, 2).
        deviations: "additive", "odd", "monotone": (seeds, 1 + T), fresh, then carried into each pass.
    """

    part: str
    first: np.ndarray
    second: np.ndarray
    fresh: np.ndarray
    carried: np.ndarray
    spread: np.ndarray
    met: np.ndarray
    deviations: dict[str, np.ndarray]


@dataclass(frozen=True)
class Surfaces:
    """OP-LSTM's rule; `gamma` is the learned step length of each seed (empty: none)."""

    surfaces: list[RuleSurface]
    gamma: np.ndarray


def surfaces(ensemble: Ensemble, tasks: Task | Pooled, heard: Heard, n: int) -> Surfaces:
    """OP-LSTM's rule: both parts, or the one there is."""
    learner = ensemble.learner
    assert isinstance(learner, OPLSTM)
    found = []
    for part, (seen, _) in heard.items():
        first, second = _grid(part, seen, n)
        pairs = torch.stack(torch.meshgrid(first, second, indexing="ij"), -1).reshape(-1, 2)
        fresh, carried, spread = [], [], []
        for run in ensemble.runs:
            memories = _memories(learner, run.params, part, tasks)  # of every pass: states (STATES, ...)
            empty = {key: torch.zeros_like(value[:1]) for key, value in memories[0].items()}
            fresh.append(_said(learner, run.params, part, pairs, empty)[0])
            by_pass = [_said(learner, run.params, part, pairs, memory) for memory in memories]
            carried.append(torch.stack([said.mean(0) for said in by_pass]))
            spread.append(torch.stack([said.std(0).mean() for said in by_pass]))
        zero = torch.stack(fresh).reshape(-1, n, n).double().numpy()
        later = torch.stack(carried).reshape(len(fresh), -1, n, n).double().numpy()
        every = np.concatenate([zero[:, None], later], 1)
        step = max(seen.shape[2] // SHOWN, 1)
        found.append(
            RuleSurface(
                part,
                first.double().numpy(),
                second.double().numpy(),
                zero,
                later,
                torch.stack(spread).double().numpy(),
                seen[:, :, ::step][:, :, :SHOWN].double().numpy(),
                deviations(every, part),
            )
        )
    gamma = ensemble.params["step_length"]["gamma"] if learner.normalise else torch.zeros(0)
    return Surfaces(found, gamma.double().numpy())


def deviations(h: np.ndarray, part: str) -> dict[str, np.ndarray]:
    """How far surfaces h (..., n, n) are from additive, odd and monotone: shares (...), 0 for gradient descent."""
    centred = h - h.mean((-2, -1), keepdims=True)
    rest = centred - centred.mean(-1, keepdims=True) - centred.mean(-2, keepdims=True)
    turned = h[..., ::-1, ::-1] if part == rule_readings.OUTPUT else h[..., ::-1]
    rises = [(np.diff(h, axis=-2), 1), (np.diff(h, axis=-1), -1)]
    if part == rule_readings.BODY:
        rises = [(np.diff(h, axis=-1), 1)]
    wrong = sum(np.maximum(-sign * step, 0).sum((-2, -1)) for step, sign in rises)
    with np.errstate(invalid="ignore"):
        return {
            "additive": np.square(rest).sum((-2, -1)) / np.square(centred).sum((-2, -1)),
            "odd": np.square((h + turned) / 2).sum((-2, -1)) / np.square(h).sum((-2, -1)),
            "monotone": wrong / sum(np.abs(step).sum((-2, -1)) for step, _ in rises),
        }


def _grid(part: str, seen: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Where signals really lie: both labels and predictions, activations from 0, messages to both sides alike."""
    flat = seen.reshape(-1, 2)[:: max(seen[..., 0].numel() // 100_000, 1)]
    far = flat.abs().quantile(0.99 if part == rule_readings.OUTPUT else 0.95, dim=0)
    if part == rule_readings.OUTPUT:
        side = torch.linspace(-1, 1, n, dtype=seen.dtype) * far.max()
        return side, side
    return torch.linspace(0, 1, n, dtype=seen.dtype) * far[0], torch.linspace(-1, 1, n, dtype=seen.dtype) * far[1]


def _memories(learner: OPLSTM, params: Params, part: str, tasks: Task | Pooled) -> list[lstm.State]:
    """A sample of the states that the cells carry into every pass: T dictionaries of (STATES, h)."""
    places = [place for place, _ in learner.written]
    layers = places[-1:] if part == rule_readings.OUTPUT else places[:-1]
    rows: list[list[lstm.State]] = []
    with torch.no_grad():
        for index in range(min(len(tasks.support_x), STATES // 4)):
            task = tree_map(lambda leaf: leaf[0], gathered(tasks, slice(index, index + 1), params))
            trajectory = learner.adapt(params, task.support_x, task.support_y)[:-1]
            rows.append([state[f"lstm{layers[index % len(layers)]}"] for state in trajectory])
    g = np.random.default_rng(0)
    memories = []
    for step in range(len(rows[0])):
        joined = {key: torch.cat([row[step][key] for row in rows]) for key in rows[0][step]}
        chosen = torch.as_tensor(g.permutation(len(next(iter(joined.values()))))[:STATES])
        memories.append({key: value[chosen] for key, value in joined.items()})
    return memories


def _said(learner: OPLSTM, params: Params, part: str, pairs: Tensor, memory: lstm.State) -> Tensor:
    """What the cells say to pairs (rows, 2) from each state, in the direction that is written: (states, rows)."""
    states = len(next(iter(memory.values())))
    many = {key: value.repeat_interleave(len(pairs), 0) for key, value in memory.items()}
    with torch.no_grad():
        sign, turned = rule_readings.oriented(learner, params, part, pairs)
        _, h = learner.react(params, part, turned.repeat(states, 1), many)
    return (sign * h).reshape(states, len(pairs))
