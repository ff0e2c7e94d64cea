"""What lies below the pad of the live page: the figure for papers, the data, and how to read it all."""

import json

import pandas as pd
import streamlit as st

from dashboard.figures import palette
from dashboard.figures.adaptation import Line, figure
from dashboard.views.live import parts as live
from dashboard.widgets.state import View
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


def lines(shown: list[Ensemble], found: list[Adaptation]) -> list[Line]:
    """The answers as the figure takes them."""
    by_name = {e.learner.name: e.learner for e in shown}
    return [
        Line(a.learner, by_name[a.learner].title, by_name[a.learner].evaluation_steps, a.steps, a.curves, a.errors)
        for a in found
    ]


def publication_figure(view: View, shown: list[Ensemble], found: list[Adaptation], rests: bool) -> None:
    """A Plotly figure for papers, drawn when the hand rests."""
    dark = (st.context.theme.type or "light") == "dark"
    if rests or "live-figure" not in state:
        step = (stops(shown) or [0])[-1] if view.step is None else view.step
        truth = live.true_function(view, live.GRID) if view.truth else None
        label = "query MSE" if view.truth else "support MSE"
        state["live-figure"] = figure(lines(shown, found), live.points_of(view), live.GRID, truth, step, label, dark)
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


def data_table(view: View, shown: list[Ensemble], found: list[Adaptation]) -> None:
    """The errors as a table, and everything as files."""
    rows = pd.DataFrame(live.table(shown, found))
    titles = {e.learner.name: e.learner.title for e in shown}
    if not rows.empty:
        mean = rows.groupby(["learner", "step"], sort=False)["mse"].mean().unstack("step")
        mean.index = [titles[name] for name in mean.index]
        mean.columns = [f"step {step}" for step in mean.columns]
        st.caption(f"{'Query' if view.truth else 'Support'} MSE after each inner step, mean of the seeds.")
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
        data=lambda: json.dumps(live.export(view, shown, found)),
        file_name="innerloop.json",
        on_click="ignore",
        icon=":material/download:",
    )


def how_to_read(shown: list[Ensemble]) -> None:
    """Each learner's update rule as a formula, with its reference."""
    st.markdown(
        f"{live.experience(shown)}Now they get only your points and adapt, one inner step at a time; the scrubber "
        "walks through those steps. **A line is the mean of the seeds, its band their range.** The error compares the "
        "line with the true function at 50 even places (query MSE), or, without a true function, with your points "
        "(support MSE). Steps beyond those a learner was trained for are marked."
    )
    st.html(f"<style>{BESIDE}</style>")
    # One element for all of them: every answer to a drag sends what stands here again.
    st.container(key=RULES).markdown("\n\n".join(_rule(ensemble) for ensemble in shown))


def _rule(ensemble: Ensemble) -> str:
    learner = ensemble.learner
    family = palette.FAMILY_LABELS.get(learner.family, learner.family)
    return (
        f"**{learner.title}** :small[:gray[{family}]]  \n{learner.summary}  \n{live.inline(learner.formula)}  \n"
        f":small[:gray[{learner.reference}]]"
    )
