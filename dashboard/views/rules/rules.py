"""Update rules: which way learners step, what rule they have learned, and what black boxes do instead."""

from collections.abc import Callable

import streamlit as st

from dashboard.views.rules import boxes, directions, memory, rule
from dashboard.views.rules import holds as rules_holds
from dashboard.widgets import holds, page

DEFAULT = ("maml", "turtle", "meta-lstm-enhanced", "lstm", "lstm-sequential", "op-lstm")

st.title("Update rules", anchor=False)
st.markdown(
    "Some learners descend gradients; others have learned what to do instead. Is it gradient descent after all, how "
    "much of it can be written down, and what do the black boxes resemble?"
)
found = rules_holds.readings()
holds.show_summary(found)
choice = page.choose("rules", "behaviour", DEFAULT)
if choice.ensembles:
    parts: dict[str, Callable[[], None]] = {
        "Directions": lambda: directions.show_directions(choice.ensembles),
        "The rule": lambda: rule.show_rule(choice.ensembles),
        "Black boxes": lambda: boxes.show_boxes(choice.ensembles),
        "Memory": lambda: memory.show_memory(choice.ensembles),
    }
    page.show_parts("rules", parts)
else:
    st.info("Choose at least one learner above.", icon=":material/info:")
holds.show(found)
