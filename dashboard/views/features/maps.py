"""Features, *Maps*: learners, seeds and tasks as points, in linked views."""

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.figures import maps as map_figures
from dashboard.views.features import alike, words
from dashboard.views.features.controls import pick
from dashboard.widgets import page
from dashboard.widgets.naming import titles
from dashboard.widgets.numbers import percent
from engine.runs.ensembles import Ensemble
from engine.tasks import Classes
from probes.questions.maps import CAP, Map

COLOURS = {
    "learner": "learner",
    "amplitude": "amplitude",
    "phase": "phase",
    "step": "inner steps done",
    "error": "error",
}
OF_CLASSES = {"learner": "learner", "step": "inner steps done", "accuracy": "accuracy"}
SELECTED = "features-selected"  # what is selected on the maps: a kind and numbers
state = st.session_state


def show_maps(ensembles: list[Ensemble]) -> None:
    """Two linked views, and what the selected points say."""
    classes = isinstance(ensembles[0].distribution.spec.targets, Classes)
    colours, space = OF_CLASSES if classes else COLOURS, "features"
    with st.container(horizontal=True):
        if not classes:  # what is said of a class, and what a task is made of, have no numbers
            space = pick("What is mapped", ["features", "predictions"], "space", "features")
        colour = pick("Coloured by", list(colours), "class-colour" if classes else "colour", "learner", colours)
        views = ["nothing", "UMAP"] if classes else ["tasks", "UMAP"]
        beside = pick("Beside it", views, "class-beside" if classes else "beside", views[0])
    found = page.answer("maps", ensembles, "Adapting to 60 tasks ...", space=space)
    if found is None:
        return
    chosen = selection(found, f"{space} {[run.sha256 for e in ensembles for run in e.runs]}")
    names = titles(ensembles)
    points = alike.map_points(found, ensembles, names, colour, colours[colour], chosen)
    table = alike.map_rows(found, names)
    left, right = st.columns(2)
    count = f"{len(found.xy):,} of {found.total:,} points shown"
    share = found.explained
    with left:
        page.frame(
            "Who ends up near whom?",
            f"First two principal components of the {space}, {percent(share.sum())} of the variance; {count}.",
            map_figures.scatter(
                points,
                found.xy,
                (f"component 1 ({percent(share[0])})", f"component 2 ({percent(share[1])})"),
                page.dark(),
            ),
            "features-pca",
            read=words.MAPS_OF_CLASSES if classes else words.MAPS,
            data=table,
            says=alike.still(found, names, space),
            on_select=lambda: take_selection("features-pca", "points"),
        )
    with right:
        if beside == "tasks":
            show_tasks(found, chosen)
        elif beside == "UMAP":
            show_umap(ensembles, space, points, count)
    if not classes:
        show_said(found, points, chosen)


def show_tasks(found: Map, chosen: np.ndarray) -> None:
    """The plane of tasks, coloured by how hard they are."""
    rows = alike.task_rows(found, chosen)
    page.frame(
        "Which tasks are these?",
        "Amplitude over phase, coloured by the mean error of the learners shown after adaptation.",
        map_figures.tasks(
            rows.task.to_numpy(),
            rows.phase.to_numpy(),
            rows.amplitude.to_numpy(),
            rows.error.to_numpy(),
            rows.selected.to_numpy(),
            page.dark(),
        ),
        "features-tasks",
        read="Each point is a held-out task. The error is the mean squared distance from the true function, averaged "
        "over all learners and seeds shown, after their last inner step.",
        data=rows,
        on_select=lambda: take_selection("features-tasks", "tasks"),
    )


def show_umap(ensembles: list[Ensemble], space: str, points: map_figures.Points, count: str) -> None:
    """UMAP of the same points."""
    label = "UMAP takes about 10 seconds, the first time half a minute ..."
    found = page.answer("maps", ensembles, label, space=space, method="umap")
    if found is None:
        return
    page.frame(
        "And who are the neighbours?",
        f"UMAP of the {space}, 15 neighbours, seed 0; {count}.",
        map_figures.scatter(points, found.xy, ("UMAP 1", "UMAP 2"), page.dark()),
        "features-umap",
        read=words.MAPS,
        data=pd.DataFrame(found.xy, columns=["UMAP 1", "UMAP 2"]),
        on_select=lambda: take_selection("features-umap", "points"),
    )


def show_said(found: Map, points: map_figures.Points, chosen: np.ndarray) -> None:
    """The curves of what is selected."""
    if chosen.all():
        st.caption(f"Select points or tasks to see what the learners say there. A map has at most {CAP:,} points.")
        return
    st.button("Clear the selection", key="features-clear", on_click=lambda: state.pop(SELECTED, None))
    rows, truths = alike.chosen_curves(found, chosen)
    page.frame(
        "What do the selected points say?",
        f"Prediction over input of {len(rows)} of the {int(chosen.sum())} points selected; dotted: the true functions.",
        map_figures.said(points, rows, found.places, found.said, truths, page.dark()),
        "features-said",
        read="A curve for each selected point: one learner and seed, on one task, after some inner steps.",
        data=alike.map_rows(found, dict(zip(points.names, points.titles, strict=True))).iloc[rows],
    )


def take_selection(key: str, kind: str) -> None:
    """Something was selected on one view: remember it for all of them. An empty one is left to the button."""
    points = state[key]["selection"]["points"]
    numbers = [int(point["customdata"][0]) for point in points]
    if numbers:
        state[SELECTED] = {"kind": kind, "numbers": numbers, "of": state.get("features-of")}


def selection(found: Map, of: str) -> np.ndarray:
    """Which points are selected, (n,); all of them if none is, or if the selection was of another map."""
    state["features-of"] = of
    taken = state.get(SELECTED)
    if not taken or taken["of"] != of:
        return np.ones(len(found.xy), bool)
    numbers = np.arange(len(found.xy)) if taken["kind"] == "points" else found.task
    chosen = np.isin(numbers, taken["numbers"])
    return chosen if chosen.any() else np.ones(len(found.xy), bool)
