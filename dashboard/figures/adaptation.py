"""The publication figure of the live page: every learner's curve at one inner step, and error against step."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import palette

ENTRIES_A_ROW = 8  # of the legend, about
MOST_TICKS = 8


@dataclass(frozen=True)
class Line:
    """One learner's part of the figure: steps (stops,), curves (stops, seeds, grid), errors (stops, seeds)."""

    name: str
    title: str
    last_step: int
    steps: np.ndarray
    curves: np.ndarray
    errors: np.ndarray


def figure(
    lines: Sequence[Line],
    points: np.ndarray,
    grid: np.ndarray,
    truth: np.ndarray | None,
    step: int,
    error_label: str,
    dark: bool,
    rows: np.ndarray | None = None,
) -> go.Figure:
    """Draws the figure.

    Args:
        lines: the learners shown.
        points: support points (K, 2).
        grid: where the curves are given, (grid,).
        truth: the true function on the grid, or None.
        step: inner step of the left panel.
        error_label: what the errors are, such as "query MSE".
        dark: colours for the dark background.
        rows: query points that are known, (R, 2).
    """
    ink = palette.CHALK if dark else palette.INK
    titles = (f"After inner step {step}", "Error against inner step")
    fig = make_subplots(cols=2, column_widths=[0.62, 0.38], horizontal_spacing=0.09, subplot_titles=titles)
    if truth is not None:
        neutral = {"color": ink, "dash": "dot", "width": 1.5}
        fig.add_scatter(x=grid, y=truth, mode="lines", name="true function", line=neutral, opacity=0.6, row=1, col=1)
    for line in lines:
        _add(fig, line, grid, step, dark)
    if rows is not None and len(rows):
        ring = {"color": ink, "size": 7, "symbol": "circle-open"}
        fig.add_scatter(x=rows[:, 0], y=rows[:, 1], mode="markers", name="query", marker=ring, row=1, col=1)
    marker = {"color": ink, "size": 9}
    fig.add_scatter(x=points[:, 0], y=points[:, 1], mode="markers", name="support", marker=marker, row=1, col=1)
    fig.update_xaxes(title_text="x", row=1, col=1)
    fig.update_yaxes(title_text="y", row=1, col=1)
    _step_axis(fig, lines)
    fig.update_yaxes(title_text=error_label, type="log", row=1, col=2, exponentformat="power", dtick=_decades(lines))
    rows = -(-(len(lines) + 2) // ENTRIES_A_ROW)  # of the legend, which takes its room from the panels
    fig.update_layout(
        height=400 + 22 * rows,
        margin={"l": 50, "r": 10, "t": 60, "b": 62 + 22 * rows},
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0},
        hovermode="closest",
    )
    return fig


def _step_axis(fig: go.Figure, lines: Sequence[Line]) -> None:
    """The stops side by side, as on the page: a hundred steps would push the first ten into a corner."""
    steps = lines[0].steps.tolist() if lines else []
    even = all(b - a == steps[1] - steps[0] for a, b in pairwise(steps))
    every = max(1, -(-len(steps) // MOST_TICKS))
    last = len(steps) - 1
    at = [i for i in range(len(steps)) if i == last or (i % every == 0 and i + every <= last)]
    ticks = {"tickvals": at, "ticktext": [str(steps[i]) for i in at]}
    fig.update_xaxes(title_text="inner step" if even else "inner step, not to scale", **ticks, row=1, col=2)


def _decades(lines: Sequence[Line]) -> int | None:
    """Ticks at powers of ten only, where there are at least two of them."""
    errors = np.concatenate([line.errors[np.isfinite(line.errors) & (line.errors > 0)] for line in lines] or [[]])
    return 1 if len(errors) and errors.max() > 100 * errors.min() else None


def _add(fig: go.Figure, line: Line, grid: np.ndarray, step: int, dark: bool) -> None:
    style = palette.style(line.name)
    colour = style.dark if dark else style.light
    at = int(np.argmin(np.abs(line.steps - min(step, line.last_step))))
    shared = {"name": line.title, "legendgroup": line.name, "line": {"color": colour, "dash": style.plotly_dash}}
    left, right = {"row": 1, "col": 1}, {"row": 1, "col": 2}
    _band(fig, grid, line.curves[at], colour, line, left)
    fig.add_scatter(x=grid, y=line.curves[at].mean(0), mode="lines", **shared, **left)
    kept = line.steps <= line.last_step
    errors, stop = np.maximum(line.errors[kept], 1e-12), np.arange(kept.sum())
    _band(fig, stop, errors.T, colour, line, right)
    hover = {"customdata": line.steps[kept], "hovertemplate": "step %{customdata}: %{y:.3g}"}
    fig.add_scatter(x=stop, y=errors.mean(1), mode="lines", showlegend=False, **hover, **shared, **right)


def _band(fig: go.Figure, x: np.ndarray, values: np.ndarray, colour: str, line: Line, place: dict[str, int]) -> None:
    """The range over seeds (first axis of `values`) as a soft area."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    fig.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([values.max(0), values.min(0)[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.14)",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        legendgroup=line.name,
        name=f"{line.title}, range of seeds",
        **place,
    )
