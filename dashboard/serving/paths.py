"""Which files and folders the server reads because somebody on a page named them.

the server listens to this machine alone    whatever the person who started it can read: nobody else is asking
others can reach it, or it only shows       nothing, but what was uploaded to it
"""

from pathlib import Path

import streamlit as st

from dashboard.serving.readonly import HERE, SENTENCE, read_only
from dashboard.widgets import library
from engine.errors import EngineError
from engine.runs.uploads import UPLOADED

REFUSED = (
    "Others can reach this server, so it reads no path of its machine: upload a zip instead, or start it for this "
    "machine alone (python -m dashboard)."
)


def local() -> bool:
    """Whether the server listens to this machine alone, and under no other name (as behind a proxy)."""
    named = st.get_option("server.allowedHosts") or ()
    return st.get_option("server.address") in HERE and set(named) <= set(HERE)


def may_read(path: str) -> None:
    """Asked before a path that came from a page is looked at.

    Raises:
        EngineError: the server reads no such path.
    """
    if read_only():
        raise EngineError(SENTENCE)
    if local():
        return
    uploads = (library.RUNS / UPLOADED).resolve()
    try:
        below = Path(path).resolve().is_relative_to(uploads)
    except (OSError, ValueError, RuntimeError):
        below = False
    if not below:
        raise EngineError(REFUSED)
