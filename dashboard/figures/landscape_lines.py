"""Figures of loss landscapes along lines: straight ones through the centre, and the path against the plane."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import marks, palette
from dashboard.figures.landscape import TOLD, Looks, Relief, grid, hover, outer_titles, span, told


def slices(reliefs: Sequence[Relief], looks: Looks) -> go.Figure:
    """Straight lines through the centre along both axes; marks: the true loss on the path, over its first axis."""
    fig, places = grid(reliefs, looks, shared_yaxes=True)
    ends = span(reliefs)
    for i, (relief, place) in enumerate(zip(reliefs, places, strict=True)):
        colour, path = marks.colour(relief.name, looks.dark), relief.path
        across, up = int(np.abs(relief.y).argmin()), int(np.abs(relief.x).argmin())
        for x, y, dash, words in (
            (relief.x, relief.values[across], "solid", looks.axes[0]),
            (relief.y, relief.values[:, up], "dot", looks.axes[1]),
        ):
            fig.add_scatter(
                x=x,
                y=np.where(np.isfinite(y), y, np.nan),
                mode="lines",
                line={"color": colour, "width": 2.4, "dash": dash},
                name=words,
                legendgroup=words,
                showlegend=i == 0,
                hovertemplate=hover(relief, f"{words} %{{x:.3g}}<br>{looks.loss} %{{y:.3g}}"),
                **place,
            )
        fig.add_scatter(
            x=path.x,
            y=path.loss,
            mode="markers",
            marker={"size": 7, "color": marks.background(looks.dark), "line": {"color": colour, "width": 1.8}},
            name="true loss on the path",
            legendgroup="path",
            showlegend=i == 0,
            customdata=told(path),
            hovertemplate=hover(relief, TOLD),
            **place,
        )
        fig.add_vline(x=0, line={"color": marks.grey(looks.dark), "width": 1, "dash": "dot"}, **place)
    fig.update_yaxes(**marks.span((ends[0] / 1.3, ends[1] * 1.2) if looks.log else (0, ends[1] * 1.05), looks.log))
    fig.update_layout(showlegend=True, legend={"orientation": "h", "y": -0.16, "font": {"size": 12}})
    outer_titles(
        fig, len(reliefs), Looks(("distance from the centre, |c|", ""), looks.loss, looks.log, looks.dark), looks.loss
    )
    return fig


def trap(reliefs: Sequence[Relief], looks: Looks, steps: str) -> go.Figure:
    """True loss along the path (line) and the plane's height below it (dotted), one panel per learner.

    Args:
        reliefs: the learners.
        looks: what panels share.
        steps: what the horizontal axis counts.
    """
    reliefs = [replace(relief, note="") for relief in reliefs]
    fig, places = grid(reliefs, looks, shared_yaxes=True)
    every = [v for relief in reliefs for v in (relief.path.loss, relief.path.plane)]
    for i, (relief, place) in enumerate(zip(reliefs, places, strict=True)):
        colour, path = marks.colour(relief.name, looks.dark), relief.path
        for y, line, symbol, words in (
            (path.loss, {"color": colour, "width": 2.6}, palette.style(relief.name).marker, "on the path"),
            (path.plane, {"color": marks.grey(looks.dark), "width": 2, "dash": "dot"}, "circle-open", "on the plane"),
        ):
            fig.add_scatter(
                x=path.count,
                y=y,
                mode="lines+markers",
                line=line,
                marker={"size": 6, "symbol": symbol, "color": line["color"]},
                name=words,
                legendgroup=words,
                showlegend=i == 0,
                customdata=told(path),
                hovertemplate=hover(relief, TOLD),
                **place,
            )
    extent = marks.extent(every, looks.log)
    fig.update_yaxes(showgrid=True, **marks.span(extent, looks.log))
    rows = places[-1]["row"]
    fig.update_layout(
        height=95 + 200 * rows, showlegend=True, legend={"orientation": "h", "y": -0.24 if rows < 2 else -0.14}
    )
    outer_titles(fig, len(reliefs), Looks((steps, ""), looks.loss, looks.log, looks.dark), looks.loss)
    return fig
