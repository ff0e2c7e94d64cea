"""Figures of loss landscapes: contours side by side, and what all such figures share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks

COLUMNS = 3
CAP = 10.0  # the colour scale ends at so many times the highest loss on a path
LEVELS = 14
PANEL = 300  # pixels


@dataclass(frozen=True)
class Way:
    """Points of weight space over a plane, (n,) each.

    Attributes:
        at: what a point is, for people, such as "step 3".
        count: the number in it.
        x, y: on the plane.
        loss: the true loss there.
        plane: the plane's height below.
        off: the distance from the plane, in units of |c|.
    """

    at: Sequence[str]
    count: np.ndarray
    x: np.ndarray
    y: np.ndarray
    loss: np.ndarray
    plane: np.ndarray
    off: np.ndarray


@dataclass(frozen=True)
class Relief:
    """One learner's plane.

    Attributes:
        name, title: registered name, and the name for people.
        run: which run it is, for people.
        note: what stands beside its title.
        x, y: places along the axes, in units of |c|.
        values: the loss there, (y, x).
        path: the way to the centre.
        others: the runs that span the plane; empty otherwise.
    """

    name: str
    title: str
    run: str
    note: str
    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    path: Way
    others: Way


@dataclass(frozen=True)
class Looks:
    """What all panels share.

    Attributes:
        axes: what the two axes are.
        loss: what the loss is, for axes and hovers.
        log: by its logarithm.
        dark: colours for the dark background.
    """

    axes: tuple[str, str]
    loss: str
    log: bool
    dark: bool


def span(reliefs: Sequence[Relief]) -> tuple[float, float]:
    """The lowest loss shown and the highest: colours end at `CAP` times the highest loss on a path or at a run."""
    every = np.concatenate([np.ravel(relief.values) for relief in reliefs])
    every = every[np.isfinite(every) & (every > 0)]
    known = np.concatenate([np.concatenate([s.path.loss, s.others.loss]) for s in reliefs])
    known = known[np.isfinite(known)]
    low = float(every.min()) if len(every) else 1e-3
    high = float(every.max()) if len(every) else 1.0
    return low, max(min(high, CAP * float(known.max())) if len(known) else high, 1.01 * low)


def contours(reliefs: Sequence[Relief], looks: Looks) -> go.Figure:
    """One panel per learner, one scale of colours; the path on it, from the open mark to the filled one."""
    fig, places = grid(reliefs, looks)
    low, high = (height(v, looks) for v in span(reliefs))
    step = (high - low) / LEVELS
    for relief, place in zip(reliefs, places, strict=True):
        z, said = heights(relief, looks, span(reliefs))
        fig.add_contour(
            x=relief.x,
            y=relief.y,
            z=z,
            customdata=said,
            coloraxis="coloraxis",
            contours={"coloring": "heatmap", "start": low, "end": high, "size": step},
            line={"width": 0.6, "color": marks.soft(marks.ink(looks.dark), 0.45)},
            hovertemplate=hover(relief, f"{looks.loss} %{{customdata}}<br>at (%{{x:.3g}}, %{{y:.3g}}) |c|"),
            **place,
        )
        _walk(fig, relief, looks, place)
    fig.update_layout(coloraxis=colours(reliefs, looks))
    outer_titles(fig, len(reliefs), looks)
    return fig


def _walk(fig: go.Figure, relief: Relief, looks: Looks, place: dict[str, int]) -> None:
    """The path in the learner's colour on a halo, the centre, and other runs."""
    colour, back = marks.colour(relief.name, looks.dark), marks.background(looks.dark)
    path = relief.path
    line = {"x": path.x, "y": path.y, "mode": "lines", "hoverinfo": "skip"}
    fig.add_scatter(**line, line={"color": back, "width": 5}, opacity=0.8, **place)
    fig.add_scatter(**line, line={"color": colour, "width": 2.2}, **place)
    sizes = np.full(len(path.x), 6.0)
    sizes[0] = 10
    inside = [back] + [colour] * (len(path.x) - 1)
    fig.add_scatter(
        x=path.x,
        y=path.y,
        mode="markers",
        marker={"size": sizes, "color": inside, "line": {"color": colour, "width": 2}},
        customdata=told(path),
        hovertemplate=hover(relief, TOLD),
        **place,
    )
    star = {"size": 13, "symbol": "star", "color": colour, "line": {"color": back, "width": 1.5}}
    text = f"the centre c: {looks.loss} {_centre(relief):.3g}"
    fig.add_scatter(x=[0], y=[0], mode="markers", marker=star, hovertemplate=hover(relief, text), **place)
    if len(relief.others.x):
        fig.add_scatter(
            x=relief.others.x,
            y=relief.others.y,
            mode="markers+text",
            marker={"size": 10, "symbol": "diamond", "color": colour, "line": {"color": back, "width": 1.5}},
            text=list(relief.others.at),
            textposition="top center",
            textfont={"size": 11, "color": back},
            customdata=told(relief.others),
            hovertemplate=hover(relief, TOLD),
            **place,
        )
    for which, places in (("xaxes", relief.x), ("yaxes", relief.y)):
        getattr(fig, f"update_{which}")(range=[float(places[0]), float(places[-1])], **place)


TOLD = "%{customdata[0]}: loss %{customdata[1]:.3g}<br>on the plane below: %{customdata[2]:.3g}<br>"
TOLD += "off the plane by %{customdata[3]:.3g} |c|"


def told(way: Way) -> list[list[object]]:
    """What the hovers of a way's points say, see `TOLD`."""
    return [list(row) for row in zip(way.at, way.loss, way.plane, way.off, strict=True)]


def hover(relief: Relief, text: str) -> str:
    """A hover that names the run."""
    return f"<b>{relief.title}</b>, {relief.run}<br>{text}<extra></extra>"


def _centre(relief: Relief) -> float:
    return float(relief.values[int(np.abs(relief.y).argmin()), int(np.abs(relief.x).argmin())])


def height(value: float | np.ndarray, looks: Looks) -> float | np.ndarray:
    """How high a loss stands in the figure."""
    return np.log10(np.maximum(value, marks.LEAST)) if looks.log else value


def heights(relief: Relief, looks: Looks, ends: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Heights, cut at the end of the scale, and the losses in words; a loss that is no number stands at the top."""
    values = np.where(np.isfinite(relief.values), relief.values, np.inf)
    words = np.array([[f"{v:.3g}" if np.isfinite(v) else "without bound" for v in row] for row in values])
    return np.round(height(np.minimum(values, ends[1]), looks), 4), words


def colours(reliefs: Sequence[Relief], looks: Looks) -> dict[str, object]:
    """The one scale of colours of all panels, with its bar."""
    low, high = span(reliefs)
    bar = {"title": {"text": looks.loss, "side": "right"}, "thickness": 12, "outlinewidth": 0}
    scale = {"colorscale": marks.sequential(looks.dark), "cmin": height(low, looks), "cmax": height(high, looks)}
    return scale | {"colorbar": bar | (ticks(low, high) if looks.log else {})}


def ticks(low: float, high: float) -> dict[str, object]:
    """Ticks of an axis of logarithms, named by the losses."""
    ends = np.log10([low, high])
    digits = (1,) if ends[1] - ends[0] > 2.5 else (1, 3) if ends[1] - ends[0] > 1 else (1, 2, 3, 5, 7)
    powers = range(int(np.floor(ends[0])), int(np.ceil(ends[1])) + 1)
    every = max(int(np.ceil((ends[1] - ends[0]) / 8)), 1)
    at = [d * 10.0**p for p in powers for d in digits if p % every == 0 and low <= d * 10.0**p <= high]
    return {"tickvals": [float(np.log10(v)) for v in at], "ticktext": [f"{v:g}" for v in at]}


def grid(reliefs: Sequence[Relief], looks: Looks, **more: object) -> tuple[go.Figure, list[dict[str, int]]]:
    """Panels in rows of three with the learners' names above, and their places."""
    columns, rows, places = marks.in_rows(len(reliefs), COLUMNS)
    fig = make_subplots(
        rows=rows,
        cols=columns,
        horizontal_spacing=0.075 if columns > 1 else 0.0,
        vertical_spacing=min(0.17, 0.5 / rows),
        subplot_titles=[title_of(relief, looks) for relief in reliefs],
        **more,
    )
    marks.laid_out(fig, 100 + PANEL * rows)
    fig.update_layout(margin={"t": 56})
    for title in fig.layout.annotations:
        title.font = {"size": 13, "color": marks.ink(looks.dark)}
    fig.update_xaxes(zeroline=False, showgrid=False, nticks=5)
    fig.update_yaxes(zeroline=False, showgrid=False, nticks=5)
    return fig, places


def title_of(relief: Relief, looks: Looks) -> str:
    """What stands above a panel: the learner in its colour, and its note."""
    name = f"<b><span style='color:{marks.colour(relief.name, looks.dark)}'>{relief.title}</span></b>"
    grey = marks.grey(looks.dark)
    return f"{name}<br><span style='color:{grey};font-size:11px'>{relief.note}</span>" if relief.note else name


def outer_titles(fig: go.Figure, panels: int, looks: Looks, vertical: str = "") -> None:
    """Titles of the axes at the outer panels alone."""
    columns, _, places = marks.in_rows(panels, COLUMNS)
    for i, place in enumerate(places):
        if i + columns >= panels:
            fig.update_xaxes(title_text=looks.axes[0], title_font={"size": 12}, title_standoff=6, **place)
        if place["col"] == 1:
            fig.update_yaxes(title_text=vertical or looks.axes[1], title_font={"size": 12}, title_standoff=4, **place)
