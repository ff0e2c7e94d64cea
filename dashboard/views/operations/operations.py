"""SAP operations: which ones it adapts, where, how strongly, and whether that is what the tasks ask for."""

from collections.abc import Callable

import streamlit as st

from dashboard.views.operations import readings, strengths, structure, worth
from dashboard.widgets import parts
from dashboard.widgets.choosing import Shown
from dashboard.widgets.naming import titles
from dashboard.widgets.pages import PAGES
from dashboard.widgets.parts import Part
from engine.runs.ensembles import Ensemble

ONE = "sap-one"


def which(shown: Shown) -> None:
    """Of several learners with operations, the one that the parts look into."""
    names = titles(shown.ensembles)
    if len(names) > 1:
        first = next(iter(names))
        st.segmented_control(
            "Look into", list(names), default=first, key=ONE, format_func=names.get, bind="query-params"
        )


def of_one(draw: Callable[[Ensemble], None]) -> Callable[[Shown], None]:
    """A part about that one."""

    def drawn(shown: Shown) -> None:
        name = st.session_state.get(ONE)
        draw(next((e for e in shown.ensembles if e.learner.name == name), shown.ensembles[0]))

    return drawn


PARTS = (
    Part("Strengths", of_one(strengths.show_strengths), "subspace"),
    Part("One operation", of_one(strengths.show_effect), "subspace"),
    Part("Worth", of_one(worth.show_worth), "subspace"),
    Part("What they answer to", of_one(worth.show_answers), "subspace"),
    Part("Match with the tasks", lambda _: structure.show_structure()),
    Part("Other learners", structure.show_others),
)

parts.show(PAGES["operations"], PARTS, readings.readings(), which)
