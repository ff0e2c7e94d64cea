"""The form of the page Train: what is to be trained, as far as it makes sense."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.views.train import data
from dashboard.views.train.fields import draw
from dashboard.widgets import families, library
from dashboard.widgets.escape import plain
from engine.configure import configure, flat_values
from engine.errors import EngineError
from engine.execution.gradients import can_compile, worth_compiling
from engine.learners import LEARNERS, Learner
from engine.runs.budget import Training
from engine.runs.places import VARIABLE
from engine.tasks import TASKS, TaskDistribution
from engine.training import estimates, plans, recipes

FIRST = ("iterations", "meta_batch", "lr")  # parameters of the training that are shown at once
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

FIRST_TASK = next(iter(TASKS))  # the one that the command line trains on unless it is told another


@dataclass(frozen=True)
class Asked:
    """A training that a person described.

    Attributes:
        learner, distribution, training, seeds: what, on what, how, and how often.
        collection: the name of the folder below `runs/`.
        compiled: use torch.compile.
        device: "auto", "cpu" or "cuda".
        changed: the parameters that differ from the recipe's, as the command line's --set takes them.
        budget: that of the recipe.
    """

    learner: Learner
    distribution: TaskDistribution
    training: Training
    seeds: tuple[int, ...]
    collection: str
    compiled: bool
    device: str
    changed: dict[str, Any]
    budget: str = recipes.USUAL

    @property
    def recipe(self) -> str:
        """What records call it."""
        return recipes.called("default", self.budget)

    @property
    def root(self) -> Path:
        """The folder that gets the runs."""
        return library.RUNS / self.collection

    @property
    def command(self) -> str:
        """The same in a shell, from the project's folder."""
        d, words = self.distribution, ["python -m engine train", self.learner.name]
        moved = os.environ.get(VARIABLE)  # the own runs are elsewhere, and so they must be for the shell
        words = [f"{VARIABLE}={shlex.quote(str(library.RUNS))}"] * bool(moved) + words
        if path := getattr(d, "path", ""):
            words += [f"--data {shlex.quote(path)}"]
        else:
            words += [f"--task {d.name}"] * (d.name != FIRST_TASK)
        words += [f"--shots {d.shots}", f"--seeds {len(self.seeds)}"]
        runs = shlex.quote(str(self.root)) if moved else f"runs/{self.collection}"
        words += [f"--runs {runs}"] * (self.collection != d.name)
        words += [f"--budget {self.budget}"] * (self.budget != recipes.USUAL)
        words += [f"--set {shlex.quote(f'{key}={_plain(value)}')}" for key, value in self.changed.items()]
        if self.compiled != worth_compiling(self.learner, self.training.total_tasks(len(self.seeds))):
            words += ["--compile" if self.compiled else "--no-compile"]
        words += [f"--device {self.device}"] * (self.device != "auto")
        return " ".join([*words, "--detach"])


def ask() -> Asked | None:
    """Draws the form. Returns None, with one sentence on the page, where the values are not possible together."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    task = _one(
        row, "Task", list(TASKS), "task", FIRST_TASK, {n: n.replace("-", " ") for n in TASKS}, TASKS[_task()].summary
    )
    kind = TASKS[task]().spec.kind
    possible = [name for name, cls in LEARNERS.items() if kind in cls.kinds and cls.meta_trained]
    possible.sort(key=lambda name: families.rank(LEARNERS[name].family))
    default = "maml" if "maml" in possible else possible[0]
    titles = {name: LEARNERS[name].title for name in possible}
    name = _one(row, "Learner", possible, "learner", default, titles, None)
    shots = row.number_input("Shots", 1, 1000, 10, key="train-shots", bind="query-params", width=110)
    seeds = row.number_input(
        "Seeds", 1, 64, 3, key="train-seeds", bind="query-params", width=110, help="trained at once"
    )
    budgets, budget = recipes.budgets(task, "default"), recipes.USUAL
    if len(budgets) > 1:
        budget = _one(row, "Budget", budgets, "budget", budget, {}, "full: five times as long; large: for a GPU.")
    cls = LEARNERS[name]
    st.caption(f"{cls.summary} {cls.reference}.")
    try:
        return _rest(cls, TASKS[task], int(shots), int(seeds), budget)
    except EngineError as error:
        st.error(plain(error), icon=":material/error:")
        return None


def _task() -> str:
    chosen = st.session_state.get("train-task", FIRST_TASK)
    return chosen if chosen in TASKS else FIRST_TASK


def _one(row: Any, label: str, options: list[str], key: str, default: str, titles: Mapping[str, str], hint: Any) -> str:
    found = row.selectbox(
        label,
        options,
        index=options.index(default),
        key=f"train-{key}",
        format_func=lambda one: titles.get(one, one),
        bind="query-params",
        width=220,
        help=hint,
    )
    return found if found in options else default


def _rest(cls: type[Learner], task: type[TaskDistribution], shots: int, seeds: int, budget: str) -> Asked:
    """The parameters: the recipe's at first, the usual ones at once and the others in folds."""
    recipe, mark = recipes.recipe(task.name, "default", cls.name, shots, budget), ""
    if budget != recipes.USUAL:
        mark = f"-{budget}"  # so that its fields begin at its own values
    prefix = f"train-{cls.name}-{shots}{mark}"
    told, given = recipe.training, data.ask(task)
    values = draw(st.container(), Training, FIRST, told, f"{prefix}-training")
    learner, more = st.expander(f"Parameters of {cls.title}"), st.expander("Parameters of the training and the task")
    own = draw(learner, cls, [field.name for field in fields(cls)], recipe.hyper_parameters, prefix)
    others = [field.name for field in fields(Training) if field.name not in FIRST]
    values |= draw(more, Training, others, told, f"{prefix}-training")
    varied = [field.name for field in fields(task) if field.name not in ("shots", *given)]
    drawn = draw(more, task, varied, recipe.task, f"train-task-{task.name}{mark}") if varied else {}
    collection = more.text_input("Folder", task.name, key="train-folder", bind="query-params", help="below runs/")
    made = configure(cls, own, f"learner {cls.name}")
    training = configure(Training, values, "training")
    distribution = configure(task, {**drawn, **given, "shots": shots}, f"task {task.name}")
    plans.refuse_task(made, distribution)
    if not NAME.fullmatch(collection or ""):
        raise EngineError(f"A folder's name takes a-z, 0-9 and -, at most 40 of them; {collection!r} was given.")
    compiled = more.checkbox(
        "Compile",
        worth_compiling(made, training.total_tasks(seeds)),
        key=f"{prefix}-compile",
        disabled=not can_compile(),
        help="Takes up to a minute, then up to three times faster: on where that pays. Needs a C++ compiler.",
    )
    device = "auto"
    if estimates.machine().gpu:  # else there is nothing to choose
        device = more.segmented_control(
            "Device", ["auto", "cuda", "cpu"], default="auto", key="train-device", help="auto takes the GPU."
        )
    changed = {
        **_changed(flat_values(made), flat_values(configure(cls, recipe.hyper_parameters, "recipe"))),
        **_changed(asdict(training), asdict(configure(Training, told, "recipe")), "training."),
        **_changed(
            asdict(distribution), asdict(configure(task, {**recipe.task, **given, "shots": shots}, "task")), "task."
        ),
    }
    how = (str(collection), bool(compiled), device or "auto", changed, budget)
    return Asked(made, distribution, training, tuple(range(seeds)), *how)


def _changed(values: dict[str, Any], before: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}{key}": value for key, value in values.items() if value != before.get(key)}


def _plain(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)
