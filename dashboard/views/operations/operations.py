"""SAP operations: which ones it adapts, where, how strongly, and whether that is what the tasks ask for."""

from collections.abc import Callable

import streamlit as st

from dashboard.views.operations import holds as sap_holds
from dashboard.views.operations import strengths, structure, worth
from dashboard.widgets import holds, page

st.title("SAP operations", anchor=False)
st.markdown(
    "Which parameters should adapt at all? SAP learns it: simple operations between its layers, each with a strength."
)
found = sap_holds.readings()
holds.show_summary(found)
choice = page.choose("sap", "subspace", ("sap",))
if choice.ensembles:
    chosen = choice.ensembles[0]
    if len(choice.ensembles) > 1:
        titles = {e.learner.name: e.learner.title for e in choice.ensembles}
        name = st.segmented_control(
            "Look into",
            list(titles),
            default=chosen.learner.name,
            key="sap-one",
            format_func=titles.get,
            bind="query-params",
        )
        chosen = next((e for e in choice.ensembles if e.learner.name == name), chosen)
    parts: dict[str, Callable[[], None]] = {
        "Strengths": lambda: strengths.show_strengths(chosen),
        "One operation": lambda: strengths.show_effect(chosen),
        "Worth": lambda: worth.show_worth(chosen),
        "What they answer to": lambda: worth.show_answers(chosen),
        "Match with the tasks": structure.show_structure,
        "Other learners": lambda: structure.show_others(choice),
    }
    page.show_parts("sap", parts)
else:
    st.info("Choose a learner above.", icon=":material/info:")
holds.show(found)
