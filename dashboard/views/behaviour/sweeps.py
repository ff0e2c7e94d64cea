"""Loss against shots, against a shift along one axis, and over two."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from dashboard.figures import sweeps as figures
from dashboard.views.behaviour import sweep_tables, tables, words
from dashboard.views.behaviour.controls import axis_of_losses, choose_one, one_by_one, pick
from dashboard.widgets import fitting, page
from dashboard.widgets.layout import row
from dashboard.widgets.naming import seeds_of, titles
from engine.runs.ensembles import Ensemble
from engine.tasks import Axis
from probes.questions.shift import axes_of, trained_ranges
from probes.tools import scoring

SHARE = "share of saying 0"


def show_shots(ensembles: list[Ensemble], tasks: int) -> None:
    """Loss against number of support points."""
    names, fewer = titles(ensembles), max(tasks // 4, 20)
    answers = [a for one in one_by_one("shots", ensembles, "Giving more points to", tasks=fewer) for a in one.answers]
    if not answers:
        return
    sweeps, measure = sweep_tables.shot_sweeps(answers, names), scoring.measure(ensembles[0].distribution)
    away = tables.ran_away(names, ((a.learner, int(a.diverged.sum()), a.losses.size) for a in answers))
    page.frame(
        "Who makes use of more points?",
        f"Query {measure} over number of support points, after the last inner step: mean with 95 % interval, "
        f"{fewer:,} held-out tasks, {seeds_of(ensembles)}.",
        figures.along(
            sweeps,
            "support points",
            measure,
            log=axis_of_losses(),
            dark=page.dark(),
            trained=(answers[0].trained_shots,) * 2,
            nothing=(answers[0].shots.astype(float), np.full(len(answers[0].shots), answers[0].nothing)),
            log_x=True,
            ticks=answers[0].shots,
        ),
        "behaviour-by-shots",
        read=words.SHOTS,
        data=sweep_tables.sweep_rows(sweeps, "shots"),
        says=f"{sweep_tables.shots_sentence(answers, names)} {away}".strip(),
    )


def show_shift(ensembles: list[Ensemble], tasks: int) -> None:
    """Loss along one axis out of the training range, and the map over two."""
    names, fewer, axes = titles(ensembles), max(tasks // 4, 20), axes_of(ensembles)
    if not axes:
        st.info("Choose learners of tasks that can be moved along the same axis.", icon=":material/info:")
        return
    with row():
        axis = pick("Moved", list(axes), "moved", first_of(axes, "amplitude"))
        loss = scoring.measure(ensembles[0].distribution)
        unit = pick("Loss", (_short(loss), SHARE), "unit", _short(loss))
    answers = one_by_one("shift", ensembles, "Moving the tasks of", tasks=fewer, axis=axis)
    if not answers:
        return
    found, relative = sweep_tables.joined(answers), unit == SHARE
    sweeps = sweep_tables.shift_sweeps(found, names, relative=relative)
    nothing = np.ones(len(found.values)) if relative else found.answers[0].nothing[:, 0]
    away = tables.ran_away(names, ((a.learner, int(a.diverged.sum()), a.losses.size) for a in found.answers))
    trained = found.answers[0].trained[axis]
    measure = f"error as a {SHARE}" if relative else loss
    page.frame(
        f"What happens when the {axis if axis != 'inputs' else 'range of inputs'} leaves the training range?",
        f"Query {measure} over {axes[axis].title}, after the last inner step: mean with 95 % interval, "
        f"{fewer:,} held-out tasks at every value, {seeds_of(ensembles)}.",
        figures.along(
            sweeps,
            axes[axis].title,
            measure,
            log=axis_of_losses(),
            dark=page.dark(),
            trained=trained,
            nothing=(found.values, nothing),
        ),
        "behaviour-shift",
        read=words.SHIFT,
        data=sweep_tables.sweep_rows(sweeps, axis),
        says=f"{sweep_tables.shift_sentence(found, names, trained, relative=relative)} {away}".strip(),
    )
    show_map(ensembles, fewer, axes)


def first_of(axes: Mapping[str, Axis], wanted: str) -> str:
    """The wanted axis, or the first where there is no such one."""
    return wanted if wanted in axes else next(iter(axes))


def show_map(ensembles: list[Ensemble], tasks: int, known: Mapping[str, Axis]) -> None:
    """The map over two axes, for one learner or two; computed on demand."""
    if not st.toggle("Map over two axes", key="behaviour-map", bind="query-params"):
        return
    shown = fitting.fit("shift", ensembles)
    with row():
        learner = choose_one("Learner", shown, "map-learner", "maml")
        against = st.selectbox(
            "Compared with",
            [e.learner.name for e in shown if e.learner.name != learner],
            index=None,
            placeholder="nobody",
            key="behaviour-map-against",
            format_func=lambda name: titles(shown).get(name, name),
            bind="query-params",
            width=190,
        )
        choices = (("Upwards", "map-up", "amplitude"), ("To the right", "map-right", "frequency"))
        axes = [choose_axis(known, label, key, first_of(known, wanted)) for label, key, wanted in choices]
    up, right = axes
    if up == right:
        st.info("Choose two different axes.", icon=":material/info:")
        return
    by_name = {e.learner.name: e for e in shown}
    two = [by_name[name] for name in (learner, against) if name in by_name]
    few = max(tasks // 2, 10)
    answers = one_by_one("shift", two, "Moving the tasks both ways for", tasks=few, axis=up, second=right)
    if len(answers) < len(two):
        return
    names = titles(two)
    table, values = sweep_tables.mapped(answers)
    compared, ranges = len(two) == 2, trained_ranges(two[0].distribution)
    title, loss = " and ".join(names.values()), scoring.measure(two[0].distribution)
    page.frame(
        f"Where does {names[learner]} hold out better than {names[str(against)]}?"
        if compared
        else f"How far from training does {title} hold out?",
        f"{f'Ratio of losses ({loss})' if compared else f'Query {loss}'} over {right} and {up}; {few} "
        f"held-out tasks in every cell, {seeds_of(two)}. Framed: what training covered.",
        figures.over_two(
            values,
            ((up, answers[0].values), (right, answers[0].second_values)),
            (ranges[up], ranges[right]),
            ("times the error", "ratio") if compared else (_short(loss),) * 2,
            titles=(known[up].title, known[right].title),
            compared=compared,
            dark=page.dark(),
        ),
        "behaviour-map-figure",
        read=words.MAP,
        data=table,
        says=sweep_tables.map_sentence(answers, names) if compared else "",
    )


def _short(loss: str) -> str:
    """A loss where there is little room."""
    return "MSE" if loss == "mean squared error" else loss


def choose_axis(axes: Mapping[str, Axis], label: str, key: str, default: str) -> str:
    """One axis along which tasks move, kept in the URL."""
    options = list(axes)
    found = st.selectbox(
        label, options, index=options.index(default), key=f"behaviour-{key}", bind="query-params", width=150
    )
    return found if found in axes else default
