"""Which losses the probes of the landscape look at: of which task, which run, which moment of its training."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from engine.learners import Learner, Params, State
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import Task, TaskDistribution, rows_of, stream
from engine.trees import tree_map
from probes.needs import Acts, MetaLoss
from probes.probe import Need
from probes.tools.losses import Surface, meta_surface, task_surface
from probes.tools.representations import tasks_lazily

TASK, META = "task", "meta"
Loss = Literal["task", "meta"]
LOSSES: dict[str, Need] = {TASK: Acts(), META: MetaLoss()}  # what a run must have for each
Points = Literal["support", "query"]
HELD_OUT = 200  # held-out tasks that one is chosen from: the number of a task is that on the page Learning behaviour
DRAWN, TRAINED = 0, -1  # iterations: before any training; the weights of the run, best on validation


def why_not(ensemble: Ensemble, loss: Loss) -> str | None:
    """None if the learner has this loss as a function of a vector, otherwise one sentence."""
    return LOSSES[loss](ensemble)


def one_task(distribution: TaskDistribution, index: int) -> Task:
    """A held-out task by its number."""
    tasks, _ = tasks_lazily(distribution, HELD_OUT)
    return tree_map(lambda v: v[0], rows_of(tasks, slice(index, index + 1)))


def first_tasks(distribution: TaskDistribution, tasks: int) -> Task:
    """The first held-out tasks, as a batch."""
    return Task(*rows_of(tasks_lazily(distribution, HELD_OUT)[0], slice(0, tasks))[:4])  # no learner's noise


def adapted(learner: Learner, params: Params, task: Task, step: int) -> list[State]:
    """The states of an adaptation up to an inner step; -1: the last one of an evaluation."""
    with torch.no_grad():
        return learner.adapt(params, task.support_x, task.support_y, None if step < 0 else step)


def task_loss(learner: Learner, params: Params, state: State, task: Task, points: Points) -> Surface:
    """The task loss on the support or the query points around an adapted state."""
    x, y = (task.support_x, task.support_y) if points == "support" else (task.query_x, task.query_y)
    return task_surface(learner, params, state, x, y)


def meta_loss(learner: Learner, params: Params, tasks: Task) -> Surface:
    """The meta-loss around meta-parameters; running averages stay as they are, as nothing descends them."""
    return meta_surface(learner, params, tasks, fixed=learner.running)


def moments(runs: Sequence[Run], *, along: bool) -> list[tuple[int, list[Params]]]:
    """(iteration, meta-parameters of each run): along the training where all runs kept weights, then as trained."""
    found: list[tuple[int, list[Params]]] = []
    if along:
        copies = [run.kept() for run in runs]
        shared = [i for i in sorted(copies[0]) if all(i in copy for copy in copies)]
        found = [(i, [copy[i] for copy in copies]) for i in shared]
    return [*found, (TRAINED, [run.params for run in runs])]


def drawn(run: Run) -> Params:
    """A run's meta-parameters as they were drawn for its seed, before any training."""
    return run.learner.init(stream("init", run.seed), run.distribution.spec)


def length(vector: Tensor) -> float:
    """The length of a vector, as a number."""
    return float(vector.norm())
