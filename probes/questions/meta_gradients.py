r"""What does a first-order meta-gradient leave out, and how curved is the meta-loss? MAML against learned update rules.

Every learner here exists in two forms with one inner loop: the *exact* meta-gradient g differentiates through the
inner gradients, the *first-order* one g~ takes them for constants. For MAML with one inner step,

    g = (I - alpha H_support(theta)) grad L_query(theta_1),   g~ = grad L_query(theta_1),

so that g~ is wrong by what the inner loss is curved (Finn, Abbeel & Levine, ICML 2017; Nichol, Achiam & Schulman,
arXiv 1803.02999). For a learned rule, theta' = theta + m(grad L), the lost term is multiplied by the slope of m, and
the rule's own parameters lose theirs after the first step. On groups of held-out tasks, as many as one meta-update
sees, at the *same* weights:

    cosine   g~ . g / (|g~| |g|)      1: the same direction
    ratio    |g~| / |g|               1: the same length

and the same of the mean over all tasks, in which the noise of small groups cancels (`cosine_mean`, `ratio_mean`).
On some of these groups also the curvature of the meta-loss (`meta_curvature`), which is supposed to be larger for
learned rules (Huisman, "Understanding deep meta-learning", Leiden 2024). All of it over all meta-parameters, over the
initialisation alone (which has the same shape for all learners), and over whatever else is learned: the rule. Control:
the learner as drawn, untrained; between the two, the weights that a training kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.func import vmap

from engine.learners import Learner, Params
from engine.runs.ensembles import Ensemble
from engine.tasks import Task, stream
from engine.trees import tree_map
from probes.probe import Probe, Progress, part
from probes.tools.losses import double, gradient, hessian_vector, look_ahead, meta_surface
from probes.tools.meta_curvature import Curvature, curvatures
from probes.tools.representations import tasks_lazily
from probes.tools.weights import gathered

Group = Callable[[], Task]  # a batch of tasks, gathered when it is needed

ALL, INITIALISATION, RULE = "all", "initialisation", "rule"
BASE = "net"  # the group of meta-parameters that is the initialisation
DIRECTIONS = 40  # the stream that random directions are drawn from
COSTLY = 6  # what the curvature of a group costs, in pairs of its gradients (about: for the progress)
UNTRAINED, KEPT, TRAINED = "untrained", "kept", "trained"


@dataclass(frozen=True)
class Config:
    """How many groups of held-out tasks, and how closely to look at the curvature.

    Attributes:
        groups, batch: groups of tasks for the gradients, and tasks in each.
        curved: groups for the curvature, the first ones; 0: no curvature.
        groups_kept, curved_kept: the same for weights kept along the training; 0 groups: pass over these.
        vectors: random directions for the trace, per group.
        radius: of the rise.
    """

    groups: Annotated[int, Field(ge=2, le=500)] = 20
    batch: Annotated[int, Field(ge=1, le=50)] = 4
    curved: Annotated[int, Field(ge=0, le=100)] = 4
    groups_kept: Annotated[int, Field(ge=0, le=500)] = 5
    curved_kept: Annotated[int, Field(ge=0, le=100)] = 1
    vectors: Annotated[int, Field(ge=2, le=100)] = 8
    radius: Annotated[float, Field(gt=0, le=0.5)] = 0.02


@dataclass(frozen=True)
class Measured:
    """One block of one learner's meta-parameters at one moment.

    Attributes:
        learner: its registered name.
        moment: "untrained", "kept" (along the training) or "trained" (the weights of the run).
        iteration: the iteration of kept weights; 0 untrained, -1 trained.
        block: "all", "initialisation" or "rule".
        size: how many parameters.
        cosine, ratio: of first-order to exact meta-gradient, (seeds, groups).
        cosine_mean, ratio_mean: of the mean gradients over all groups, (seeds,).
        eigenvalue, trace, trace_error, along, scaled, rise, loss: curvature, and the meta-loss, (seeds, curved groups).
    """

    learner: str
    moment: str
    iteration: int
    block: str
    size: int
    cosine: np.ndarray
    ratio: np.ndarray
    cosine_mean: np.ndarray
    ratio_mean: np.ndarray
    eigenvalue: np.ndarray
    trace: np.ndarray
    trace_error: np.ndarray
    along: np.ndarray
    scaled: np.ndarray
    rise: np.ndarray
    loss: np.ndarray


@dataclass(frozen=True)
class MetaGradients:
    """All learners at all moments.

    Attributes:
        tasks: how many held-out tasks the gradients are from.
        batch: how many of them are a group.
        seeds: the seeds of each learner's runs, by name.
        measured: in the order of the learners asked, each from untrained to trained.
    """

    tasks: int
    batch: int
    seeds: dict[str, list[int]]
    measured: list[Measured]


@dataclass(frozen=True)
class TwoOrders:
    """A first- and a second-order form."""

    says = "It comes in a first- and a second-order form."

    def __call__(self, ensemble: Ensemble) -> str | None:
        learner = ensemble.learner
        known = any(field.name == "first_order" for field in fields(learner))
        return None if known else f"{learner.title} does not come in a first- and a second-order form."


@dataclass(frozen=True)
class LookAhead:
    """Training on the look-ahead loss."""

    says = "It trains on the query loss after its last inner step."

    def __call__(self, ensemble: Ensemble) -> str | None:
        learner = ensemble.learner
        known = type(learner).meta_loss is Learner.meta_loss
        return None if known else f"{learner.title} trains on another loss than that after its last inner step."


def ask(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> MetaGradients:
    """Looks at every learner untrained, along its training, and trained."""
    measured: list[Measured] = []
    for index, ensemble in enumerate(ensembles):
        share = part(progress, index / len(ensembles), (index + 1) / len(ensembles))
        measured += _of_ensemble(ensemble, config, share)
    seeds = {e.learner.name: [run.seed for run in e.runs] for e in ensembles}
    return MetaGradients(config.groups * config.batch, config.batch, seeds, measured)


def _of_ensemble(ensemble: Ensemble, config: Config, progress: Progress) -> list[Measured]:
    learner, found = ensemble.learner, []
    most = max(config.groups, config.groups_kept, config.curved) * config.batch
    drawn, _ = tasks_lazily(ensemble.distribution, most)
    groups = [
        partial(gathered, drawn, slice(i, i + config.batch), ensemble.params) for i in range(0, most, config.batch)
    ]
    moments = list(_moments(ensemble, config.groups_kept > 0))
    of = {KEPT: (config.groups_kept, config.curved_kept)}
    counts = [of.get(moment, (config.groups, config.curved)) for moment, _, _ in moments]
    work = np.cumsum([0, *(len(ensemble.runs) * (n + COSTLY * curved) for n, curved in counts)])
    for (moment, iteration, per_seed), (n, curved), at, end in zip(moments, counts, work, work[1:], strict=False):
        seeds = []
        for index, params in enumerate(per_seed):
            low, high = (at + (end - at) * (index + i) / len(per_seed) for i in (0, 1))
            share = part(progress, low / work[-1], high / work[-1])
            seeds.append(_of_seed(learner, params, groups[:n], groups[:curved], config, share))
        for block in seeds[0]:
            rows = [seed[block] for seed in seeds]
            values = {name: np.stack([row[name] for row in rows]) for name in rows[0] if name != "size"}
            found.append(Measured(learner.name, moment, iteration, block, int(rows[0]["size"]), **values))
    return found


def _moments(ensemble: Ensemble, kept: bool) -> list[tuple[str, int, list[Params]]]:
    """(moment, iteration, meta-parameters of each seed); of kept weights those that all seeds have."""
    learner, spec = ensemble.learner, ensemble.distribution.spec
    drawn = [learner.init(stream("init", run.seed), spec) for run in ensemble.runs]
    copies = [run.kept() if kept else {} for run in ensemble.runs]
    between = [i for i in sorted(copies[0]) if i and all(i in other for other in copies)]
    return [
        (UNTRAINED, 0, drawn),
        *((KEPT, i, [copy[i] for copy in copies]) for i in between),
        (TRAINED, -1, [run.params for run in ensemble.runs]),
    ]


def blocks(learner: Learner, params: Params) -> dict[str, Tensor]:
    """Which of the meta-parameters, in the order of `losses.flat`, belong to a block: (N,) booleans by name.

    Running averages are no meta-parameters. A learner that learns nothing but an initialisation has no rule.
    """
    names = [name for name, group in params.items() for _ in range(_size(group))]
    of = np.array(names)
    learned = ~np.isin(of, learner.running)
    found = {ALL: learned, INITIALISATION: of == BASE, RULE: learned & (of != BASE)}
    return {name: torch.as_tensor(mask) for name, mask in found.items() if mask.any()}


def _size(group: object) -> int:
    total = 0

    def add(leaf: Tensor) -> None:
        nonlocal total
        total += leaf.numel()

    tree_map(add, group)
    return total


def meta_gradient(learner: Learner, params: Params, tasks: Task, *, first_order: bool) -> Tensor:
    """The meta-gradient of the mean look-ahead loss of a batch of tasks, first-order or exact: (N,) float64."""
    form = replace(learner, first_order=first_order)  # type: ignore[call-arg]
    surface = meta_surface(learner, params, tasks)
    tasks = double(tasks)
    where = surface.centre.detach().requires_grad_()
    tree = surface.tree(where)
    loss = vmap(lambda task: look_ahead(form, tree, task))(tasks).mean()
    (found,) = torch.autograd.grad(loss, where, materialize_grads=True)
    return found.detach()


def compare(first: Tensor, exact: Tensor) -> tuple[float, float]:
    """Cosine and ratio of lengths of two gradients (N,); NaN where one of them is 0."""
    lengths = float(first.norm()), float(exact.norm())
    if not all(lengths):
        return float("nan"), float("nan")
    cosine = float((first / lengths[0]) @ (exact / lengths[1]))
    return float(np.clip(cosine, -1, 1)), lengths[0] / lengths[1]


def _of_seed(
    learner: Learner,
    params: Params,
    groups: Sequence[Group],
    curved: Sequence[Group],
    config: Config,
    progress: Progress,
) -> dict[str, dict[str, np.ndarray]]:
    """All measures of one seed by block: arrays (groups,), (), or (curved groups,)."""
    masks, whole = blocks(learner, params), len(groups) + COSTLY * len(curved)
    pairs = []
    for group in groups:
        tasks = group()
        pairs.append([meta_gradient(learner, params, tasks, first_order=first) for first in (True, False)])
        progress(len(pairs) / whole)
    means = [torch.stack(column).mean(0) for column in zip(*pairs, strict=True)]
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, mask in masks.items():
        each = np.array([compare(first[mask], exact[mask]) for first, exact in pairs])
        mean = np.array(compare(means[0][mask], means[1][mask]))
        found[name] = {
            "size": np.array(int(mask.sum())),
            **{"cosine": each[:, 0], "ratio": each[:, 1], "cosine_mean": mean[0], "ratio_mean": mean[1]},
        }
    rows: list[dict[str, Curvature]] = []
    for at, group in enumerate(curved):
        surface = meta_surface(learner, params, group())
        product = hessian_vector(surface, surface.centre)
        slope, directions = gradient(surface, surface.centre), stream("page", DIRECTIONS, at)
        rows.append(
            curvatures(surface, product, slope, masks, directions, vectors=config.vectors, radius=config.radius)
        )
        progress((len(groups) + COSTLY * len(rows)) / whole)
    for name in masks:
        for field in fields(Curvature):
            found[name][field.name] = np.array([getattr(row[name], field.name) for row in rows])
    return found


PROBE = Probe(
    name="meta-gradients",
    question="What does a first-order meta-gradient leave out, and how curved is the meta-loss?",
    config=Config,
    needs=(TwoOrders(), LookAhead()),
    ask=ask,
)
