r"""Does SAP learn which operations to adapt? The synthetic families of chapter 6, all 15 of them (research question 4).

Tasks y = A sin(w x + p) + c; a family says which of the four factors vary between its tasks. Each factor has one
operation of SAP that realises it exactly:

    amplitude A: output scale    frequency w: input scale    phase p: input shift    offset c: output shift

The dissertation reports that the learned strengths match in 75 % of the cases; how that was counted could not be found.
So three protocols are reported, each over all families, with its chance level and two controls beside it:

    P1  a gate is on where its strength is above its start, sigmoid(lambda) > 0.5; share of (family, factor) pairs for
        which on = varied. Chance 50 %.
    P2  for a family with m varied factors, share of the m strongest of the four gates that are the right ones.
        Chance m / 4.
    P3  switch off the inner update of one operation at test; share of the families for which the one whose absence
        raises the test error most is a varied one. Chance m / 4.

Controls: *untrained* (the start), and *mismatched* (trained with the support set of one task and the query set of
another, so that there is nothing to adapt to). Forms: *published* (every operation parameter starts from U(0, 1), the
input scale never adapts) and *mended* (operations start as identities, the input scale adapts); each with operations
in the hidden layers, as published, and with the four gates alone (*-gates*), where nothing else can imitate them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as save_tensors
from scipy import stats
from torch import Tensor

from engine.errors import BadRun, UnknownName
from engine.evaluation import held_out_tasks, knowing_nothing, left_out, mean_errors
from engine.learners import Params
from engine.learners.sap import SAP
from engine.runs.budget import Training
from engine.runs.files import write_atomically, write_json
from engine.tasks import Drawn, SineFamilies, all_families, stream
from engine.training.trainer import Progress, Trainer
from engine.trees import named_leaves, stack, tree_map

OPERATIONS = {
    "amplitude": "output.scale",
    "frequency": "input.scale",
    "phase": "input.shift",
    "offset": "output.shift",
}
FACTORS = tuple(OPERATIONS)
FORMS = {
    "published": SAP(ranks=(), uniform_start=True, skip_first_tensor=True),
    "mended": SAP(ranks=(), uniform_start=False, skip_first_tensor=False),
    "published-gates": SAP(ranks=(), uniform_start=True, skip_first_tensor=True, hidden_operations=False),
    "mended-gates": SAP(ranks=(), uniform_start=False, skip_first_tensor=False, hidden_operations=False),
}
TRAINING = Training(iterations=7500, meta_batch=4, lr=0.001, validate_every=1500, validation_tasks=300)
TEST_TASKS = 1000
MOMENTS = 25  # at how many points of the training the strengths are recorded


@dataclass(frozen=True)
class Mismatched(SineFamilies):
    """The control: each task has the support set of another one, which says nothing about its queries."""

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        drawn = super().draw(generator, tasks)
        task = drawn.task._replace(support_x=drawn.task.support_x.roll(1, 0), support_y=drawn.task.support_y.roll(1, 0))
        return drawn._replace(task=task)


def varied(families: list[SineFamilies]) -> np.ndarray:
    """Which factors vary in which family: (families, 4) of bool."""
    return np.array([[factor in family.varied for factor in FACTORS] for family in families])


def gate_accuracy(gates: np.ndarray, truth: np.ndarray) -> float:
    """P1 of strengths (families, 4)."""
    return float(((gates > 0.5) == truth).mean())


def ranking(gates: np.ndarray, truth: np.ndarray) -> float:
    """P2 of strengths (families, 4): ties are broken at random, in expectation."""
    shares = []
    for strength, right in zip(gates, truth, strict=True):
        m = int(right.sum())
        threshold = np.sort(strength)[-m]
        above, level = strength > threshold, strength == threshold
        hits = (above & right).sum() + (m - above.sum()) * (level & right).sum() / level.sum()
        shares.append(hits / m)
    return float(np.mean(shares))


def functional(increase: np.ndarray, truth: np.ndarray) -> float:
    """P3 of rises of the test error without each operation (families, 4); ties count in expectation."""
    largest = increase == increase.max(1, keepdims=True)
    return float(((largest & truth).sum(1) / largest.sum(1)).mean())


PROTOCOLS = {"P1": gate_accuracy, "P2": ranking, "P3": functional}


def chances(truth: np.ndarray) -> dict[str, float]:
    """What guessing would reach: 50 % for P1 and the mean of m / 4 for P2 and P3."""
    share = float(truth.mean())
    return {"P1": 0.5, "P2": share, "P3": share}


def run(
    form: str,
    folder: Path,
    *,
    seeds: int = 5,
    training: Training = TRAINING,
    tasks: int = TEST_TASKS,
    compiled: bool = True,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Trains all families and seeds of one form as one batch, and their control; writes `<form>.json` and weights.

    Args:
        form: a key of `FORMS`.
        folder: where the results go.
        seeds: seeds per family.
        training: the budget of each.
        tasks: test tasks.
        compiled: use torch.compile.
        device: "cpu" or "cuda".
        report: receives progress events.

    Returns:
        What `<form>.json` holds: families, factors, operations, truth, gates and errors (seeds, families, 4),
        history of the gates, protocols with 95 % t-intervals over seeds, chance levels, controls, and
        diverged: the test tasks of all members on which one of the five errors did, which are left out of errors.

    Raises:
        UnknownName: there is no such form.
    """
    if form not in FORMS:
        raise UnknownName("form", form, list(FORMS))
    learner, families = FORMS[form], all_families()
    truth = varied(families)
    members = [(seed, family) for seed in range(seeds) for family in families]
    trained, history = _train(learner, members, training, compiled, device, report)
    control = [(seed, Mismatched(**asdict(family))) for seed, family in members]
    misled, _ = _train(learner, control, training, compiled, device, report)
    start = stack([learner.init(stream("init", seed), family.spec) for seed, family in members])
    results = {
        name: _measure(learner, params, members, tasks, truth, seeds)
        for name, params in (("trained", trained), ("untrained", start), ("mismatched", misled))
    }
    lost = {name: result.pop("diverged") for name, result in results.items()}
    content = {
        "form": form,
        "learner": asdict(learner),
        "training": asdict(training),
        "seeds": seeds,
        "test_tasks": tasks,
        "factors": list(FACTORS),
        "operations": [OPERATIONS[factor] for factor in FACTORS],
        "families": [list(family.varied) for family in families],
        "chance": chances(truth),
        **results["trained"],
        "history": history,
        "controls": {name: results[name] for name in ("untrained", "mismatched")},
        "diverged": lost,
    }
    named = {name: leaf.contiguous() for name, leaf in named_leaves(trained)}
    write_atomically(folder / f"{form}.safetensors", save_tensors(named))
    write_json(folder / f"{form}.json", content)
    return content


def read(folder: Path) -> list[dict[str, Any]]:
    """The stored results of all forms in a folder.

    Raises:
        BadRun: there are none, or one is not readable.
    """
    found = []
    for form in FORMS:
        path = folder / f"{form}.json"
        try:
            found += [json.loads(path.read_text())] if path.is_file() else []
        except ValueError:
            raise BadRun(f"{path} is not readable JSON.") from None
    for result in found:
        result.setdefault("diverged", None)  # of results from before they were counted
    if not found:
        raise BadRun(f"There are no results of the structure experiment in {folder}.")
    return found


def table(results: list[dict[str, Any]]) -> str:
    """The protocols of all forms, with chance and controls, as Markdown."""
    lines = ["| form | protocol | match | chance | untrained | mismatched |", "|---|---|---|---|---|---|"]
    for result in results:
        for name, found in result["protocols"].items():
            others = [result["controls"][control]["protocols"][name] for control in ("untrained", "mismatched")]
            cells = " | ".join(f"{100 * other['mean']:.0f} ± {100 * other['ci95']:.0f} %" for other in others)
            lines.append(
                f"| {result['form']} | {name} | {100 * found['mean']:.0f} ± {100 * found['ci95']:.0f} % "
                f"| {100 * result['chance'][name]:.0f} % | {cells} |"
            )
    seeds = min(result["seeds"] for result in results)
    lines += ["", f"15 families, {seeds} seeds; mean ± 95 % t-interval over seeds."]
    for result in results:
        every = result["test_tasks"] * result["seeds"] * len(result["families"])
        for name, count in (result["diverged"] or {}).items():
            if said := left_out(count, every):
                lines.append(f"{result['form']}, {name}: {said}")
    return "\n".join(lines)


def _train(
    learner: SAP,
    members: Sequence[tuple[int, SineFamilies]],
    training: Training,
    compiled: bool,
    device: str,
    report: Callable[[Progress], None],
) -> tuple[Params, dict[str, Any]]:
    """The best-validation weights of all members, and their strengths along the training (moments, members, 4)."""
    seeds, distributions = zip(*members, strict=True)
    trainer = Trainer(learner, tuple(distributions), training, tuple(seeds), device=device, compiled=compiled)
    moments, strengths = [], []
    for moment in range(MOMENTS + 1):
        trainer.run(training.iterations * moment // MOMENTS, report)
        moments.append(trainer.iteration)
        strengths.append(_gates(learner, trainer.params).round(decimals=4).tolist())
    return tree_map(lambda p: p.detach().cpu(), trainer.best), {"iterations": moments, "gates": strengths}


def _gates(learner: SAP, params: Params) -> Tensor:
    """The four strengths of a stack of members, (members, 4)."""
    strength = learner.strengths(params)
    return torch.stack([strength[OPERATIONS[factor]].detach() for factor in FACTORS], dim=-1)


def _measure(
    learner: SAP,
    params: Params,
    members: Sequence[tuple[int, SineFamilies]],
    tasks: int,
    truth: np.ndarray,
    seeds: int,
) -> dict[str, Any]:
    """Strengths, test errors with and without each operation's inner update, and the three protocols."""
    gates = _gates(learner, params).double().numpy().reshape(seeds, len(truth), len(FACTORS))
    forms = [learner, *(replace(learner, frozen=(OPERATIONS[factor],)) for factor in FACTORS)]
    errors, lost = np.empty((len(members), len(forms))), 0
    for index, (_, family) in enumerate(members):
        drawn = held_out_tasks(family, tasks)
        mine = tree_map(lambda p: p[index], params)  # noqa: B023
        errors[index], away = mean_errors(forms, mine, drawn, knowing_nothing(family, drawn))
        lost += away
    shaped = errors.reshape(seeds, len(truth), len(forms))
    increase = shaped[..., 1:] - shaped[..., :1]
    evidence = {"P1": gates, "P2": gates, "P3": increase}
    per_seed = {name: [rule(one, truth) for one in evidence[name]] for name, rule in PROTOCOLS.items()}
    return {
        "gates": gates.round(5).tolist(),
        "mse": shaped[..., 0].tolist(),
        "mse_without": shaped[..., 1:].tolist(),
        "diverged": lost,
        "protocols": {name: _over_seeds(values) for name, values in per_seed.items()},
    }


def _over_seeds(values: list[float]) -> dict[str, Any]:
    n = len(values)
    half = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else None
    return {"mean": float(np.mean(values)), "ci95": half, "per_seed": values}
