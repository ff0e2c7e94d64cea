"""The live page without a browser: opening it at a link, and what its pad and its address hold."""

from __future__ import annotations

import json
import os
from typing import Any

from streamlit.testing.v1 import AppTest

from dashboard.views.live import session
from dashboard.widgets import library
from dashboard.widgets.state import View, from_query
from engine.learners import LEARNERS as REGISTERED
from tests.dashboard.pages import app, fine

COLLECTION = os.environ.get("INNERLOOP_TEST_RUNS", "sine-tuned")
LEARNERS = ("finetuning", "maml", "fomaml", "reptile", "lstm", "op-lstm")


def opened(**query: str) -> AppTest:
    """The page after its first run, at a link."""
    at = app()
    at.query_params["runs"] = COLLECTION
    for name, text in query.items():
        at.query_params[name] = text
    return fine(at.run())


def pad(at: AppTest) -> dict[str, Any]:
    """The data that the pad got."""
    return json.loads(at.get("bidi_component")[0].proto.json)


def view(at: AppTest) -> View:
    """The view of the session."""
    return at.session_state["view"]


def in_address(at: AppTest) -> View:
    """The view that the address bar holds."""
    query = {name: values[0] if isinstance(values, list) else values for name, values in at.query_params.items()}
    found, complaints = from_query(query, library.offered(), tuple(REGISTERED), session.bounds_of)
    assert complaints == []
    return found


def sent(at: AppTest, **state: Any) -> AppTest:
    """The page after the pad's browser side has sent something; an edit is of the points that the page shows."""
    if isinstance(state.get("edit"), dict):
        state["edit"] = {"revision": pad(at)["revision"], **state["edit"]}
    at.session_state["pad"] = state
    return fine(at.run())
