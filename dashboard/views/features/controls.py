"""The controls of the page Features, kept in the URL."""

import streamlit as st

from dashboard.widgets.fields import Fields

pick = Fields("features").pick


def take_pair() -> None:
    """A cell was clicked: the layers that it names are the pair, whatever rows the picture has by now."""
    state = st.session_state
    for point in state["features-heat"]["selection"]["points"][:1]:
        state["features-first"], state["features-second"] = point["customdata"][:2]
