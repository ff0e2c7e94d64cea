"""Runs that cannot be read or drawn: each costs one line with its name, the reason, and a way to delete it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from dashboard.serving.readonly import may_act, read_only
from dashboard.widgets import library
from dashboard.widgets.runs.words import reason
from engine.errors import EngineError
from engine.jobs import local as jobs
from engine.runs.listing import broken

MOST = 20  # lines
REFUSED = "broken-refused"


def found(roots: Sequence[Path]) -> None:
    """The run folders below the roots whose records cannot be read."""
    every = list(broken(*roots))
    if not every:
        return
    runs = "1 run folder" if len(every) == 1 else f"{len(every):,} run folders"
    with st.expander(f"{runs} that cannot be read", icon=":material/warning:", expanded=len(every) == 1):
        for folder, why in every[:MOST]:
            line(folder, why)
        if len(every) > MOST:
            st.caption(f"And {len(every) - MOST:,} more: `python -m engine runs` names them all.")
    if said := st.session_state.pop(REFUSED, None):
        st.error(said, icon=":material/error:")


def guarded(draw: Callable[[], object], folder: Path) -> None:
    """Draws one run; whatever goes wrong with it stays with it."""
    try:
        draw()
    except Exception as error:  # of a record or history that nobody foresaw: the other runs are still shown
        line(folder, f"cannot be shown ({type(error).__name__}).")


def line(folder: Path, why: str) -> None:
    """One run: its name, what is wrong with it, and a button where it may be deleted."""
    name = library.shown(folder)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.text(f"{name}: {why.replace(str(folder), '').lstrip('/: ')}")  # plain text: it comes from elsewhere
    if folder.is_relative_to(library.RUNS):
        row.space("stretch")
        row.button(
            "Delete",
            key=f"delete-broken-{folder}",
            icon=":material/delete:",
            on_click=_delete,
            args=(folder,),
            disabled=read_only(),
            help="It goes to the trash on the page Runs, from where it comes back.",
        )


def _delete(folder: Path) -> None:
    try:
        may_act()
        jobs.delete(folder, library.RUNS)
    except (EngineError, OSError) as error:
        st.session_state[REFUSED] = reason(error)
