"""Figures of learned rules: small multiples with one row per learner, and lines along the training."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks, palette
from dashboard.figures.marks import Label

ROW_PIXELS = 40
Triple = tuple[float, float, float]  # mean, low, high


@dataclass(frozen=True)
class Row:
    """A learner."""

    name: str
    title: str


@dataclass(frozen=True)
class Panel:
    """One measure of all learners.

    Attributes:
        title: above the panel.
        axis: what the axis is.
        values: by learner's name: (mean, low, high).
        seeds: by learner's name: one value for each seed.
        controls: by learner's name: the value before any training; none where it is not shown.
        log: a logarithmic axis.
        reference: where a line is drawn; None: nowhere.
    """

    title: str
    axis: str
    values: dict[str, Triple]
    seeds: dict[str, np.ndarray] = field(default_factory=dict)
    controls: dict[str, float] = field(default_factory=dict)
    log: bool = False
    reference: float | None = None


@dataclass(frozen=True)
class Course:
    """One learner along its training: values at iterations, (n,) each."""

    name: str
    title: str
    iterations: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def panels(rows: Sequence[Row], columns: Sequence[Panel], dark: bool) -> go.Figure:
    """One row per learner, one panel per measure: mean with interval, small dots for seeds, a ring for the control."""
    fig = make_subplots(
        cols=len(columns), shared_yaxes=True, horizontal_spacing=0.035, subplot_titles=[c.title for c in columns]
    )
    heights = dict(zip((row.name for row in rows), range(len(rows), 0, -1), strict=True))
    for column, panel in enumerate(columns, start=1):
        place = {"row": 1, "col": column}
        extent = _extent(panel)
        for row in rows:
            if row.name in panel.values:
                _mark(fig, row, panel, heights[row.name], extent, dark, place)
        _reference(fig, panel, dark, place)
        ticks = _decades(extent) if panel.log else {"nticks": 4}
        fig.update_xaxes(title_text=panel.axis, **marks.span(extent, panel.log), **place)
        fig.update_xaxes(tickangle=0, **ticks, **place)
    marks.laid_out(fig, 130 + ROW_PIXELS * len(rows))
    fig.update_layout(margin={"t": 44, "b": 62, "l": 10})
    for title in fig.layout.annotations[: len(columns)]:
        title.font = {"size": 12, "color": marks.ink(dark)}
    coloured = [f"<span style='color:{marks.colour(row.name, dark)}'>{row.title}</span>" for row in rows]
    ticks = {"tickvals": list(heights.values()), "ticktext": coloured}
    fig.update_yaxes(range=[0.4, len(rows) + 0.6], zeroline=False, **ticks)
    fig.update_xaxes(title_font={"size": 11}, zeroline=False)
    return fig


def _decades(extent: tuple[float, float], most: int = 4) -> dict[str, object]:
    """Ticks of a logarithmic axis over many decades, a few of them, written as powers where they are long."""
    low, high = (float(np.log10(end)) for end in extent)
    if high - low <= 2:
        return {}
    every = int(np.ceil((high - low) / most))
    powers = [p for p in range(int(np.ceil(low)), int(np.floor(high)) + 1) if p % every == 0]
    words = [f"10<sup>{p}</sup>" if abs(p) > 3 else f"{10.0**p:,g}" for p in powers]
    return {"tickmode": "array", "tickvals": [10.0**p for p in powers], "ticktext": words}


def _extent(panel: Panel) -> tuple[float, float]:
    seen = [np.array(value) for value in panel.values.values()] + [np.ravel(v) for v in panel.seeds.values()]
    seen.append(np.array(list(panel.controls.values())))
    if panel.reference is not None:
        seen.append(np.array([panel.reference]))
    if panel.log:
        return marks.extent(seen, True)
    low, high = marks.extent(seen, False)
    return low - 0.03 * (high - low), high


def _reference(fig: go.Figure, panel: Panel, dark: bool, place: dict[str, int]) -> None:
    if panel.reference is None:
        return
    fig.add_vline(x=panel.reference, line={"color": marks.grey(dark), "width": 1.2, "dash": "dot"}, **place)


def _mark(
    fig: go.Figure, row: Row, panel: Panel, y: float, extent: tuple[float, float], dark: bool, place: dict[str, int]
) -> None:
    colour, style = marks.colour(row.name, dark), palette.style(row.name)
    mean, low, high = panel.values[row.name]
    control = panel.controls.get(row.name, np.nan)
    if np.isfinite(control) and (control > 0 or not panel.log):
        ring = {"color": marks.background(dark), "size": 9, "symbol": "circle"}
        fig.add_scatter(
            x=[control],
            y=[y],
            mode="markers",
            marker={**ring, "line": {"color": marks.grey(dark), "width": 1.8}},
            hovertemplate=f"<b>{row.title}</b>, untrained<br>%{{x:.3g}}<extra></extra>",
            **place,
        )
    seeds = np.ravel(panel.seeds.get(row.name, np.array([])))
    if len(seeds):
        fig.add_scatter(
            x=seeds,
            y=np.full(len(seeds), y - 0.24),
            mode="markers",
            marker={"color": colour, "size": 5},
            opacity=0.5,
            customdata=np.arange(1, len(seeds) + 1),
            hovertemplate=f"<b>{row.title}</b>, run %{{customdata}}<br>%{{x:.3g}}<extra></extra>",
            **place,
        )
    if not np.isfinite(mean) or (panel.log and mean <= 0):
        return
    ends = np.array([mean if np.isnan(end) else end for end in (low, high)])
    floor = extent[0] if panel.log else -np.inf
    fig.add_scatter(
        x=np.maximum(ends, floor),
        y=[y, y],
        mode="lines",
        line={"color": colour, "width": 2},
        hoverinfo="skip",
        **place,
    )
    fig.add_scatter(
        x=[mean],
        y=[y],
        mode="markers",
        marker={"color": colour, "size": 11, "symbol": style.marker, "line": {"color": colour, "width": 2}},
        hovertemplate=f"<b>{row.title}</b><br>%{{x:.3g}} [{low:.3g}, {high:.3g}]<extra></extra>",
        **place,
    )


def along(axis: str, courses: Sequence[Course], *, log: bool, dark: bool) -> go.Figure:
    """A measure along the training, one line per learner.

    Args:
        axis: what is measured.
        courses: the learners.
        log: a logarithmic axis.
        dark: colours for the dark background.
    """
    fig = go.Figure()
    marks.laid_out(fig, 400, right=marks.LABELS + 50)
    for course in courses:
        colour, style = marks.colour(course.name, dark), palette.style(course.name)
        fig.add_scatter(
            x=course.iterations,
            y=course.mean,
            mode="lines+markers",
            line={"color": colour, "dash": style.plotly_dash, "width": 2.4},
            marker={"symbol": style.marker, "size": 7, "color": colour},
            customdata=np.stack([course.low, course.high], -1),
            hovertemplate=(
                f"<b>{course.title}</b><br>after %{{x:,}} updates: %{{y:.3g}} "
                "[%{customdata[0]:.3g}, %{customdata[1]:.3g}]<extra></extra>"
            ),
        )
    extent = marks.extent([course.mean for course in courses], log)
    last = max(float(course.iterations[-1]) for course in courses)
    fig.update_xaxes(title_text="meta-updates", range=[-0.02 * last, 1.03 * last], zeroline=False)
    marks.loss_axis(fig, axis, extent, log)
    fig.update_yaxes(**(_decades(extent, 6) if log else {}))
    ends = [Label(float(c.iterations[-1]), float(c.mean[-1]), c.title, marks.colour(c.name, dark)) for c in courses]
    marks.label_ends(fig, ends, extent, log=log)
    return fig
