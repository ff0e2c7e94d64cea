"""Runs: all of them in one table; compare, tag, export, import, delete."""

import streamlit as st

from dashboard import library
from dashboard.training import notes, selected, table, watch

state = st.session_state

st.title("Runs", anchor=False)
st.markdown("Every training, shipped and own, with all that it was made from. Select some to compare or export them.")
frame, folders = table.rows((library.CHECKPOINTS, watch.root()), notes.read(watch.root()))
row = st.container(horizontal=True, vertical_alignment="bottom")
text = row.text_input("Filter", key="runs-filter", bind="query-params", placeholder="maml 5 done", width=280)
own = row.toggle("Own runs only", key="runs-own", bind="query-params")
shown = table.matching(frame, text or "")
if own:
    shown = shown[[folders[index].is_relative_to(watch.root()) for index in shown.index]]
if said := state.pop("runs-said", None):
    st.success(said, icon=":material/check:")
if refused := state.pop("runs-refused", None):
    st.error(refused, icon=":material/error:")
event = st.dataframe(
    shown,
    hide_index=True,
    width="stretch",
    height=430,
    on_select="rerun",
    selection_mode="multi-row",
    key=f"runs-table-{hash((text, own))}",  # a selection belongs to the rows it was made in
    column_config={
        "run": st.column_config.TextColumn(width=230),
        "tags": st.column_config.TextColumn(width=120),
        "note": st.column_config.TextColumn(width=150),
        "error": st.column_config.NumberColumn(
            "test error", format="%.4f", help="mean squared error, or the share of wrong classes, on test tasks"
        ),
        "minutes": st.column_config.NumberColumn(format="%.1f", help="all seeds together"),
    },
)
st.caption(f"{len(shown):,} of {len(frame):,} runs. Click a heading to sort, the boxes on the left to select.")
rows = [index for index in event.selection.rows if index < len(shown)]
if rows:
    selected.show([folders[shown.index[index]] for index in rows])
selected.bring_in()
selected.trash()
