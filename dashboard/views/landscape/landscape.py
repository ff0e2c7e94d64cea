"""Loss landscape: what lies around adapted weights and around meta-parameters, and how curved it is."""

from collections.abc import Callable

import streamlit as st

from dashboard.views.landscape import curvature, surfaces
from dashboard.views.landscape import holds as landscape_holds
from dashboard.views.landscape.cost import show_cost
from dashboard.views.landscape.rules import show_rules
from dashboard.widgets import holds, page

DEFAULT = ("finetuning", "maml", "reptile", "turtle", "op-lstm", "sap")

st.title("Loss landscape", anchor=False)
st.markdown(
    "Two different losses. The **task loss** is where the inner loop walks: one task, as a function of a network's "
    "weights. The **meta-loss** is where meta-training walks: all tasks after adaptation, as a function of all that is "
    "meta-learned."
)
readings = landscape_holds.readings()
holds.show_summary(readings)
choice = page.choose("landscape", "landscape", DEFAULT)


def of_learners(show: Callable[[list], None]) -> Callable[[], None]:
    """A part about the learners chosen."""

    def shown() -> None:
        if choice.ensembles:
            show(choice.ensembles)
        else:
            st.info("Choose at least one learner above.", icon=":material/info:")

    return shown


parts: dict[str, Callable[[], None]] = {
    "Task loss": of_learners(surfaces.show_task),
    "Meta-loss": of_learners(surfaces.show_meta),
    "Curvature": of_learners(curvature.show_curvature),
    "Learned rules": lambda: show_rules(choice),
    "Cost": show_cost,
}
page.show_parts("landscape", parts)
holds.show(readings)
