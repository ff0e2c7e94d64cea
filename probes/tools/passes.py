"""One run on one task, pass by pass: what its cells, gates and pooled states hold, in pictures small enough to read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.learners import Params, State
from engine.learners.op_lstm import OPLSTM
from engine.losses import are_values
from engine.networks import cells as lstm
from engine.runs.run import Run
from engine.tasks import Task
from probes.questions import memory
from probes.tools import rule_hooks, rule_readings
from probes.tools.weights import in_type_of


@dataclass(frozen=True)
class Panel:
    """Values (rows, columns): rows are support points or hidden units, columns are passes or points read."""

    title: str
    values: np.ndarray
    low: float
    high: float


@dataclass(frozen=True)
class Passes:
    """What one run did on one task.

    Attributes:
        rows, columns: what they are, for people.
        row_names, column_names: what each of them is.
        panels: the values.
    """

    rows: str
    columns: str
    row_names: list[str]
    column_names: list[str]
    panels: list[Panel]


def passes(run: Run, task: Task) -> Passes | None:
    """The pictures of one run on one task; None for a learner without cells that read support points."""
    task = in_type_of(run.params, task)
    with torch.no_grad():
        if isinstance(run.learner, OPLSTM):
            return _of_op_lstm(run.learner, run.params, task)
        if memory.applies_to(run.learner):
            return _of_plain(run, task)
    return None


def _of_op_lstm(learner: OPLSTM, params: Params, task: Task) -> Passes:
    """The output cell at every support point, in order."""
    calls: list[tuple[Tensor, State, State, Tensor]] = []  # of the output cells: pairs, memory before and after, h

    def note(name: str, seen: tuple[Any, ...], said: Any) -> None:
        if name == rule_readings.OUTPUT:
            calls.append((seen[2], seen[3], *said))

    rule_hooks.listening(learner, note).adapt(params, task.support_x, task.support_y)
    order = _order(task)
    width = task.support_y.shape[-1] if are_values(task.support_y) else 1
    sign, _ = rule_readings.oriented(learner, params, rule_readings.OUTPUT, calls[0][0])
    errors = torch.stack([pairs[::width, 0] - pairs[::width, 1] for pairs, *_ in calls], 1)[order]
    said = torch.stack([(sign * h)[::width] for *_, h in calls], 1)[order]
    tops = [_top(params[rule_readings.OUTPUT], pairs, before, after, sign) for pairs, before, after, _ in calls]
    held = torch.stack([top[::width] for top in tops], 1)[order]  # (points, passes, 4)
    far, wide = float(errors.abs().max()), float(max(said.abs().max(), held[..., 0].abs().max()))
    panels = [
        Panel("error y − ŷ before the pass", errors.double().numpy(), -far, far),
        Panel("written signal h", said.double().numpy(), -wide, wide),
        Panel("cell state c", held[..., 0].double().numpy(), -wide, wide),
        Panel("forget gate", held[..., 1].double().numpy(), 0, 1),
        Panel("input gate", held[..., 2].double().numpy(), 0, 1),
        Panel("output gate", held[..., 3].double().numpy(), 0, 1),
    ]
    targets = task.support_y[order].reshape(len(order), -1)[:, 0].tolist()
    if task.support_x.dim() == 2:
        rows, firsts = "support points, by x", task.support_x[order, 0].tolist()
        names = [f"x = {x:.2f}, y = {y:.2f}" for x, y in zip(firsts, targets, strict=True)]
    else:
        rows, names = "support images, by class", [f"image {i}, class {y}" for i, y in enumerate(targets, start=1)]
    return Passes(rows, "pass", names, [str(t) for t in range(1, len(calls) + 1)], panels)


def _order(task: Task) -> Tensor:
    """Support points from left to right; images, which have no such order, by their class."""
    return task.support_x[:, 0].argsort() if task.support_x.dim() == 2 else task.support_y.argsort(stable=True)


def _top(cells: lstm.Net, pairs: Tensor, before: State, after: State, sign: Tensor) -> Tensor:
    """The topmost cell and its forget, input and output gates, (rows, 4)."""
    top = lstm.layers(cells)
    below = pairs if top == 1 else after[f"h{top - 1}"]
    i, f, _, o = lstm.gates(cells, top, below.mT, before[f"h{top}"].mT)
    return torch.stack([sign * after[f"c{top}"].squeeze(-1), *(gate[0].sigmoid() for gate in (f, i, o))], -1)


def _of_plain(run: Run, task: Task) -> Passes:
    """Hidden units through the reading, those that end alike beside each other."""
    one = Task(*(leaf.unsqueeze(0) for leaf in task))
    stacked = {group: {k: v.unsqueeze(0) for k, v in tensors.items()} for group, tensors in run.params.items()}
    codes = memory.while_reading(run.learner, stacked, one)[0, 0]  # (places, units of all layers)
    sizes = [v.shape[-1] for k, v in sorted(run.params["lstm"].items()) if k.startswith("weight_hh")]
    places = memory.reading_places(run.learner, len(task.support_x))
    pooled = run.learner.permutation_invariant
    panels, at = [], 0
    for layer, size in enumerate(sizes, start=1):
        units = codes[:, at : at + size].T
        at += size
        title = f"{'pooled ' if pooled else ''}hidden state, layer {layer}"
        panels.append(Panel(title, units[np.argsort(units[:, -1])], -1, 1))
    names = [str(place // len(task.support_x)) if pooled else str(place) for place in places]
    rows = [f"unit ranked {i + 1}" for i in range(max(sizes))]
    return Passes("units, by their last value", "pass" if pooled else "points read", rows, names, panels)
