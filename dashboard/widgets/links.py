"""What a link says, checked in one place: no value of it breaks a page, and one that a field does not take is named.

Fields with `bind="query-params"` read their values from the address themselves. Streamlit leaves out what it cannot
read without a word, and stops at numbers that are infinite or longer than it can hold.
"""

import math
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.widgets.escape import plain
from engine.errors import quoted

MOST = 2.0**53  # beyond it a browser's numbers have gaps
TEXTS = ("runs-filter", "train-folder")  # fields that take any letters, also those of a number
ASKED, SAID = "link-asked", "link-said"  # by parameter: what the link gave and no field has read yet; what to say of it
state = st.session_state


def clean(page: str) -> None:
    """Before any field: takes numbers that none can hold out of the address, and begins again without them.

    Args:
        page: its address; what is said of a link is shown until another page is opened.
    """
    if ASKED not in state:
        state[ASKED] = {key: st.query_params.get_all(key) for key in st.query_params if "-" in key}  # as fields' keys
    if state.setdefault(SAID, (page, {}))[0] != page:
        state[SAID] = (page, {})
    given = {key: st.query_params.get_all(key) for key in st.query_params if "-" in key and key not in TEXTS}
    endless = {key: value for key, values in given.items() for value in values if _endless(value)}
    for key, value in endless.items():
        state[SAID][1][key] = f"{quoted(value)} is not a number that a field can hold"
        forget(key)
    if endless:
        st.rerun()


def tell(place: DeltaGenerator) -> None:
    """After the page: one sentence for each value of the link that a number field or a switch did not take."""
    asked, said = state[ASKED], state[SAID][1]
    for key in [key for key in asked if key in state]:
        text, shown = asked.pop(key)[-1], state[key]
        if not _taken(text, shown):
            instead = "is empty" if shown is None else f"shows {str(shown).lower()}"
            said[key] = f"the field does not take {quoted(text)} and {instead}"
    for key, why in said.items():
        place.warning(f"The link's value for {plain(key, 80)} was left out: {plain(why)}.", icon=":material/link_off:")


def _endless(text: str) -> bool:
    """Whether it is written as a number that fields of whole numbers cannot make one of, such as inf or 1e309."""
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isinf(number) or abs(number) > MOST


def _taken(text: str, shown: Any) -> bool:
    """Whether a field shows what a link gave; of fields for anything but numbers and switches always."""
    if isinstance(shown, bool):
        return text.lower() == str(shown).lower()
    if shown is None:
        return not text
    if not isinstance(shown, int | float):
        return True
    try:
        return float(text) == shown
    except ValueError:
        return False


def leave_out(key: str, why: str) -> None:
    """Has the page say that a value of the link was left out, and why."""
    state[SAID][1][key] = why


def forget(key: str) -> None:
    """Takes a parameter out of the address: of a field too, which is there already on the way back to a link."""
    state[ASKED].pop(key, None)  # nothing is left to be said of it
    context = get_script_run_ctx()
    assert context is not None
    with context.session_state.query_params() as parameters:
        parameters.remove_param(key)
