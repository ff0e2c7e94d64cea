"""Loss against step, paired differences, and who pays for looking ahead, with the toy beside it."""

import numpy as np
import streamlit as st

from dashboard.figures import behaviour as figures
from dashboard.figures import toy as toy_figures
from dashboard.views.behaviour import sweep_tables, tables, words
from dashboard.views.behaviour.controls import axis_of_losses, behaved, choose_one, pick
from dashboard.widgets import page
from dashboard.widgets.layout import pair, row
from dashboard.widgets.naming import seeds_of, titles
from engine.runs.ensembles import Ensemble
from engine.studies.toy import LEARNERS as TOY_LEARNERS
from engine.studies.toy import Toy
from probes.questions.behaviour import Curve
from probes.tools.comparisons import BY_TASK, DIFFERENCE, KIND, RATIO, SCOPES, THESE
from probes.tools.flow import Flow, flow

AS = {RATIO: "ratio of means", BY_TASK: "ratio task by task", DIFFERENCE: "difference"}
BY = {
    RATIO: "its mean divided by",
    BY_TASK: "divided, task by task (geometric mean), by",
    DIFFERENCE: "its mean less",
}
TOY_TITLES = {"finetuning": "Finetuning", "fomaml": "FOMAML", "reptile": "Reptile"}


def show_adaptation(ensembles: list[Ensemble], tasks: int) -> None:
    """Loss against step, and paired differences after the last one."""
    names = titles(ensembles)
    with row():
        kind = pick("Band", tables.BANDS, "band", tables.MEAN)
        steps_axis = pick("Steps", ("log", "linear"), "steps", "log")
    measure, curves = behaved(ensembles, tasks)
    lines, first = tables.lines(curves, names, kind), curves[0]
    accuracy = tables.by_accuracy(curves)
    page.frame(
        "How fast do they learn a new task?",
        f"Query {measure} over inner step: mean over {tasks:,} held-out tasks, {seeds_of(ensembles)}; area: "
        f"{'95 % interval of the mean' if kind == tables.MEAN else 'middle 95 % of tasks and seeds'}. "
        "Ring: the last step trained for; thin and pale: beyond it.",
        figures.curves(
            lines,
            first.nothing if first.chance is None else first.chance,
            measure,
            log=axis_of_losses() and not accuracy,
            log_steps=steps_axis == "log",
            dark=page.dark(),
            knowing_nothing="guessing" if accuracy else "saying 0",
        ),
        "behaviour-curves",
        read=words.ACCURACIES if accuracy else words.CURVES,
        data=tables.line_rows(lines),
        says=tables.curve_sentence(curves, names),
    )
    if len(ensembles) > 1:
        show_differences(ensembles, curves, measure)


def show_differences(ensembles: list[Ensemble], curves: list[Curve], measure: str) -> None:
    """Every learner against a reference on the same tasks."""
    names = titles(ensembles)
    with row():
        reference = choose_one("Compared with", ensembles, "reference", "maml")
        accuracy = tables.by_accuracy(curves)
        measure_as = DIFFERENCE if accuracy else pick("As a", list(AS), "compared", RATIO, AS)
        scope = pick("Sure of", SCOPES, "scope", KIND)
    found, others = tables.comparisons(curves, names, reference, measure_as, scope)
    if others:
        st.caption(f"Trained on other tasks than {names[reference]}, so not paired: {', '.join(others)}.")
    if not found:
        return
    sure, better = "tasks and trainings" if scope == KIND else f"tasks, for {THESE}", "Right" if accuracy else "Left"
    correction = f", corrected for {len(found)} comparisons (Holm)" if len(found) > 1 else ""
    page.frame(
        f"Who is better than {names[reference]} on the same tasks?",
        f"Query {measure} after the last step, {BY[measure_as]} that of {names[reference]}: 95 % interval over {sure}; "
        f"{seeds_of(ensembles)}. {better} of {0 if measure_as == DIFFERENCE else 1} is better; pale: "
        f"undecided{correction}.",
        figures.differences(found, f"query {measure}, {BY[measure_as]} that of {names[reference]}", page.dark()),
        "behaviour-differences",
        read=words.ACCURACY_DIFFERENCES if accuracy else words.DIFFERENCES,
        data=tables.difference_rows(found),
        says=tables.difference_sentence(found, names[reference], scope),
    )


def show_looking_ahead(ensembles: list[Ensemble], tasks: int) -> None:
    """The plane of direct loss and loss after adapting, and the toy beside it."""
    names = titles(ensembles)
    left, right = pair("behaviour-ahead")
    with left:
        after = pick("After", ("last", "one"), "after", "last", {"last": "the last step", "one": "one step"})
        measure, curves = behaved(ensembles, tasks)
        spots, accuracy = tables.spots(curves, names, 1 if after == "one" else None), tables.by_accuracy(curves)
        page.frame(
            "Who pays for looking ahead?",
            f"Query {measure} after {'one step' if after == 'one' else 'the last inner step'} over that before any; "
            f"means with 95 % intervals, {tasks:,} held-out tasks, {seeds_of(ensembles)}.",
            figures.plane(
                spots, measure, "one step" if after == "one" else "the last step", page.dark(), accuracy=accuracy
            ),
            "behaviour-plane",
            read=words.ACCURACY_PLANE if accuracy else words.PLANE,
            data=tables.spot_rows(spots),
            says=tables.spot_sentence(spots, curves),
        )
    with right:
        show_toy()


@st.cache_data(show_spinner=False, max_entries=256)
def flowed(steps: int, inner_lr: float, outer_lr: float, plateau: bool) -> Flow:
    """The toy's flow, computed once for each setting."""
    toy = Toy(plateau=plateau, steps=steps, inner_lr=inner_lr, outer_lr=outer_lr)
    return flow(toy, np.linspace(-200, 200, 25))


@st.fragment
def show_toy() -> None:
    """The same question where everything can be seen: one parameter, two tasks."""
    columns = st.columns([1, 1, 1, 0.9], vertical_alignment="bottom")
    steps = columns[0].slider("Inner steps T", 1, 25, 5, key="behaviour-toy-steps", bind="query-params")
    inner = columns[1].slider("Inner rate α", 0.01, 0.3, 0.1, 0.01, key="behaviour-toy-inner", bind="query-params")
    outer = columns[2].slider("Outer rate η", 0.01, 0.3, 0.1, 0.01, key="behaviour-toy-outer", bind="query-params")
    plateau = columns[3].toggle("Plateau", key="behaviour-toy-plateau", bind="query-params")
    toy = Toy(plateau=plateau, steps=steps, inner_lr=inner, outer_lr=outer)
    with st.spinner("Following every start ..."):
        found = flowed(steps, inner, outer, plateau)
    grid = np.linspace(-150, 200, 351)
    rows = sweep_tables.toy_rows(toy, found, TOY_TITLES)
    page.frame(
        "Why would anyone accept a worse start?",
        "A toy with one parameter x and two tasks. Above: the task losses. Below: 25 starts flow to where each "
        f"learner ends{'' if plateau else '; dotted: its fixed point in closed form'}.",
        toy_figures.figure(
            grid,
            (toy.loss(1, grid), toy.loss(2, grid)),
            found.visits,
            {name: found.paths[name] for name in TOY_LEARNERS},
            found.fixed,
            TOY_TITLES,
            page.dark(),
        ),
        "behaviour-toy",
        read=words.TOY,
        data=rows,
        says=sweep_tables.toy_sentence(rows, found, steps),
    )
