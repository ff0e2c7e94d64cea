"""Readings of the learned rules of runs: fitted to what the rules were overheard to say, and put in their place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.learners import Learner, Params
from engine.learners.coordinates import flatten
from engine.learners.turtle import Turtle
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import Pooled, Task
from probes.tools import rule_hooks, rule_readings
from probes.tools.batches import each_task
from probes.tools.rule_readings import GRADIENT, READINGS

SILENT = "silent"
ROWS = 20_000  # a fit sees at most about so many of the answers of a rule
Heard = dict[str, tuple[Tensor, Tensor]]  # by part: inputs (seeds, steps, rows, inputs), answers (seeds, steps, rows)


@dataclass(frozen=True)
class Read:
    """One part of a rule in one reading.

    Attributes:
        part: "output_lstm", "body_lstm", "optimiser", "i" or "f".
        reading: one of "gradient descent", "linear", "dictionary".
        terms: their names.
        coefficients: (seeds, steps, terms); one step where the rule has no memory.
        share: of the variance of what the rule said, about 0, (seeds, steps).
    """

    part: str
    reading: str
    terms: list[str]
    coefficients: np.ndarray
    share: np.ndarray


def overheard(ensemble: Ensemble, tasks: Task | Pooled) -> Heard:
    """What the parts of a rule were shown and said while adapting, the rows of all tasks together."""
    learner, kind = ensemble.learner, rule_hooks.kind_of(ensemble.learner)
    assert kind is not None
    trace: list[rule_hooks.Row] = []
    listener = rule_hooks.listening(
        learner,  # type: ignore[arg-type]
        lambda _, seen, said: trace.extend(kind.heard(learner, seen, said)),
    )

    def one(params: Params, task: Task) -> Heard:
        trace.clear()
        trajectory = listener.adapt(params, task.support_x, task.support_y)
        steps, found = len(trajectory) - 1, {}
        for name in kind.read:
            mine = [(u, said) for key, u, said in trace if key == name]
            by_step = [mine[i * len(mine) // steps : (i + 1) * len(mine) // steps] for i in range(steps)]
            if mine:
                seen = torch.stack([torch.cat([u for u, _ in step], -2) for step in by_step])
                found[name] = seen, torch.stack([torch.cat([said for _, said in step], -1) for step in by_step])
        return found

    # (seeds, tasks, steps, rows, ...)
    found = each_task(one, learner, ensemble.params, tasks, most=len(tasks.query_x))
    return {k: (u.transpose(1, 2).flatten(2, 3), said.transpose(1, 2).flatten(2, 3)) for k, (u, said) in found.items()}


def read(ensemble: Ensemble, heard: Heard) -> list[Read]:
    """Fits every reading to every part, seed by seed, and step by step where the rule has a memory."""
    found = []
    for name, (seen, said) in heard.items():
        for reading in READINGS:
            names: list[str] = []
            rows = []
            for seed in range(len(ensemble.runs)):
                pairs = [(seen[seed, step], said[seed, step]) for step in range(seen.shape[1])]
                if isinstance(ensemble.learner, Turtle):  # one network for all steps
                    pairs = [(torch.cat([u for u, _ in pairs]), torch.cat([s for _, s in pairs]))]
                fits = [_fit(ensemble, seed, name, reading, u, s) for u, s in pairs]
                names = fits[0][0]
                rows.append([(coefficients, share) for _, coefficients, share in fits])
            coefficients = np.array([[c for c, _ in row] for row in rows])
            found.append(Read(name, reading, names, coefficients, np.array([[s for _, s in row] for row in rows])))
    return found


def _fit(
    ensemble: Ensemble, seed: int, name: str, reading: str, u: Tensor, said: Tensor
) -> tuple[list[str], np.ndarray, float]:
    """One reading of one part, with each row weighted by what it moves."""
    weight: Tensor | None = None
    rates = ensemble.runs[seed].params.get("learning_rates") if name == rule_readings.MOVE else None
    if rates is not None:
        each = flatten(ensemble.learner.network, rates)  # type: ignore[attr-defined]
        weight = each.repeat(len(u) // each.numel())
    if name == rule_readings.MOVE:
        u = torch.cat([u, scale_of(u).expand(len(u), 1)], -1)
    thin = max(len(u) // ROWS, 1)
    u, said, weight = u[::thin], said[::thin], weight[::thin] if weight is not None else None
    if name == rule_readings.INPUT_GATE:
        weight = rule_readings.gradient_of(u).abs()
    elif name == rule_readings.FORGET_GATE:
        weight = u[:, -1].abs()
        names, coefficients, share = rule_readings.fitted(name, reading, u, said - 1, weight)  # what it takes away
        coefficients[0] += 1
        return names, coefficients, share
    return rule_readings.fitted(name, reading, u, said, weight)


def scale_of(u: Tensor) -> Tensor:
    """s: the root mean square of the gradients seen, the first of the inputs u (..., rows, inputs)."""
    return u[..., 0].square().mean().sqrt()


def with_reading(
    ensemble: Ensemble,
    reads: Sequence[Read],
    reading: str,
    parts: Sequence[str],
    heard: Heard,
) -> Ensemble:
    """The same runs with a reading of the given parts in the place of their rule."""
    chosen = {r.part: r for r in reads if r.reading == reading and r.part in parts}
    named = GRADIENT if reading == SILENT else reading  # its terms; all coefficients are 0
    count = max(r.coefficients.shape[1] for r in chosen.values())
    learner = rule_hooks.Replaced(ensemble.learner, named, count)  # type: ignore[arg-type]
    runs = []
    for seed, run in enumerate(ensemble.runs):
        like = heard[next(iter(chosen))][0]
        table = {name: torch.as_tensor(r.coefficients[seed]).to(like) for name, r in chosen.items()}
        if rule_readings.MOVE in chosen:
            table["scale"] = scale_of(heard[rule_readings.MOVE][0][seed])
        runs.append(Run(run.path, learner, run.distribution, {**run.params, "reading": table}, run.record))
    return Ensemble(tuple(runs))


def with_learner(ensemble: Ensemble, learner: Learner) -> Ensemble:
    """The same runs of another learner, which takes their meta-parameters."""
    return Ensemble(tuple(Run(r.path, learner, r.distribution, r.params, r.record) for r in ensemble.runs))
