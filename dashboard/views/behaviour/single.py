"""Task by task: two learners, one point per task, and the curves of the task that is open."""

import numpy as np
import pandas as pd
import streamlit as st
import torch

from dashboard.figures import tasks as task_figures
from dashboard.views.behaviour import tables, words
from dashboard.views.behaviour.controls import behaved, choose_one
from dashboard.widgets import page
from dashboard.widgets.layout import pair, row
from dashboard.widgets.naming import titles
from dashboard.widgets.numbers import number
from engine.runs.ensembles import Ensemble
from engine.tasks import LINE
from probes.tools.adaptation import adaptation
from probes.tools.representations import tasks_of, truths

SYMBOLS = {"amplitude": "a", "phase": "φ", "frequency": "f"}
TASK, OPEN = "behaviour-task", "behaviour-open"
state = st.session_state


def show_tasks(ensembles: list[Ensemble], tasks: int) -> None:
    """Two learners, one point per task; a task opens as curves."""
    if len(ensembles) < 2:
        st.info("Choose at least two learners above to compare them task by task.", icon=":material/info:")
        return
    names = titles(ensembles)
    controls = row()
    with controls:
        first = choose_one("Horizontal", ensembles, "x", "maml")
        second = choose_one("Vertical", ensembles, "y", next(n for n in reversed(names) if n != first))
    two = [next(e for e in ensembles if e.learner.name == name) for name in (first, second)]
    measure, curves = behaved(two, tasks)
    if curves[0].tasks != curves[1].tasks:
        st.info(f"{names[first]} and {names[second]} were trained on different tasks.", icon=":material/info:")
        return
    x, y = (curve.scores[..., -1].mean(0) for curve in curves)
    accuracy = tables.by_accuracy(curves)
    marked = tables.telling(x, y, accuracy=accuracy)
    controls.segmented_control(
        f"Open a task (as ranked by {names[first]})",
        list(marked),
        default=None,
        key="behaviour-open",
        on_change=lambda: open_task(marked.get(state["behaviour-open"])),
    )
    chosen = controls.number_input(
        "Task", 0, tasks - 1, value=None, key=TASK, placeholder="largest gap", bind="query-params", width=150
    )
    chosen = marked.get("largest gap") if chosen is None else int(chosen)
    left, right = pair("behaviour-single")
    with left:
        hidden = curves[0].hidden
        both = (names[first], names[second])
        page.frame(
            f"Are the same tasks hard for {both[0]} and {both[1]}?",
            f"Query {measure} of {both[1]} over that of {both[0]}, one point per task ({tasks:,}), after the last "
            "step, seeds averaged. Click a point to open it.",
            task_figures.scatter(x, y, both, measure, hidden, chosen, page.dark(), log=not accuracy),
            "behaviour-scatter",
            read=words.ACCURACY_TASKS if accuracy else words.TASKS,
            data=pd.DataFrame({"task": np.arange(len(x)), both[0]: x, both[1] + " ": y, **hidden}),
            says=tables.hardness_sentence(x, y, both, accuracy=accuracy),
            on_select=lambda: take_task("behaviour-scatter"),
            selection_mode="points",
        )
    with right:
        if chosen is not None:
            show_one_task(two, tasks, chosen)


def open_task(task: int | None) -> None:
    """Opens a task on the plot beside."""
    if task is not None:
        state[TASK] = task


def take_task(key: str) -> None:
    """A task was clicked."""
    for point in state[key]["selection"]["points"]:
        if point.get("customdata"):
            state["behaviour-open"] = None
            open_task(int(point["customdata"][0]))


def show_one_task(two: list[Ensemble], tasks: int, chosen: int) -> None:
    """The curves of both learners on one task of one input."""
    distribution = two[0].distribution
    if distribution.spec != LINE or distribution.span is None:
        st.caption("Curves are drawn for functions of one number only.")
        return
    drawn, hidden = tasks_of(distribution, tasks)
    about = "".join(f" {SYMBOLS.get(name, name)} = {float(values[chosen]):.2f}," for name, values in hidden.items())
    grid = np.linspace(*distribution.span, 161)
    known = truths(distribution, tasks, torch.as_tensor(grid).unsqueeze(-1))
    truth = None if known is None else known[chosen]
    points = np.concatenate([drawn.support_x[chosen].numpy(), drawn.support_y[chosen].numpy()], -1).astype(float)
    query_x, query_y = (values[chosen, :, 0].numpy() for values in (drawn.query_x, drawn.query_y))
    fits = []
    for ensemble in two:
        last = ensemble.learner.evaluation_steps
        said = adaptation(ensemble, points, grid, [last], lambda _: query_y, query_x)
        fits.append(
            task_figures.Fit(
                ensemble.learner.name, ensemble.learner.title, said.curves[0], float(said.errors[0].mean())
            )
        )
    name = "true wave" if "amplitude" in hidden else "true function"
    table = pd.DataFrame(
        {"x": grid} | ({} if truth is None else {name: truth}) | {fit.title: fit.curves.mean(0) for fit in fits}
    )
    page.frame(
        f"What do they make of task {chosen}?",
        f"y over x;{about.rstrip(',')}{';' if about else ''} {len(points)} support points. Lines: means of the seeds, "
        "areas: their range.",
        task_figures.fits(fits, points, grid, truth, page.dark(), name),
        "behaviour-one",
        read=words.TASKS,
        data=table,
        says=" · ".join(f"{fit.title}: query error {number(fit.loss)}" for fit in fits),
    )
