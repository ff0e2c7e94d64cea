"""The controls of the surfaces and of curvature, and asking their probes one learner at a time, with a way to stop."""

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.widgets import page
from dashboard.widgets.fields import Fields
from engine.runs.ensembles import Ensemble

STOPPED = "landscape-stopped"
SCROLLS = """.st-key-KEY { overflow-x: auto; }
.st-key-KEY > div { min-width: 900px; }"""
state = st.session_state
FIELDS = Fields("landscape")
pick, number = FIELDS.pick, FIELDS.number


def scrolls(key: str) -> None:
    """Lets a figure of several panels keep its width where the screen is narrow, and be moved sideways."""
    st.html(f"<style>{SCROLLS.replace('KEY', key)}</style>")


def one_by_one(probe: str, ensembles: Sequence[Ensemble], doing: str, *, stoppable: bool, **config: Any) -> list[Any]:
    """The answers about each learner alone, those that are known first; another learner costs its own answer only.

    Where it may take long, a button stops it: what is known by then is shown, with a button to go on.
    """
    asked = json.dumps([probe, [e.learner.name for e in ensembles], config], sort_keys=True)
    waiting = [e for e in ensembles if page.known(probe, [e], **config) is None]
    slot = st.empty()
    if stoppable and waiting:
        if state.get(STOPPED) == asked:
            _stopped(slot, [e.learner.title for e in waiting])
            ensembles = [e for e in ensembles if e not in waiting]
        else:
            slot.button(
                f"Stop: {len(waiting)} of {len(ensembles)} learners to go",
                key="landscape-stop",
                icon=":material/stop_circle:",
                on_click=lambda: state.update({STOPPED: asked}),
            )
    answers = page.answers_of(probe, ensembles, doing, **config)
    if state.get(STOPPED) != asked:
        slot.empty()
    return answers


def _stopped(slot: Any, titles: list[str]) -> None:
    with slot.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Go on",
            key="landscape-go",
            icon=":material/play_arrow:",
            on_click=lambda: state.update({STOPPED: None}),
        )
        st.caption(f"Stopped before {', '.join(titles)}.")
