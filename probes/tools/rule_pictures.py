"""Learned rules on grids: the learner's own functions, called at chosen inputs.

OP-LSTM: `tools.rule_surfaces`. TURTLE: m(g, H), its slope at 0, how that slope has fallen at the largest gradients
(saturation), what does not turn round with the sign (asymmetry), and the learning rates lambda by layer. Meta-learner
LSTM: the gates that real coordinates had, by the size of their gradient and by layer, through the steps.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.learners.meta_lstm import MetaLSTM, P
from engine.learners.op_lstm import OPLSTM
from engine.learners.turtle import Turtle
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task
from engine.trees import count
from probes.tools import rule_readings
from probes.tools.rule_fits import Heard
from probes.tools.rule_surfaces import Surfaces, surfaces

BINS = 24


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


def picture(ensemble: Ensemble, tasks: Task | Pooled, heard: Heard, n: int) -> Surfaces | Moves | Gates:
    """The rule of an ensemble on grids of n values."""
    if isinstance(ensemble.learner, OPLSTM):
        return surfaces(ensemble, tasks, heard, n)
    return moves(ensemble, heard, n) if isinstance(ensemble.learner, Turtle) else gates(ensemble, heard)


def moves(ensemble: Ensemble, heard: Heard, n: int) -> Moves:
    """TURTLE's rule."""
    learner, params = ensemble.learner, ensemble.params
    assert isinstance(learner, Turtle)
    seen = heard[rule_readings.MOVE][0]
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
    named = [key for key in learner.network.ranks if key in rates]
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
        {k: rates[k].flatten(1).quantile(marks, dim=-1).T.double().numpy() for k in named},
        met.double().numpy(),
    )


def _quantile(values: Tensor, q: float) -> Tensor:
    """A quantile of many values, from at most a million of them."""
    return values[:: max(len(values) // 1_000_000 + 1, 1)].quantile(q)


def gates(ensemble: Ensemble, heard: Heard) -> Gates:
    """The gates of a meta-learner LSTM."""
    seen, inputs = heard[rule_readings.INPUT_GATE]
    size = (P * seen[..., 0] / np.log(10)).numpy()  # log10 |g|, as far down as the preprocessing tells
    said = {"i": inputs.double().numpy(), "f": heard[rule_readings.FORGET_GATE][1].double().numpy()}
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
    learner, net = ensemble.learner, ensemble.runs[0].params["net"]
    assert isinstance(learner, MetaLSTM)
    total = count(net)
    found, at = {}, 0
    for name in learner.network.ranks:  # the order of the coordinates
        columns = slice(at, at + net[name].numel())
        at += net[name].numel()
        found[name] = np.stack(
            [np.median(said[gate].reshape(*said[gate].shape[:2], -1, total)[..., columns], (-2, -1)) for gate in "if"],
            -1,
        )
    return found
