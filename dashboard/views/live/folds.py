"""What lies below the pad of the live page: the figure for papers, the data, and how to read it all."""

import json

import pandas as pd
import streamlit as st

from dashboard.figures import palette
from dashboard.figures.adaptation import Line, figure
from dashboard.scenes import LineScene
from dashboard.views.live import parts as live
from dashboard.views.live import words
from dashboard.views.live.session import show
from dashboard.widgets.escape import plain
from dashboard.widgets.state import View, clean_points, decimals
from engine.runs import exports
from engine.runs.ensembles import Ensemble
from probes.tools.adaptation import Adaptation, stops

state = st.session_state
RULES = "live-rules"
# Two beside each other where there is room, none broken in two.
BESIDE = f"""
.st-key-{RULES} [data-testid="stMarkdownContainer"] {{ columns: 2 400px; column-gap: 2.5rem; }}
.st-key-{RULES} p {{ break-inside: avoid; margin-bottom: 1.5rem; }}
"""


def folds(scene: LineScene, view: View, shown: list[Ensemble], found: list[Adaptation], rests: bool) -> None:
    """Below the pad, computed only where open: the points, the figure, the data, how to read this."""
    points_tab, figure_tab, data_tab, read_tab = st.tabs(
        ["Points", "Figure", "Data", "How to read this"], key="live-tabs", default="How to read this", on_change="rerun"
    )
    if read_tab.open:
        with read_tab:
            how_to_read(scene, shown)
    if points_tab.open:
        with points_tab:
            point_table(scene, view)
    if figure_tab.open:
        with figure_tab:
            publication_figure(scene, view, shown, found, rests)
    if data_tab.open:
        with data_tab:
            data_table(scene, view, shown, found)


def point_table(scene: LineScene, view: View) -> None:
    """The points as an editable table: the exact and the accessible way."""
    st.caption(f"Edit a number, add a row at the end, or select rows and delete them. {scene.bounds.said()}.")
    frame = pd.DataFrame(scene.points(view), columns=["x", "y"])
    key = f"live-points-{hash(view.points)}"
    number = {
        name: st.column_config.NumberColumn(name, format=f"%.{decimals(domain)}f", required=True)
        for name, domain in (("x", scene.bounds.x), ("y", scene.bounds.y))
    }
    edited = st.data_editor(frame, num_rows="dynamic", column_config=number, key=key, width=360)
    for complaint in state.pop("table-said", []):
        st.warning(plain(complaint), icon=":material/info:")
    if edited.equals(frame):
        return
    points, complaints = clean_points(list(edited.itertuples(index=False, name=None)), scene.bounds)
    if not points:
        complaints.append("The pad keeps at least one point, so the last ones stay.")
    if points and points != view.points and len(edited.dropna()) == len(edited):
        state["table-said"] = complaints  # shown by the run that follows
        show(view.changed(points=points))
        st.rerun()
    for complaint in complaints:
        st.warning(plain(complaint), icon=":material/info:")


def lines(shown: list[Ensemble], found: list[Adaptation]) -> list[Line]:
    """The answers as the figure takes them."""
    by_name = {e.learner.name: e.learner for e in shown}
    return [
        Line(a.learner, by_name[a.learner].title, by_name[a.learner].evaluation_steps, a.steps, a.curves, a.errors)
        for a in found
    ]


def publication_figure(
    scene: LineScene, view: View, shown: list[Ensemble], found: list[Adaptation], rests: bool
) -> None:
    """A Plotly figure for papers, drawn when the hand rests."""
    dark = (st.context.theme.type or "light") == "dark"
    if rests or "live-figure" not in state:
        step = (stops(shown) or [0])[-1] if view.step is None else view.step
        known = (scene.points(view), scene.grid, scene.curve(view))
        state["live-figure"] = figure(lines(shown, found), *known, step, scene.error(view), dark, scene.rows(view))
    drawn = state["live-figure"]  # a download is made outside of the session, where its state cannot be read
    left, right = st.columns([1, 1], vertical_alignment="center")
    form = left.segmented_control(
        "The camera in the figure's corner saves", ["SVG", "PNG"], default="SVG", key="live-form"
    )
    image = {"format": (form or "SVG").lower(), "filename": "innerloop", "scale": 2, "width": 1100, "height": 430}
    right.download_button(
        "HTML, interactive",
        data=lambda: drawn.to_html(include_plotlyjs=True),
        file_name="innerloop.html",
        mime="text/html",
        on_click="ignore",
        icon=":material/download:",
    )
    config = {"toImageButtonOptions": image, "displaylogo": False, "displayModeBar": True}
    st.plotly_chart(drawn, key="live-plot", config=config)
    st.caption("Lines are means over seeds, areas their range. The error axis is logarithmic.")


def data_table(scene: LineScene, view: View, shown: list[Ensemble], found: list[Adaptation]) -> None:
    """The errors as a table, and everything as files."""
    rows = pd.DataFrame(live.table(shown, found))
    titles = {e.learner.name: e.learner.title for e in shown}
    if not rows.empty:
        mean = rows.groupby(["learner", "step"], sort=False)["mse"].mean().unstack("step")
        mean.index = [titles[name] for name in mean.index]
        mean.columns = [f"step {step}" for step in mean.columns]
        label = scene.error(view)
        st.caption(f"{label[:1].upper()}{label[1:]} after each inner step, mean of the seeds.")
        st.dataframe(mean.style.format("{:.3g}", na_rep=""), width="stretch")
    left, right, _ = st.columns([1, 1, 3])
    left.download_button(
        "CSV",
        data=lambda: exports.csv(rows),
        file_name="innerloop.csv",
        on_click="ignore",
        icon=":material/download:",
    )
    right.download_button(
        "JSON",
        data=lambda: json.dumps(live.export(scene, view, shown, found)),
        file_name="innerloop.json",
        on_click="ignore",
        icon=":material/download:",
    )


def how_to_read(scene: LineScene, shown: list[Ensemble]) -> None:
    """Each learner's update rule as a formula, with its reference."""
    st.markdown(
        f"{words.experience(scene.many, shown)}Now they get only your points and adapt, one inner step at a time; the "
        "scrubber walks through those steps. **A line is the mean of the seeds, its band their range.** The error "
        f"compares the line with {scene.scoring} (support MSE). Steps beyond those a learner was trained for are "
        "marked."
    )
    st.html(f"<style>{BESIDE}</style>")
    # One element for all of them: every answer to a drag sends what stands here again.
    st.container(key=RULES).markdown("\n\n".join(_rule(ensemble) for ensemble in shown))


def _rule(ensemble: Ensemble) -> str:
    learner = ensemble.learner
    family = palette.FAMILY_LABELS.get(learner.family, learner.family)
    return (
        f"**{learner.title}** :small[:gray[{family}]]  \n{learner.summary}  \n{words.inline(learner.formula)}  \n"
        f":small[:gray[{learner.reference}]]"
    )
