"""Which operations are strong, and what one of them does."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard import page
from dashboard.behaviour.controls import pair
from dashboard.figures import operations as figures
from dashboard.figures.operations import spoken
from dashboard.operations import words
from dashboard.operations.reading import TASKS, along_rows, anatomy, curve_rows, strength_rows, strength_sentence
from engine.ensembles import Ensemble
from probes import representations, subspace
from probes.adaptation import adaptation

MEASURES = {"strength": "strength", "step": "effective step size"}
GRID = np.linspace(-5.0, 5.0, 161)
state = st.session_state


def show_strengths(ensemble: Ensemble) -> None:
    """Which operations are strong, and how they became so."""
    found = anatomy(ensemble, importance=False)
    if found is None:
        return
    measure = st.segmented_control(
        "Show as", list(MEASURES), default="strength", key="sap-measure", format_func=MEASURES.get, bind="query-params"
    )
    step = measure == "step"
    alpha = float(ensemble.learner.inner_lr)  # type: ignore[attr-defined]
    values, start = (found.step_sizes, alpha * found.start**2) if step else (found.strengths, found.start)
    what = MEASURES["step" if step else "strength"]
    page.frame(
        "Which operations are strong?",
        f"{what.capitalize()} of each operation after meta-training, mean of {len(found.seeds)} seeds; colour: as a "
        "multiple of its start.",
        figures.strengths(found.operations, values, start, what, dark=page.dark()),
        "sap-strengths",
        read=words.STRENGTHS,
        data=strength_rows(found),
        says=strength_sentence(found),
    )
    if len(found.moments) > 1:
        page.frame(
            "When did they become so?",
            "Strength against meta-updates, mean over seeds; solid: multiplications, dotted: shifts; in colour the "
            "strongest of each site.",
            figures.along(found.operations, found.moments, found.along, found.learner, dark=page.dark()),
            "sap-along",
            read=words.STRENGTHS,
            data=along_rows(found),
        )


def show_effect(ensemble: Ensemble) -> None:
    """The network drawn with its operations; one that is clicked is switched off on a sine."""
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
    tasks, hidden = representations.tasks_of(ensemble.distribution, TASKS)
    points = np.concatenate([tasks.support_x[number].numpy(), tasks.support_y[number].numpy()], 1)
    a, p = (float(hidden[key][number]) for key in ("amplitude", "phase"))

    def truth(x: np.ndarray) -> np.ndarray:
        return a * np.sin(x + p)

    learner = ensemble.learner
    steps = [learner.evaluation_steps]
    query = tasks.query_x[number, :, 0].numpy()
    whole = adaptation(ensemble, points, GRID, steps, truth, query)
    off = adaptation(_Changed(ensemble, subspace.frozen(learner, [operation])), points, GRID, steps, truth, query)  # type: ignore[arg-type]
    before, after = float(whole.errors.mean()), float(off.errors.mean())
    page.frame(
        "What would it do without this one?",
        f"Task {number}: {a:.2f} sin(x + {p:.2f}), {len(points)} points, after {steps[0]} steps.",
        figures.effect(
            GRID,
            truth(GRID),
            points,
            whole.curves[0],
            off.curves[0],
            f"without {spoken(operation)}",
            learner.name,
            dark=page.dark(),
        ),
        "sap-effect",
        read=words.EFFECT,
        data=curve_rows(GRID, whole.curves[0], off.curves[0], [run.seed for run in ensemble.runs]),
        says=f"Error on this task **{before:.3g}** with all operations adapting, **{after:.3g}** with "
        f"{spoken(operation)} held still.",
    )


class _Changed(Ensemble):
    """The same weights behind a learner with other settings."""

    def __init__(self, ensemble: Ensemble, learner: Any):
        object.__setattr__(self, "runs", ensemble.runs)
        object.__setattr__(self, "_learner", learner)

    @property
    def learner(self) -> Any:
        """The learner with other settings."""
        return self._learner  # type: ignore[attr-defined]
