"""Figures of loss landscapes in three dimensions."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks
from dashboard.figures.landscape import (
    TOLD,
    Looks,
    Relief,
    colours,
    height,
    heights,
    hover,
    span,
    ticks,
    title_of,
    told,
)

MOST_SURFACES = 4  # each is a WebGL context of its own


def surfaces(reliefs: Sequence[Relief], looks: Looks) -> go.Figure:
    """The contours as surfaces: the path at its true loss, its shadow on the plane dotted below."""
    reliefs = reliefs[:MOST_SURFACES]
    columns, rows, places = marks.in_rows(len(reliefs), 2)
    fig = make_subplots(
        rows=rows,
        cols=columns,
        specs=[[{"type": "scene"}] * columns for _ in range(rows)],
        horizontal_spacing=0.02,
        vertical_spacing=0.06,
        subplot_titles=[title_of(relief, looks) for relief in reliefs],
    )
    ends = span(reliefs)
    for relief, place in zip(reliefs, places, strict=True):
        z, said = heights(relief, looks, ends)
        fig.add_surface(
            x=relief.x,
            y=relief.y,
            z=z,
            customdata=said,
            coloraxis="coloraxis",
            opacity=0.8,
            contours={"z": {"show": True, "color": marks.soft(marks.ink(looks.dark), 0.3), "width": 1}},
            hovertemplate=hover(relief, f"{looks.loss} %{{customdata}}<br>at (%{{x:.3g}}, %{{y:.3g}}) |c|"),
            **place,
        )
        _rise(fig, relief, looks, ends, place)
    marks.laid_out(fig, 50 + 430 * rows)
    fig.update_layout(coloraxis=colours(reliefs, looks), margin={"t": 56, "b": 10, "l": 10})
    for title in fig.layout.annotations[: len(reliefs)]:
        title.font = {"size": 13, "color": marks.ink(looks.dark)}
    plain = {"showbackground": False, "nticks": 4, "gridcolor": marks.soft(marks.grey(looks.dark), 0.3)}
    fig.update_scenes(
        xaxis={**plain, "title": {"text": "x, |c|"}},
        yaxis={**plain, "title": {"text": "y, |c|"}},
        zaxis={**plain, "title": {"text": looks.loss}, **(ticks(*ends) if looks.log else {})},
        aspectmode="manual",
        aspectratio={"x": 1, "y": 1, "z": 0.75},
        camera={"eye": {"x": -1.35, "y": -1.45, "z": 0.95}, "center": {"x": 0, "y": 0, "z": -0.18}},
    )
    return fig


def _rise(fig: go.Figure, relief: Relief, looks: Looks, ends: tuple[float, float], place: dict[str, int]) -> None:
    colour, path = marks.colour(relief.name, looks.dark), relief.path
    for z, line, size, words in (
        (path.loss, {"color": colour, "width": 6}, 4, "the path"),
        (path.plane, {"color": marks.ink(looks.dark), "width": 3, "dash": "dot"}, 2, "its shadow on the plane"),
    ):
        fig.add_scatter3d(
            x=path.x,
            y=path.y,
            z=height(np.minimum(z, ends[1]), looks),
            mode="lines+markers",
            line=line,
            marker={"size": size, "color": line["color"]},
            customdata=told(path),
            hovertemplate=hover(relief, f"{words}, {TOLD}"),
            **place,
        )
