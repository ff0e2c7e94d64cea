"""Figures of single tasks: two learners' losses task by task, and the curves of one task."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import marks, palette
from dashboard.figures.marks import Label


@dataclass(frozen=True)
class Fit:
    """One learner on one task: curves (seeds, grid) after its last step, and its query loss."""

    name: str
    title: str
    curves: np.ndarray
    loss: float


def scatter(
    x: np.ndarray,
    y: np.ndarray,
    titles: tuple[str, str],
    measure: str,
    hidden: dict[str, np.ndarray],
    chosen: int | None,
    dark: bool,
    *,
    log: bool = True,
) -> go.Figure:
    """One point per task: the score of one learner against that of another, seeds averaged.

    Args:
        x: scores of the first learner, (tasks,).
        y: scores of the second, (tasks,).
        titles: their names for people.
        measure: what a score is.
        hidden: the tasks' parameters, (tasks,) each; the first gives the colour.
        chosen: the task that is open, or None.
        dark: colours for the dark background.
        log: logarithmic axes; otherwise linear ones from 0 to 1.
    """
    fig = go.Figure()
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & ((not log) | ((x > 0) & (y > 0))))
    both = np.concatenate([x[kept], y[kept]])
    ends = np.array([both.min() / 1.5, both.max() * 1.5]) if log and len(both) else np.array([0.1 if log else 0.0, 1.0])
    line = {"color": marks.grey(dark), "dash": "dot", "width": 1.2}
    fig.add_scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip")
    names = list(hidden)
    said = "".join(f"<br>{name} %{{customdata[{i + 1}]:.2f}}" for i, name in enumerate(names))
    said += "<extra></extra>"
    scale = [[0.0, "#B5CEE6"], [1.0, "#0B3C69"]] if not dark else [[0.0, "#21476B"], [1.0, "#C4DDF5"]]
    marker: dict[str, object] = {"size": 8, "color": marks.ink(dark), "opacity": 0.85}
    if names:
        shade = {"color": hidden[names[0]][kept], "colorscale": scale, "showscale": True}
        marker |= shade | {"colorbar": {"title": {"text": names[0]}, "thickness": 10, "len": 0.7}}
    fig.add_scatter(
        x=x[kept],
        y=y[kept],
        mode="markers",
        marker=marker,
        customdata=np.stack(
            [kept, *(hidden[name][kept] for name in names)], -1
        ).tolist(),  # lists: a click sends them back
        hovertemplate=f"task %{{customdata[0]}}<br>{titles[0]} %{{x:.3g}}<br>{titles[1]} %{{y:.3g}}{said}",
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 0.85}},
    )
    if chosen is not None and chosen in kept:
        ring = {"color": "rgba(0,0,0,0)", "size": 16, "line": {"color": marks.ink(dark), "width": 2}}
        fig.add_scatter(x=[x[chosen]], y=[y[chosen]], mode="markers", marker=ring, hoverinfo="skip")
    marks.laid_out(fig, 430)
    axis = marks.span((float(ends[0]), float(ends[1])), True) if log else marks.span((-0.03, 1.03), False)
    fig.update_xaxes(title_text=f"{measure} of {titles[0]}", **axis)
    fig.update_yaxes(title_text=f"{measure} of {titles[1]}", **axis)
    return fig


def fits(
    found: Sequence[Fit],
    points: np.ndarray,
    grid: np.ndarray,
    truth: np.ndarray | None,
    dark: bool,
    name: str = "true function",
) -> go.Figure:
    """One task: its points, the true function by its `name` if it is known, each learner's curve, its seeds' range."""
    fig = go.Figure()
    ink = marks.ink(dark)
    neutral = {"color": ink, "dash": "dot", "width": 1.6}
    labels = []
    if truth is not None:
        fig.add_scatter(x=grid, y=truth, mode="lines", line=neutral, opacity=0.7, name=name, hoverinfo="skip")
        labels.append(Label(float(grid[-1]), float(truth[-1]), name, ink))
    for fit in found:
        colour, style = marks.colour(fit.name, dark), palette.style(fit.name)
        marks.band(fig, grid, fit.curves.min(0), fit.curves.max(0), colour)
        fig.add_scatter(
            x=grid,
            y=fit.curves.mean(0),
            mode="lines",
            line={"color": colour, "dash": style.plotly_dash, "width": 2.4},
            name=fit.title,
            hovertemplate=f"<b>{fit.title}</b><br>x %{{x:.2f}}, y %{{y:.2f}}<extra></extra>",
        )
        labels.append(Label(float(grid[-1]), float(fit.curves[:, -1].mean()), f"{fit.title} {fit.loss:.2g}", colour))
    marker = {"color": ink, "size": 9, "line": {"color": marks.background(dark), "width": 1}}
    fig.add_scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        marker=marker,
        name="support",
        hovertemplate="support point<br>x %{x:.2f}, y %{y:.2f}<extra></extra>",
    )
    marks.laid_out(fig, 430, right=marks.LABELS)
    shown = np.concatenate([truth, points[:, 1], *(fit.curves.ravel() for fit in found)])
    limit = min(1.1 * float(np.abs(shown).max()), 4 * float(np.abs(np.concatenate([truth, points[:, 1]])).max()) + 1)
    fig.update_xaxes(title_text="x", zeroline=False, range=[float(grid[0]), float(grid[-1])])
    fig.update_yaxes(title_text="y", range=[-limit, limit], zeroline=True)
    marks.label_ends(fig, labels, (-limit, limit), log=False)
    return fig
