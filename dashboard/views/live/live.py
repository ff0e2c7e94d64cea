"""Live adaptation: drag the points, and every learner adapts before the hand stops moving."""

import secrets
import shlex
from typing import NamedTuple

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.components.pad import pad, read_edit, read_place, read_switches
from dashboard.views.live import parts as live
from dashboard.views.live.folds import data_table, how_to_read, publication_figure
from dashboard.widgets import families, library
from dashboard.widgets.escape import code, plain
from dashboard.widgets.state import (
    MAX_STEP,
    RANGES,
    X_DOMAIN,
    Y_LIMIT,
    View,
    clean_points,
    from_query,
    nearest_shots,
    place,
    to_query,
)
from engine.learners import LEARNERS
from engine.runs.ensembles import Ensemble
from probes.tools.adaptation import Adaptation

PAD = "pad"
DRAWERS = ("Figure", "Data")  # parts of the page that need every curve
TASK = "sine"
state = st.session_state


def current() -> View:
    """The view of this session."""
    return state.view  # type: ignore[no-any-return]


def ensembles(view: View) -> list[Ensemble]:
    """The learners of a view, as they are on the disk now."""
    state.opened = (view.runs, view.shots, library.joined(view.runs, TASK, view.shots)[0])
    return state.opened[2]  # type: ignore[no-any-return]


def ensembles_at_hand(view: View) -> list[Ensemble]:
    """The same, but while a hand moves those that were found last: asking the disk takes an eighth of an answer."""
    edit = (state.get(PAD) or {}).get("edit")
    moves = isinstance(edit, dict) and edit.get("final") is False
    known = state.get("opened", ())
    return known[2] if moves and known[:2] == (view.runs, view.shots) else ensembles(view)


def show(view: View) -> None:
    """Makes `view` the current one, of a new revision: the pad adopts its points, and edits of older ones are dropped.

    A revision is of this session alone, since a browser that was connected to another still holds edits of that one.
    """
    state.view = view
    state.revisions = state.get("revisions", 0) + 1
    state.revision = f"{state.visit}.{state.revisions}"
    for name in RANGES:
        state[f"live-{name}"] = float(getattr(view, name))


def open_link() -> None:
    """Reads the view from the URL, once per session."""
    if "view" in state:
        return
    view, complaints = from_query(st.query_params, library.offered(TASK), tuple(LEARNERS))
    state.visit, state.complaints, state.seen, state.heard, state.look_for = secrets.token_hex(4), complaints, 0, 0, ""
    view = view.changed(on=families.chosen(view.on, live.families_of(ensembles(view))))
    show(view if view.points or not view.truth else live.draw_points(view))


def controls() -> None:
    """New task, presets, shots; the rest under More."""
    view = current()
    row = st.container(horizontal=True, vertical_alignment="center")  # wraps on a narrow screen
    row.button("New task", on_click=on_new_task, width=140, key="live-new", icon=":material/casino:")
    row.selectbox(
        "Show a phenomenon",
        list(live.PRESETS),
        index=None,
        placeholder="Show a phenomenon",
        key="live-preset",
        on_change=on_preset,
        label_visibility="collapsed",
        width=200,
    )
    state["live-shots"] = view.shots
    shots = library.shots(view.runs, TASK) or [view.shots]
    row.segmented_control(
        "Learners trained with",
        shots,
        format_func=lambda k: f"{k} shots" if len(shots) < 4 else str(k),
        key="live-shots",
        on_change=on_shots,
        label_visibility="collapsed",
        help="Learners meta-trained with this many support points; a new task draws as many.",
        width="content",
    )
    row.space("stretch")
    with row.popover("More", icon=":material/tune:", width=110):
        more()
    with row.popover("Share", icon=":material/link:", width=110):
        st.write("The address bar always holds this view. This link reopens it exactly:")
        st.code(link(view), language=None, wrap_lines=True)


def more() -> None:
    """The true function's parameters and which runs are shown."""
    titles = {
        "amplitude": ("Amplitude a", "trained on 0.1 to 5"),
        "phase": ("Phase φ", "trained on 0 to π"),
        "frequency": ("Frequency f", "trained on 1 only"),
        "noise": ("Noise on the labels", "standard deviation; trained without"),
    }
    st.markdown("The true function: $y = a \\sin(f x + \\varphi)$")
    for name, (title, note) in titles.items():
        low, high = RANGES[name]
        st.slider(f"{title} ({note})", low, high, step=0.05, key=f"live-{name}", on_change=on_wave, args=(name,))
    state["live-truth"] = current().truth
    st.toggle("Compare with the true function", key="live-truth", on_change=on_truth)
    collections = list(library.offered(TASK))
    if len(collections) > 1:
        state["live-runs"] = current().runs
        st.selectbox("Trained runs", collections, format_func=library.title, key="live-runs", on_change=on_runs)
        st.caption(library.description(current().runs))


def on_new_task() -> None:
    """A task from the training distribution."""
    state.look_for = ""
    state["live-preset"] = None
    show(live.new_task(current(), current().task + 1))


def on_preset() -> None:
    """A preset and what to look for."""
    title = state["live-preset"]
    state.look_for = live.PRESETS[title].look_for if title in live.PRESETS else ""
    if state.look_for:
        show(live.apply_preset(current(), title))


def on_shots() -> None:
    """Other learners, and as many points."""
    chosen = state["live-shots"]
    if chosen in library.shots(current().runs, TASK):
        view, preset = current().changed(shots=chosen), state.get("live-preset")
        show(live.apply_preset(view, preset) if preset in live.PRESETS else live.draw_points(view))


def on_wave(name: str) -> None:
    """The true function changes; the points keep their distance from it (noise is drawn again)."""
    hear_edit()
    old, new = current(), current().changed(**{name: float(state[f"live-{name}"])})
    state.look_for, state["live-preset"] = "", None  # what a preset's sentence says holds no longer
    if name == "noise":
        show(live.draw_points(new))
        return
    points = live.points_of(old)
    if new.truth:
        points[:, 1] += live.true_function(new, points[:, 0]) - live.true_function(old, points[:, 0])
    show(new.changed(points=tuple(place(float(x), float(y)) for x, y in points)))


def on_truth() -> None:
    """With or without a true function to be scored against."""
    hear_edit()
    show(current().changed(truth=bool(state["live-truth"]), points=tuple(map(tuple, live.points_of(current())))))


def on_runs() -> None:
    """Another collection of runs, with learners trained with as nearly as many shots, for the same points."""
    hear_edit()
    view = current().changed(runs=state["live-runs"], points=tuple(map(tuple, live.points_of(current()))))
    view = view.changed(shots=nearest_shots(view.shots, library.shots(view.runs, TASK)))
    show(view.changed(on=families.chosen(view.on, live.families_of(ensembles(view)))))


def link(view: View) -> str:
    """The address of a view."""
    from urllib.parse import urlencode

    base = (st.context.url or "").split("?")[0]
    query = urlencode(to_query(view), safe=":,")
    return f"{base}?{query}" if query else base


class Edit(NamedTuple):
    """What the hand did to the points: a message, whether it rests, and the only stop it looks at if not."""

    message: str = ""
    rests: bool = True
    stop: int | None = None


def hear_edit() -> Edit:
    """Takes the pad's newest edit into the view, once, unless it was made on points that have been replaced since."""
    edit = (state.get(PAD) or {}).get("edit")
    seq, revision = (edit.get("seq"), edit.get("revision")) if isinstance(edit, dict) else (None, None)
    if edit is None:
        return Edit()
    if not isinstance(seq, int):
        return Edit("The edit was not understood: it carries no number.")
    if seq == state.seen:
        return Edit()
    state.seen = seq
    if not isinstance(revision, str):
        return Edit("The edit was not understood: it does not say which points it is of.")
    if revision != state.revision:
        return Edit()
    points, message = read_edit(edit, x_domain=X_DOMAIN, y_domain=(-Y_LIMIT, Y_LIMIT), max_points=64)
    if points:
        state.view = current().changed(points=tuple(place(x, y) for x, y in points))
    return Edit(message, bool(edit.get("final", True)), read_place(edit.get("place")))


def read_pad(learners: list[Ensemble]) -> tuple[View, Edit]:
    """Hears the pad, points, scrubber and switches: the view after it, and what the hand did."""
    edit, sent = hear_edit(), state.get(PAD) or {}
    view = current()
    if isinstance(sent.get("step"), int) and 0 <= sent["step"] <= MAX_STEP:
        view = view.changed(step=sent["step"])
    of = live.families_of(learners)
    switches = read_switches(sent.get("on"), list(of))
    if switches and switches[0] != state.heard:
        state.heard, on = switches
        view = view.changed(on=families.chosen(on, of))
    state.view = view
    return view, edit._replace(stop=None) if edit.rests or state.get("live-tabs") in DRAWERS else edit


@st.fragment
def stage(title: DeltaGenerator) -> None:
    """The pad with its curves; a drag reruns this and nothing else, but for the headline, which counts."""
    learners = ensembles_at_hand(current())
    view, (message, rests, stop) = read_pad(learners)
    shown = live.shown(view, learners)
    title.title(live.headline(view, len(shown)), anchor=False)
    if not learners:
        runs = shlex.quote(library.shown(library.roots()[view.runs]))
        command = code(f"python -m engine train --all --shots {view.shots} --seeds 3 --runs {runs}", 200)
        st.info(f"No learners trained with {view.shots} shots are in this collection yet. To train them: {command}")
        return
    with live.answered(view, learners, stop) as found:
        sent = {"answer": state.seen, "revision": state.revision, "message": message, "turn": state.heard}
        yours = [e.learner.name for e in learners if library.yours(e)]
        pad(live.pad_data(view, learners, found, yours=yours, **sent), key=PAD)
        st.caption(live.sentence(view, learners, found))
        if rests:
            remember(view)
        folds(view, shown, found, rests)


def remember(view: View) -> None:
    """Writes the view into the address bar."""
    wanted = to_query(view)
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def folds(view: View, shown: list[Ensemble], found: list[Adaptation], rests: bool) -> None:
    """Below the pad, computed only where open: the points, the figure, the data, how to read this."""
    points_tab, figure_tab, data_tab, read_tab = st.tabs(
        ["Points", "Figure", "Data", "How to read this"], key="live-tabs", default="How to read this", on_change="rerun"
    )
    if read_tab.open:
        with read_tab:
            how_to_read(shown)
    if points_tab.open:
        with points_tab:
            point_table(view)
    if figure_tab.open:
        with figure_tab:
            publication_figure(view, shown, found, rests)
    if data_tab.open:
        with data_tab:
            data_table(view, shown, found)


def point_table(view: View) -> None:
    """The points as an editable table: the exact and the accessible way."""
    st.caption("Edit a number, add a row at the end, or select rows and delete them. x from -5 to 5, y from -12 to 12.")
    frame = pd.DataFrame(live.points_of(view), columns=["x", "y"])
    key = f"live-points-{hash(view.points)}"
    number = {name: st.column_config.NumberColumn(name, format="%.3f", required=True) for name in ("x", "y")}
    edited = st.data_editor(frame, num_rows="dynamic", column_config=number, key=key, width=360)
    for complaint in state.pop("table-said", []):
        st.warning(plain(complaint), icon=":material/info:")
    if edited.equals(frame):
        return
    points, complaints = clean_points(list(edited.itertuples(index=False, name=None)))
    if not points:
        complaints.append("The pad keeps at least one point, so the last ones stay.")
    if points and points != view.points and len(edited.dropna()) == len(edited):
        state["table-said"] = complaints  # shown by the run that follows
        show(view.changed(points=points))
        st.rerun()
    for complaint in complaints:
        st.warning(plain(complaint), icon=":material/info:")


open_link()
title = st.empty()
for complaint in state.complaints:
    st.warning(plain(complaint), icon=":material/link_off:")
for complaint in library.joined(current().runs, TASK, current().shots)[1]:
    st.error(plain(complaint), icon=":material/error:")
controls()
if current().runs != library.DEFAULT:
    name = library.title(current().runs)
    st.caption(f"{plain(name[:1].upper() + name[1:])}. {library.description(current().runs)}")
if state.look_for:
    st.caption(state.look_for)
stage(title)
