"""Which runs are selected on the page Runs: their folders, whatever becomes of the table they were selected in.

The browser says which rows are ticked, by their numbers in the table that it shows. Those are read against that very
table; what is kept is paths. A table with other rows is another widget, which begins with the kept paths ticked.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

state = st.session_state
CHOSEN, DRAWN, TURN = "runs-chosen", "runs-drawn", "runs-table-turn"


def now(folders: Iterable[Path]) -> list[Path]:
    """The selected ones of all runs that there are, in the order in which they were selected."""
    chosen: list[Path] = list(state.get(CHOSEN, []))
    key, drawn = state.get(DRAWN, ("none", []))
    if (said := state.get(key)) is not None:  # None: that table is not in the browser
        ticked = [drawn[row] for row in said["selection"]["rows"] if row < len(drawn)]
        kept = [path for path in chosen if path not in drawn or path in ticked]
        chosen = [*kept, *(path for path in ticked if path not in kept)]
    there = set(folders)
    state[CHOSEN] = [path for path in chosen if path in there]
    return list(state[CHOSEN])


def forget(folders: Iterable[Path] | None = None) -> None:
    """Nothing is selected any more, or these are not."""
    gone = None if folders is None else set(folders)
    state[CHOSEN] = [] if gone is None else [path for path in state.get(CHOSEN, []) if path not in gone]
    state.pop(DRAWN, None)  # another table comes, in which nothing else is ticked


def draw(frame: pd.DataFrame, folders: Sequence[Path], columns: dict[str, Any]) -> None:
    """The table of the runs in these folders, the selected ones ticked."""
    folders, (key, drawn) = list(folders), state.get(DRAWN, ("none", None))
    if drawn != folders:
        state[TURN] = state.get(TURN, 0) + 1
        key = f"runs-table-{state[TURN]}"
        state[DRAWN] = (key, folders)
    chosen = set(state.get(CHOSEN, []))
    st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        height=min(430, 38 + 35 * max(len(folders), 1)),  # pixels: a heading and its rows, no empty ones
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [row for row, path in enumerate(folders) if path in chosen]}},
        key=key,
        column_config=columns,
    )
