"""The points and the query of the page Attribution, kept in the URL."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.widgets.escape import plain
from dashboard.widgets.fields import Fields
from dashboard.widgets.layout import row
from dashboard.widgets.state import X_DOMAIN, read_points, write_points
from probes.questions.attribution import FEW, MOST_EXACT, MOST_POINTS, TASKS

QUERY, POINTS = "attribution-x", "attribution-points"
SHAPLEY = {0: "all coalitions", 60: "60 orders", 12: "12 orders"}
BASELINES = {"zero": "0", "before": "what it said before"}
pick = Fields("attribution").pick
state = st.session_state


@dataclass(frozen=True)
class Asked:
    """What is asked: values for the probe's `Config`."""

    values: dict[str, Any]


def ask(shots: int) -> Asked:
    """The controls; a sentence for points that could not be read."""
    controls = row()
    task = controls.number_input("Task", 0, TASKS - 1, 3, key="attribution-task", bind="query-params", width=120)
    text = controls.text_input(
        "Own points",
        key=POINTS,
        bind="query-params",
        placeholder="x:y, x:y, ...",
        help=f"At most {MOST_POINTS} support points instead of the task's, x from -5 to 5.",
        width=260,
    )
    taken = _points_of_live()
    controls.button(
        "Take the points of page Live",
        on_click=_take,
        args=(taken,),
        disabled=not taken,
        help=None if taken else "Open page Live in this tab first; its points can then be asked about here.",
        icon=":material/touch_app:",
    )
    points = _read(text)
    count = len(points) or shots
    orders = 0
    if count > FEW:
        with controls:
            offered = [k for k in SHAPLEY if k or count <= MOST_EXACT]
            orders = pick("Shapley values from", offered, "orders", offered[0], SHAPLEY)
    with controls:
        baseline = pick("Labels that say nothing", list(BASELINES), "baseline", "zero", BASELINES)
    query = st.slider("Query x*", *X_DOMAIN, 1.0, 0.1, key=QUERY, bind="query-params", format="%.1f")
    values: dict[str, Any] = {"query": float(query), "orders": orders, "baseline": baseline}
    return Asked(values | ({"points": [list(p) for p in points]} if points else {"task": int(task)}))


def _read(text: str) -> tuple[tuple[float, float], ...]:
    if not text.strip():
        return ()
    try:
        points = read_points(text.replace(" ", ""))
    except ValueError as error:
        st.warning(f"The points were left out: {plain(error)}.", icon=":material/info:")
        return ()
    if len(points) > MOST_POINTS:
        st.warning(f"Only the first {MOST_POINTS} points are asked about.", icon=":material/info:")
    return points[:MOST_POINTS]


def _points_of_live() -> str:
    """The points of the page Live in this session, as links write them; "" if it was not opened."""
    view = state.get("view")
    return write_points(view.points) if view is not None and view.points else ""


def _take(points: str) -> None:
    state[POINTS] = points


def take_query(key: str) -> None:
    """A place on a curve was clicked."""
    for point in state[key]["selection"]["points"]:
        if point.get("customdata") is not None:
            state[QUERY] = round(min(max(float(point["x"]), X_DOMAIN[0]), X_DOMAIN[1]), 1)
