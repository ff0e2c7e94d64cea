r"""Learned rules on grids: the learner's own functions, called at chosen inputs.

OP-LSTM: h as a function of (y, y_hat), and of (a, d), from the state 0 ("fresh") and, pass by pass, from the states
that the cells really carried into that pass, as the mean over a sample of them ("carried"). All in the direction in
which signals are written (`tools.readings`), so that gradient descent is y - y_hat, and d where a > 0. Of a surface
h(u, v) on the grid:

    not additive   share of its variance (about its mean) that no f(u) + g(v) has
    not odd        |part that stays when the signs turn|^2 / |h|^2; signs of (y, y_hat), or of d alone
    not monotone   share of its changes (sum of |steps| along the grid) that go against those of gradient descent

TURTLE: m(g, H), its slope at 0, how that slope has fallen at the largest gradients (saturation), what does not turn
round with the sign (asymmetry), and the learning rates lambda by layer. Meta-learner LSTM: the gates that real
coordinates had, by the size of their gradient and by layer, through the steps.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.learners import Params
from engine.learners.meta_lstm import MetaLSTM, P
from engine.learners.op_lstm import OPLSTM
from engine.learners.turtle import Turtle
from engine.networks import cells as lstm
from engine.networks import perceptron
from engine.runs.ensembles import Ensemble
from engine.tasks import Task
from engine.trees import count, tree_map
from probes.tools import readings

STATES = 64  # carried states that a surface is the mean of
SHOWN = 200  # signals really met that are given beside a surface
BINS = 24
Heard = dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Surface:
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

    surfaces: list[Surface]
    gamma: np.ndarray


@dataclass(frozen=True)
class Moves:
    """TURTLE's rule.

    Attributes:
        gradients: the grid, (n,), even in the arsinh of g / s.
        scale: s of each seed, (seeds,).
        first: m(g, g), the move of the first step, (seeds, n).
        surface: m(g, H), (seeds, n, n): g over H; the first again without history.
        slope, saturation, asymmetry, drift: of the first step's move: dm/dg at 0; 1 - (slope from 0 to the 99th
            percentile of |g|) / (slope at 0); |even part|^2 / |m|^2 on the grid, drift included; m(0, 0): (seeds,).
        rates: learning rates by name of the tensor: (seeds, 5), their 5th, 25th, 50th, 75th and 95th percentiles.
        met: |g| really met, quantiles 0.01, 0.25, 0.5, 0.75, 0.99, (seeds, 5).
    """

    gradients: np.ndarray
    scale: np.ndarray
    first: np.ndarray
    surface: np.ndarray
    slope: np.ndarray
    saturation: np.ndarray
    asymmetry: np.ndarray
    drift: np.ndarray
    rates: dict[str, np.ndarray]
    met: np.ndarray


@dataclass(frozen=True)
class Gates:
    """The gates of a meta-learner LSTM.

    Attributes:
        sizes: middles of the bins of |g|, (bins,).
        gates: by "i" and "f": the 10th, 50th and 90th percentile in each bin, (seeds, T, bins, 3); NaN: none there.
        layers: by name of the tensor: medians of i and f, (seeds, T, 2).
        counts: coordinates in each bin, over seeds and tasks, (T, bins).
    """

    sizes: np.ndarray
    gates: dict[str, np.ndarray]
    layers: dict[str, np.ndarray]
    counts: np.ndarray


def picture(ensemble: Ensemble, tasks: Task, heard: Heard, n: int) -> Surfaces | Moves | Gates:
    """The rule of an ensemble on grids of n values."""
    if isinstance(ensemble.learner, OPLSTM):
        return surfaces(ensemble, tasks, heard, n)
    return moves(ensemble, heard, n) if isinstance(ensemble.learner, Turtle) else gates(ensemble, heard)


def surfaces(ensemble: Ensemble, tasks: Task, heard: Heard, n: int) -> Surfaces:
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
            Surface(
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
    turned = h[..., ::-1, ::-1] if part == readings.OUTPUT else h[..., ::-1]
    rises = [(np.diff(h, axis=-2), 1), (np.diff(h, axis=-1), -1)]
    if part == readings.BODY:
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
    far = flat.abs().quantile(0.99 if part == readings.OUTPUT else 0.95, dim=0)
    if part == readings.OUTPUT:
        side = torch.linspace(-1, 1, n, dtype=seen.dtype) * far.max()
        return side, side
    return torch.linspace(0, 1, n, dtype=seen.dtype) * far[0], torch.linspace(-1, 1, n, dtype=seen.dtype) * far[1]


def _memories(learner: OPLSTM, params: Params, part: str, tasks: Task) -> list[lstm.State]:
    """A sample of the states that the cells carry into every pass: T dictionaries of (STATES, h)."""
    depth = perceptron.depth(params["net"])
    layers = [depth] if part == readings.OUTPUT else list(range(1, depth))
    rows: list[list[lstm.State]] = []
    with torch.no_grad():
        for index in range(min(len(tasks.support_x), STATES // 4)):
            task = tree_map(lambda leaf: leaf[index], tasks)  # noqa: B023
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
        sign, turned = readings.oriented(learner, params, part, pairs)
        _, h = learner.react(params, part, turned.repeat(states, 1), many)
    return (sign * h).reshape(states, len(pairs))


def moves(ensemble: Ensemble, heard: Heard, n: int) -> Moves:
    """TURTLE's rule."""
    learner, params = ensemble.learner, ensemble.params
    assert isinstance(learner, Turtle)
    seen = heard[readings.MOVE][0]
    g = seen[..., 0].flatten(1)  # (seeds, everything met)
    scale = g.square().mean(-1).sqrt()
    far = g.abs().quantile(0.999, dim=-1).max() if g.shape[-1] < 1e6 else _quantile(g.abs().flatten(), 0.999)
    s = float(scale.mean())
    side = torch.sinh(torch.linspace(-1, 1, n, dtype=g.dtype) * torch.arcsinh(10 * far / s)) * s / 10

    def m(first: Tensor, second: Tensor) -> Tensor:
        inputs = torch.stack([first, second], -1) if learner.use_history else first.unsqueeze(-1)
        with torch.no_grad():
            return learner.move(params, inputs).expand(len(ensemble.runs), len(first)).double()

    first = m(side, side)
    both = torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    tiny = torch.tensor([-1e-3, 0.0, 1e-3], dtype=g.dtype) * s
    near = m(tiny, tiny)
    slope = (near[:, 2] - near[:, 0]) / (2e-3 * s)
    ends = torch.stack([_quantile(row.abs(), 0.99) for row in g]).double()
    edge = torch.stack(
        [
            m(e * torch.tensor([-1.0, 1.0], dtype=g.dtype), e * torch.tensor([-1.0, 1.0], dtype=g.dtype))[i]
            for i, e in enumerate(ends.to(g.dtype))
        ]
    )
    chord = (edge[:, 1] - edge[:, 0]) / (2 * ends)
    even = (first + first.flip(-1)) / 2
    met = torch.stack([torch.stack([_quantile(row.abs(), q) for q in (0.01, 0.25, 0.5, 0.75, 0.99)]) for row in g])
    rates = params.get("learning_rates", {})
    marks = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=g.dtype)
    return Moves(
        side.double().numpy(),
        scale.double().numpy(),
        first.numpy(),
        m(both[:, 0], both[:, 1]).reshape(-1, n, n).numpy(),
        slope.numpy(),
        (1 - chord / slope).numpy(),
        (even.square().sum(-1) / first.square().sum(-1)).numpy(),
        near[:, 1].numpy(),
        {k: v.flatten(1).quantile(marks, dim=-1).T.double().numpy() for k, v in ordered(rates).items()},
        met.double().numpy(),
    )


def ordered(net: perceptron.Net) -> perceptron.Net:
    """The tensors of a network from the input up."""
    return {k: net[k] for layer in range(1, perceptron.depth(net) + 1) for k in (f"weight{layer}", f"bias{layer}")}


def _quantile(values: Tensor, q: float) -> Tensor:
    """A quantile of many values, from at most a million of them."""
    return values[:: max(len(values) // 1_000_000 + 1, 1)].quantile(q)


def gates(ensemble: Ensemble, heard: Heard) -> Gates:
    """The gates of a meta-learner LSTM."""
    assert isinstance(ensemble.learner, MetaLSTM)
    seen, inputs = heard[readings.INPUT_GATE]
    size = (P * seen[..., 0] / np.log(10)).numpy()  # log10 |g|, as far down as the preprocessing tells
    said = {"i": inputs.double().numpy(), "f": heard[readings.FORGET_GATE][1].double().numpy()}
    edges = np.linspace(max(size.min(), -P / np.log(10) + 1e-3), np.quantile(size, 0.9999), BINS + 1)
    seeds, steps = size.shape[:2]
    found = {name: np.full((seeds, steps, BINS, 3), np.nan) for name in said}
    counts = np.zeros((steps, BINS), int)
    for step in range(steps):
        for seed in range(seeds):
            place = np.digitize(size[seed, step], edges) - 1
            for b in range(BINS):
                inside = place == b
                counts[step, b] += int(inside.sum())
                if inside.sum() >= 10:
                    for name, values in said.items():
                        found[name][seed, step, b] = np.quantile(values[seed, step][inside], [0.1, 0.5, 0.9])
    return Gates((edges[1:] + edges[:-1]) / 2, found, _by_layer(ensemble, said), counts)


def _by_layer(ensemble: Ensemble, said: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Medians of i and f by name of the tensor: (seeds, T, 2)."""
    net: dict[str, Tensor] = ordered(ensemble.runs[0].params["net"])
    total = count(net)
    found, at = {}, 0
    for name, tensor in net.items():
        columns = slice(at, at + tensor.numel())
        at += tensor.numel()
        found[name] = np.stack(
            [np.median(said[gate].reshape(*said[gate].shape[:2], -1, total)[..., columns], (-2, -1)) for gate in "if"],
            -1,
        )
    return found
