"""The controls of the page Features, kept in the URL."""

from collections.abc import Sequence

import streamlit as st


def pick(label: str, options: Sequence[str], key: str, default: str, titles: dict[str, str] | None = None) -> str:
    """One of a few, kept in the URL."""
    found = st.segmented_control(
        label,
        list(options),
        default=default,
        key=f"features-{key}",
        format_func=lambda one: (titles or {}).get(one, one),
        bind="query-params",
    )
    return found if found in options else default


def take_pair() -> None:
    """A cell was clicked: the layers that it names are the pair, whatever rows the picture has by now."""
    state = st.session_state
    for point in state["features-heat"]["selection"]["points"][:1]:
        state["features-first"], state["features-second"] = point["customdata"][:2]
