"""How the live page opens: at its link, and at what was chosen on other pages since."""

import secrets

import streamlit as st

from dashboard.views.live import parts as live
from dashboard.views.live import session
from dashboard.views.live.session import current, found_scene, offered, show
from dashboard.widgets import choice, families, library, trained
from dashboard.widgets.state import View, from_query, nearest_shots
from engine.learners import LEARNERS

state = st.session_state


def open_link() -> None:
    """Reads the view from the URL, once per session; what the URL does not say is as it was chosen on other pages."""
    if "view" in state:
        follow(current())
        return
    view, complaints = from_query(st.query_params, offered(), tuple(LEARNERS), session.bounds_of)
    state.visit, state.complaints, state.seen, state.heard, state.look_for = secrets.token_hex(4), complaints, 0, 0, ""
    said = {field for field, name in choice.NAMES.items() if name in st.query_params}
    if said or "off" in st.query_params:
        of_view = {"collection": view.runs, "task": view.trained, "shots": view.shots, "learners": view.on}
        session.choose(**{field: value for field, value in of_view.items() if field in said})
    view = view.changed(on=families.chosen(view.on, live.families_of(session.ensembles(view))))
    at = found_scene(view.runs, view.trained)[0]
    show(view if view.points or not view.truth or not at else at.draw(view))
    follow(view)


def follow(view: View) -> None:
    """Shows what was chosen on another page since, if anything was: the same points, where the task is the same."""
    chosen = choice.current()
    if state.get(session.FOLLOWED, choice.Choice()) == chosen:
        return
    state[session.FOLLOWED], every = chosen, offered()
    runs = chosen.collection if chosen.collection in every else view.runs
    tasks = list(every.get(runs, {}))
    task = trained.find(chosen.task or view.trained, tasks)
    task = task if task in tasks or not tasks else tasks[0]
    among(
        view.changed(runs=runs, trained=task, shots=chosen.shots or view.shots, on=chosen.learners),
        anew=task != view.trained,
    )


def among(view: View, anew: bool = False) -> None:
    """Shows a view of other runs, with the shots and learners that they have; `anew`: with points of their task."""
    if anew:
        state.look_for, state["live-preset"] = "", None
    view = view.changed(shots=nearest_shots(view.shots, library.shots(view.runs, view.trained)))
    view = view.changed(on=families.chosen(view.on, live.families_of(session.ensembles(view))))
    scene = found_scene(view.runs, view.trained)[0]
    drawn = anew or not view.points
    show(scene.draw(view.changed(values={}, task=1)) if scene and drawn and view.truth else view)
