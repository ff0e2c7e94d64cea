"""A moment of training, chosen by a slider or played from the first one to the last."""

import time
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

MOMENT = "sap-moment"
DUE = "sap-moment-due"  # when the next moment is shown; None or absent: nothing plays
SHOWN = "sap-moment-shown"  # what the slider stood at before playing, and every moment shown since
LATE = 3  # moments back that a busy browser may still name with its next message, while a newer one is shown
EVERY = 0.7  # seconds that a moment is shown while playing
state = st.session_state


def playing() -> bool:
    """Whether the moments play."""
    return state.get(DUE) is not None


def choose(row: DeltaGenerator, moments: Sequence[int]) -> int | None:
    """The place of the chosen moment among `moments`, in ascending order; None where there are fewer than two."""
    if len(moments) < 2:
        state.pop(DUE, None)
        return None
    if state.get(MOMENT) not in moments:
        state.pop(MOMENT, None)
    if playing() and time.monotonic() >= state[DUE]:
        go_on(moments)
    plays = playing()
    row.button(
        "Stop" if plays else "Play",
        key="sap-play",
        icon=":material/stop:" if plays else ":material/play_arrow:",
        on_click=stop if plays else start,
        args=() if plays else (moments,),
    )
    found = row.select_slider(
        "Meta-updates", list(moments), value=moments[-1], key=MOMENT, on_change=moved, bind="query-params", width=420
    )
    return moments.index(found) if found in moments else len(moments) - 1


def start(moments: Sequence[int]) -> None:
    """Shows the first moment and plays on from there."""
    state[SHOWN] = [state.get(MOMENT, moments[-1])]
    _show(moments[0])


def moved() -> None:
    """The slider says another moment: a hand moved it, which ends the playing, or a message older than what is shown.

    Whatever a browser sends names all values that it knows; it may not have heard of the newest moment yet.
    """
    if playing() and state[MOMENT] in state[SHOWN][-1 - LATE : -1]:
        state[MOMENT] = state[SHOWN][-1]
    else:
        stop()


def stop() -> None:
    """Stays where it is."""
    state[DUE] = None


def go_on(moments: Sequence[int]) -> None:
    """The next moment; from the last one there is none, and nothing plays any more."""
    later = [moment for moment in moments if moment > state.get(MOMENT, moments[-1])]
    if later:
        _show(later[0])
    if len(later) < 2:
        stop()


def _show(moment: int) -> None:
    state[MOMENT], state[DUE] = moment, time.monotonic() + EVERY
    state[SHOWN] = [*state[SHOWN], moment]
