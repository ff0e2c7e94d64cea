"""Runs: all of them in one table; compare, tag, export, import, delete."""

import streamlit as st

from dashboard.widgets import library
from dashboard.widgets.escape import plain
from dashboard.widgets.pages import PAGES
from dashboard.widgets.runs import broken, chosen, clock, notes, selected, table, watch

state = st.session_state

st.title(PAGES["runs"].title, anchor=False)
st.markdown(PAGES["runs"].question)
noted, complaint = notes.read(watch.root())
frame, folders = table.rows((library.CHECKPOINTS, watch.root()), noted)
row = st.container(horizontal=True, vertical_alignment="bottom")
text = row.text_input("Filter", key="runs-filter", bind="query-params", placeholder="maml 5 done", width=280)
own = row.toggle("Own runs only", key="runs-own", bind="query-params")
shown = table.matching(frame, text or "")
if own:
    shown = shown[[folders[index].is_relative_to(watch.root()) for index in shown.index]]
messages = st.container()  # always there: what comes and goes must not move what follows, which would lose an upload
if said := state.pop("runs-said", None):
    messages.success(said, icon=":material/check:")
if refused := state.pop("runs-refused", None):
    messages.error(refused, icon=":material/error:")
if complaint:
    messages.warning(plain(complaint), icon=":material/warning:")
picked = chosen.now(folders)
visible = [folders[index] for index in shown.index]
chosen.draw(
    shown,
    visible,
    {
        "run": st.column_config.TextColumn(width=230),
        "tags": st.column_config.TextColumn(width=120),
        "note": st.column_config.TextColumn(width=150),
        **table.scores(shown),
        "minutes": st.column_config.NumberColumn(format="%.1f", help="all seeds together"),
        "updated": st.column_config.TextColumn(clock.label("updated"), help=clock.sentence()),
    },
)
st.caption(f"{len(shown):,} of {len(frame):,} runs. Click a heading to sort, the boxes on the left to select.")
with st.container():
    if picked:
        selected.show(picked, hidden=len(set(picked) - set(visible)))
with st.container():
    broken.found((library.CHECKPOINTS, watch.root()))
selected.bring_in()
selected.trash()
