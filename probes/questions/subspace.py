r"""Which operations does SAP adapt, how far, and which of them matter?

Strengths w come from SAP itself. Groups of seven and of three start at 1/7 and 1/3, gates at 1/2: a strength is
comparable across groups only as a multiple of its start, w / w_start. A strength scales what an operation does and the
gradient that it gets, so that a step of its parameters moves the function by alpha w^2 times what it would alone:

    effective step size = alpha w^2

What an operation is worth is asked of the learner itself, on the same held-out tasks:

    not adapted    its parameters stay at phi_0, all else adapts (`frozen`)
    removed        its strength is 0, the others of its softmax share it; nothing is trained again
    n strongest    only n operations adapt: those whose strengths are the largest multiples of their start, or those
                   that cost most when they did not adapt (ranked on other tasks than those of the figure)

How far it moves is |phi_T - phi_0| on each task; what it answers to is the correlation, over tasks, of each hidden
parameter of the task with its movement (with its first principal direction, if it has more than one number).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.func import vmap

from engine.evaluation import at_once
from engine.learners import Params
from engine.learners.sap import SAP
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task, stream
from engine.trees import leaves, stack
from probes.probe import Probe, Progress, part
from probes.tools.representations import tasks_lazily, untrained
from probes.tools.weights import gathered

CHUNK = 50  # tasks at once
OFF = -1e9  # the logit of a strength of 0
RANKING = 200  # tasks that rank operations, other ones than the figures show


@dataclass(frozen=True)
class Config:
    """Held-out tasks; whether to ask what each operation is worth (the long part)."""

    tasks: Annotated[int, Field(ge=5, le=2000)] = 200
    importance: bool = True


@dataclass(frozen=True)
class Anatomy:
    """One SAP, or first-order SAP.

    Attributes:
        learner: its registered name.
        seeds: of its runs.
        operations: "site.operation" in network order, with "identity" and "no-shift", (n,).
        adapting: which of them have parameters, (n,).
        sizes: how many numbers each has, (n,).
        strengths: (seeds, n).
        start: strengths before any training, (n,).
        step_sizes: effective step sizes alpha w^2, (seeds, n).
        moments: iterations at which weights were kept, (m,).
        along: strengths at those, (m, seeds, n).
        moved: |phi_T - phi_0| of the adapting ones, (seeds, tasks, a).
        correlations: of each task parameter with each movement, (seeds, a, parameters).
        parameters: their names.
        losses: query losses after the last step, (seeds, tasks).
        still: the same with one operation not adapted, (a, seeds, tasks); empty if not asked for.
        removed: the same with one operation's strength 0, (a, seeds, tasks); empty if not asked for.
        by_strength, by_worth: losses with only n = 0 ... a operations adapting, (a + 1, seeds, tasks).
        order_by_strength, order_by_worth: the operations in those orders, (a,).
    """

    learner: str
    seeds: list[int]
    operations: list[str]
    adapting: np.ndarray
    sizes: np.ndarray
    strengths: np.ndarray
    start: np.ndarray
    step_sizes: np.ndarray
    moments: np.ndarray
    along: np.ndarray
    moved: np.ndarray
    correlations: np.ndarray
    parameters: list[str]
    losses: np.ndarray
    still: np.ndarray
    removed: np.ndarray
    by_strength: np.ndarray
    by_worth: np.ndarray
    order_by_strength: list[str]
    order_by_worth: list[str]


@dataclass(frozen=True)
class Subspaces:
    """One anatomy per learner, in the order asked."""

    anatomies: list[Anatomy]


@dataclass(frozen=True)
class HasOperations:
    """Operations with learned strengths, on rows of units."""

    says = "It has operations with learned strengths, on rows of units."

    def __call__(self, ensemble: Ensemble) -> str | None:
        found = ensemble.learner
        if not isinstance(found, SAP):
            return f"{found.title} has no operations with learned strengths."
        if not all(layer.dense for layer in found.network.layers):
            return f"{found.title} is taken apart where rows of units pass; {found.network.title} passes images on."
        return None


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Subspaces:
    """Reads, adapts, and switches off."""
    n = len(ensembles)
    return Subspaces([_anatomy(e, config, part(progress, i / n, (i + 1) / n)) for i, e in enumerate(ensembles)])


def _anatomy(ensemble: Ensemble, config: Config, progress: Progress) -> Anatomy:
    learner, params = ensemble.learner, ensemble.params
    assert isinstance(learner, SAP)
    tasks, parameters = tasks_lazily(ensemble.distribution, config.tasks)
    named = strengths(learner, params)  # (seeds, n)
    start = strengths(learner, untrained(ensemble)).mean(0)
    operations = list(learner.strengths(params))
    moving = learner.operations()
    kept = [run.kept() for run in ensemble.runs]
    moments = sorted(set.intersection(*(set(one) for one in kept))) if kept else []
    along = [strengths(learner, stack([one[moment] for one in kept])) for moment in moments]
    losses, moved = adapted(learner, params, tasks)
    a, shape = len(moving), losses.shape
    still = removed = np.zeros((0, *shape))
    by_strength = by_worth = np.zeros((0, *shape))
    relative = named.mean(0) / start
    order = [name for _, name in sorted((-relative[operations.index(name)], name) for name in moving)]
    worth: list[str] = []
    if config.importance:
        total, done = 4 * a + 2, [0]

        def losses_of(changed: SAP, changed_params: Params, on: Task | Pooled = tasks) -> np.ndarray:
            found, _ = adapted(changed, changed_params, on)
            done[0] += 1
            progress(min(done[0] / total, 1.0))
            return found

        other = ensemble.distribution.lazy(stream("validation"), RANKING)
        costs = [losses_of(frozen(learner, [name]), params, other).mean() for name in moving]
        worth = [name for _, name in sorted(zip((-c for c in costs), moving, strict=True))]
        still = np.stack([losses_of(frozen(learner, [name]), params) for name in moving])
        removed = np.stack([losses_of(learner, without(learner, params, name)) for name in moving])
        by_strength = np.stack([losses_of(frozen(learner, order[n:]), params) for n in range(a + 1)])
        by_worth = np.stack([losses_of(frozen(learner, worth[n:]), params) for n in range(a + 1)])
    progress(1.0)
    return Anatomy(
        learner=learner.name,
        seeds=[run.seed for run in ensemble.runs],
        operations=operations,
        adapting=np.array([name in moving for name in operations]),
        sizes=np.array([params["operations"][name][0].numel() if name in moving else 0 for name in operations]),
        strengths=named,
        start=start,
        step_sizes=learner.inner_lr * named**2,
        moments=np.array(moments, int),
        along=np.array(along).reshape(len(moments), *named.shape),
        moved=np.stack([np.linalg.norm(moved[name], axis=-1) for name in moving], -1),
        correlations=np.stack([correlations(moved[name], parameters) for name in moving], 1),
        parameters=list(parameters),
        losses=losses,
        still=still,
        removed=removed,
        by_strength=by_strength,
        by_worth=by_worth,
        order_by_strength=order,
        order_by_worth=worth,
    )


def strengths(learner: SAP, params: Params) -> np.ndarray:
    """The strengths of a stack of seeds in network order, (seeds, n)."""
    with torch.no_grad():
        return torch.stack(list(learner.strengths(params).values()), -1).double().numpy()


def frozen(learner: SAP, names: Sequence[str]) -> SAP:
    """The learner with some operations not adapting."""
    return replace(learner, frozen=tuple(dict.fromkeys((*learner.frozen, *names))))


def without(learner: SAP, params: Params, name: str) -> Params:
    """Parameters (with any leading axes) in which an operation's strength is 0."""
    (group,) = [group for group, names in learner.groups().items() if name in names]
    logits = params["strengths"][group].clone()
    if len(learner.groups()[group]) == 1:
        logits = torch.full_like(logits, OFF)
    else:
        logits[..., learner.groups()[group].index(name)] = OFF
    return {**params, "strengths": {**params["strengths"], group: logits}}


def adapted(learner: SAP, params: Params, tasks: Task | Pooled) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Losses after the last step, (seeds, tasks), and phi_T - phi_0 by operation, (seeds, tasks, numbers)."""

    def one(task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        last = learner.adapt(params, task.support_x, task.support_y)[-1]
        loss = learner.loss(learner.predict(params, last, task.query_x), task.query_y)
        moved = {name: phi - params["operations"][name] for name, phi in learner.named(params, last).items()}
        return loss, moved

    size = at_once(learner, tasks, CHUNK, copies=len(next(leaves(params))))
    with torch.no_grad():  # all seeds at once: they broadcast, as the operations that it asks about do
        parts = [slice(i, i + size) for i in range(0, len(tasks.query_x), size)]
        losses, moved = zip(*(vmap(one)(gathered(tasks, part, params)) for part in parts), strict=True)
    rows = {name: torch.cat([each[name] for each in moved]).transpose(0, 1) for name in moved[0]}
    flat = {name: value.flatten(2) if value.ndim > 2 else value[..., None] for name, value in rows.items()}
    return torch.cat(losses).T.double().numpy(), {name: value.double().numpy() for name, value in flat.items()}


def correlations(moved: np.ndarray, parameters: dict[str, np.ndarray]) -> np.ndarray:
    """Pearson correlations of task parameters with movements (seeds, tasks, numbers): (seeds, parameters).

    Of several numbers, with their first principal direction, whose sign means nothing: the absolute value is given. An
    operation that does not move has none (NaN).
    """
    found = []
    for one in moved - moved.mean(1, keepdims=True):
        if not np.abs(one).max() > 0:
            found.append([np.nan] * len(parameters))
            continue
        along = one[:, 0] if one.shape[1] == 1 else one @ np.linalg.svd(one, full_matrices=False)[2][0]
        values = [float(np.corrcoef(along, value)[0, 1]) for value in parameters.values()]
        found.append(values if one.shape[1] == 1 else [abs(value) for value in values])
    return np.array(found)


PROBE = Probe(
    name="subspace",
    question="Which operations does SAP adapt, how far, and which of them matter?",
    config=Config,
    needs=(HasOperations(),),
    ask=ask,
)
