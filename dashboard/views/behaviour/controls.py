"""The controls of the page Learning behaviour, and asking its probes one learner at a time."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.widgets import fitting, page
from dashboard.widgets.choosing import Shown
from dashboard.widgets.fields import Fields
from dashboard.widgets.layout import row
from dashboard.widgets.naming import titles
from engine import losses
from engine.runs.ensembles import Ensemble
from engine.tasks import Classes
from probes.questions.behaviour import Behaviour, Curve

pick = Fields("behaviour").pick
TASKS = (50, 200, 1000)


def shared(shown: Shown) -> None:
    """The controls that all parts share."""
    classes = [isinstance(one.distribution.spec.targets, Classes) for one in shown.ensembles]
    with row():
        pick("Held-out tasks", TASKS, "tasks", 200, {n: f"{n:,}" for n in TASKS})
        if not classes or not all(classes):
            pick("Losses", ("log", "linear"), "axis", "log")


def tasks() -> int:
    """On how many held-out tasks learners are compared: one number for all figures."""
    found = st.session_state.get("behaviour-tasks")
    return found if found in TASKS else 200


def choose_one(label: str, ensembles: Sequence[Ensemble], key: str, default: str) -> str:
    """One of the learners shown, kept in the URL."""
    names = titles(ensembles)
    found = st.selectbox(
        label,
        list(names),
        index=list(names).index(default) if default in names else 0,
        key=f"behaviour-{key}",
        format_func=lambda name: names.get(name, name),
        bind="query-params",
        width=190,
    )
    return found if found in names else next(iter(names))


def one_by_one(probe: str, ensembles: Sequence[Ensemble], doing: str, **config: Any) -> list[Any]:
    """The answers about each learner alone, and in a caption why some have none."""
    if said := {e.learner.title: reason for e in ensembles if (reason := fitting.unfit(probe, e))}:
        st.caption(fitting.told(said))
    return page.answers_of(probe, fitting.fit(probe, ensembles), doing, **config)


def behaved(ensembles: Sequence[Ensemble], tasks: int) -> tuple[str, list[Curve]]:
    """What learners are compared by, and every learner's curve."""
    found: list[Behaviour] = one_by_one("behaviour", ensembles, "Adapting", tasks=tasks)
    curves = [curve for one in found for curve in one.curves]
    return compared_by(ensembles[0]), curves


def compared_by(ensemble: Ensemble) -> str:
    """What people compare learners of a task by: a mean squared error, or an accuracy."""
    return losses.measure(ensemble.distribution.spec).title


def axis_of_losses() -> bool:
    """Whether losses are on a logarithmic axis: one switch for all figures."""
    return bool(st.session_state.get("behaviour-axis", "log") != "linear")
