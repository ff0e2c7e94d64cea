"""Which operations are strong, and what one of them does."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard.figures import operations as figures
from dashboard.figures.operations import spoken
from dashboard.views.operations import moments, single, words
from dashboard.views.operations.anatomy import TASKS, along_rows, anatomy, curve_rows, strength_rows, strength_sentence
from dashboard.views.operations.controls import pick
from dashboard.widgets import numbers, page
from dashboard.widgets.layout import pair
from engine.runs.ensembles import Ensemble

MEASURES = {"strength": "strength", "step": "effective step size"}
state = st.session_state


def show_strengths(ensemble: Ensemble) -> None:
    """Which operations are strong, and how they became so; a moment of training that is chosen is seen in both."""
    plays = moments.playing()
    st.fragment(_show_strengths, run_every=moments.EVERY if plays else None)(ensemble, plays)


def _show_strengths(ensemble: Ensemble, plays: bool) -> None:
    found = anatomy(ensemble, importance=False)
    if found is None:
        return
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        what = MEASURES[pick("Show as", list(MEASURES), "measure", "strength", MEASURES)]
    alpha = float(ensemble.learner.inner_lr) if what == MEASURES["step"] else None  # type: ignore[attr-defined]
    values, along = measured(found.strengths, alpha), measured(found.along, alpha)
    start = measured(found.start, alpha)
    at = moments.choose(row, [int(moment) for moment in found.moments])
    if moments.playing() != plays:
        st.rerun()  # from now on it goes on by itself, or no longer
    shown = values if at is None else along[at]
    every = np.concatenate([values[None], along]) if at is not None else values[None]
    when = "after meta-training" if at is None else f"after {int(found.moments[at]):,} meta-updates"
    ahead = f"{what.capitalize()} of each operation {when}, mean of {len(found.seeds)} seeds; colour: as a multiple of "
    page.frame(
        "Which operations are strong?",
        ahead + f"its start{', one scale for all moments' if at is not None else ''}.",
        figures.strengths(found.operations, shown, start, what, every=every, dark=page.dark()),
        "sap-strengths",
        read=words.STRENGTHS,
        data=strength_rows(found, None if at is None else found.along[at], alpha=float(ensemble.learner.inner_lr)),  # type: ignore[attr-defined]
        says=strength_sentence(found, None if at is None else found.along[at]),
    )
    if at is not None:
        page.frame(
            "When did they become so?",
            f"{what.capitalize()} against meta-updates, mean over seeds; solid: multiplications, dotted: shifts; in "
            "colour the strongest of each site; the line is the moment above.",
            figures.along(
                found.operations,
                found.moments,
                along,
                found.learner,
                what=what,
                now=int(found.moments[at]),
                dark=page.dark(),
            ),
            "sap-along",
            read=words.ALONG,
            data=along_rows(found),
        )


def measured(strengths: np.ndarray, alpha: float | None) -> np.ndarray:
    """Strengths, or effective step sizes where an inner learning rate is given."""
    return strengths if alpha is None else alpha * strengths**2


def show_effect(ensemble: Ensemble) -> None:
    """The network drawn with its operations; one that is clicked is switched off on one task."""
    found = anatomy(ensemble, importance=False)
    if found is None:
        return
    moving = [name for name, adapts in zip(found.operations, found.adapting, strict=True) if adapts]
    row = st.container(horizontal=True, vertical_alignment="bottom")
    best = max(moving, key=lambda name: found.moved[..., moving.index(name)].mean())
    taken = state.pop("sap-clicked", None)
    if taken in moving:
        state["sap-operation"] = taken
    chosen = row.selectbox(
        "Switch off",
        moving,
        index=moving.index(best),
        key="sap-operation",
        format_func=spoken,
        bind="query-params",
        width=280,
    )
    chosen = chosen if chosen in moving else best
    number = row.number_input("Task", 0, TASKS - 1, 0, key="sap-task", bind="query-params", width=120)
    left, right = pair("sap-one")
    relative = found.strengths.mean(0) / found.start
    with left:
        event = page.frame(
            "Where does it adapt?",
            f"Operations of {ensemble.learner.title} where they act; larger and darker: stronger, as a multiple of its "
            "start. Click one to switch it off.",
            figures.network(found.operations, relative, chosen, found.learner, dark=page.dark()),
            "sap-network",
            read=words.EFFECT,
            data=strength_rows(found),
            on_select="rerun",
            selection_mode="points",
        )
    clicked = [str(_first(point.get("customdata"))) for point in event.selection.points] if event else []
    if clicked and clicked[0] in moving and clicked[0] != state.get("sap-last"):
        state["sap-last"] = state["sap-clicked"] = clicked[0]
        st.rerun()
    with right:
        _show_curves(ensemble, chosen, int(number))


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and value else value


def _show_curves(ensemble: Ensemble, operation: str, number: int) -> None:
    found = single.compared(ensemble, [operation], number)
    if found is None:
        return
    label = spoken(operation)
    page.frame(
        "What would it do without this one?",
        found.subtitle,
        single.drawn(found, f"without {label}", ensemble.learner.name),
        "sap-effect",
        read=words.EFFECT,
        data=curve_rows(found.grid, found.whole, found.changed, found.seeds, "one still"),
        says=f"Error on this task **{numbers.number(found.before, 3)}** with all operations adapting, "
        f"**{numbers.number(found.after, 3)}** with {label} held still.",
    )
