"""Figure of attributions: influence on the plot of the learners' functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks, palette

SYMBOLS = ("circle", "diamond", "square", "cross")  # of the methods, in their order
WIDEST = 6.0  # pixels, of the line to the point with the largest influence
PANEL = 400  # pixels, of a learner's two panels


@dataclass(frozen=True)
class Influence:
    """One learner at one query.

    Attributes:
        name, title: of the learner.
        before, after: its curves, (seeds, queries).
        values: attributions by method, (seeds, K).
    """

    name: str
    title: str
    before: np.ndarray
    after: np.ndarray
    values: Mapping[str, np.ndarray]


def push(dark: bool) -> tuple[str, str]:
    """The colours of what pulls a prediction down, and of what pushes it up."""
    return ("#5AA7DC", "#F0945A") if dark else ("#1A6CA6", "#B24A0A")


def influence(
    found: Sequence[Influence],
    shown: str,
    points: np.ndarray,
    grid: np.ndarray,
    truth: np.ndarray,
    at: int,
    dark: bool,
) -> go.Figure:
    """Each learner's curve with a line from every support point to the query, and all methods' values below.

    Args:
        found: the learners.
        shown: the method that lines and bars stand for; the others are marks beside the bars.
        points: the support, (K, 2).
        grid: even inputs, (queries,).
        truth: the true function there; NaN: unknown.
        at: the place of the query among them.
        dark: colours for the dark background.
    """
    across, down, places = marks.in_rows(len(found), 2)
    fig = make_subplots(
        rows=2 * down,
        cols=across,
        row_heights=[0.62, 0.38] * down,
        horizontal_spacing=0.05,
        vertical_spacing=64 / (PANEL * down),
        subplot_titles=[one.title if i % 2 == 0 else "" for one, i in _titles(found, across)],
    )
    every = np.concatenate([one.values[shown].mean(0) for one in found])
    largest = float(np.nanmax(np.abs(every), initial=1e-9))
    highest = float(np.nanmax(np.abs(np.concatenate([points[:, 1], truth])), initial=1.0))
    limit = 1.15 * max(highest, *(min(float(np.nanmax(np.abs(o.after), initial=0.0)), 2 * highest) for o in found))
    reach = 1.15 * max(_largest(one.values.values(), 4 * largest) for one in found)
    for index, one in enumerate(found):
        column, row = places[index]["col"], 2 * places[index]["row"] - 1
        place, below = {"row": row, "col": column}, {"row": row + 1, "col": column}
        _curves(fig, one, grid, truth, dark, place)
        _links(fig, one, shown, points, grid, at, largest, dark, place)
        _values(fig, one, shown, points, dark, below, legend=index == 0)
        for panel in (place, below):
            line = {"color": marks.ink(dark), "width": 1, "dash": "dot"}
            fig.add_vline(float(grid[at]), line=line, opacity=0.6, **panel)
        fig.update_yaxes(range=[-limit, limit], title_text="y" if column == 1 else None, zeroline=False, **place)
        fig.update_yaxes(range=[-reach, reach], title_text="influence" if column == 1 else None, **below)
        fig.update_xaxes(showticklabels=False, **place)
        fig.update_xaxes(title_text="x" if row + 2 > 2 * down - 1 else None, **below)
    fig.update_xaxes(range=[float(grid[0]), float(grid[-1])], zeroline=False)
    fig.update_layout(
        height=PANEL * down + 60,
        margin={"l": 55, "r": 10, "t": 60, "b": 40},
        hovermode="closest",
        dragmode=False,
        clickmode="event+select",
        legend={"orientation": "h", "x": 0, "y": 1 + 36 / (PANEL * down), "yanchor": "bottom"},
    )
    return fig


def _titles(found: Sequence[Influence], across: int) -> list[tuple[Influence, int]]:
    """What stands above each panel, row by row: a learner's name above its upper one."""
    rows = [found[i : i + across] for i in range(0, len(found), across)]
    return [(one, half) for row in rows for half in (0, 1) for one in [*row, *[row[-1]] * (across - len(row))]]


def _largest(values: Sequence[np.ndarray], most: float) -> float:
    """The largest mean among methods, but no more than `most`: one that ran away must not flatten the others."""
    return min(most, max(float(np.nanmax(np.abs(v.mean(0)), initial=1e-9)) for v in values))


def _curves(
    fig: go.Figure, one: Influence, grid: np.ndarray, truth: np.ndarray, dark: bool, place: dict[str, int]
) -> None:
    colour, style = marks.colour(one.name, dark), palette.style(one.name)
    line = {"color": marks.grey(dark), "dash": "dot", "width": 1.5}
    fig.add_scatter(x=grid, y=truth, mode="lines", line=line, hoverinfo="skip", showlegend=False, **place)
    early = {"color": marks.soft(colour, 0.55), "width": 1.3}
    fig.add_scatter(x=grid, y=one.before.mean(0), mode="lines", line=early, hoverinfo="skip", showlegend=False, **place)
    marks.band(fig, grid, one.after.min(0), one.after.max(0), colour, **place)
    fig.add_scatter(
        x=grid,
        y=one.after.mean(0),
        mode="lines+markers",
        line={"color": colour, "dash": style.plotly_dash, "width": 2.4},
        marker={"size": 14, "opacity": 0},  # what a click finds
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=np.arange(len(grid)).tolist(),
        hovertemplate=f"<b>{one.title}</b> says %{{y:.2f}} at x = %{{x:.1f}}<br>click: ask about it<extra></extra>",
        showlegend=False,
        **place,
    )


def _links(
    fig: go.Figure,
    one: Influence,
    shown: str,
    points: np.ndarray,
    grid: np.ndarray,
    at: int,
    largest: float,
    dark: bool,
    place: dict[str, int],
) -> None:
    """Lines from points to the prediction, as wide as their influence."""
    values, (down, up) = one.values[shown].mean(0), push(dark)
    x, y = float(grid[at]), float(one.after[:, at].mean())
    for point, value in zip(points, values, strict=True):
        if np.isfinite(value):
            width = 0.4 + (WIDEST - 0.4) * min(abs(value) / largest, 1.0)
            line = {"color": marks.soft(up if value > 0 else down, 0.5), "width": width}
            fig.add_scatter(
                x=[point[0], x], y=[point[1], y], mode="lines", line=line, hoverinfo="skip", showlegend=False, **place
            )
    said = [f"{v:+.2f}" if np.isfinite(v) else "unknown: an adaptation ran away" for v in values]
    fig.add_scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        marker={
            "size": 10,
            "color": [marks.grey(dark) if not np.isfinite(v) else up if v > 0 else down for v in values],
            "line": {"color": marks.background(dark), "width": 1.2},
            "opacity": 1,
        },
        text=said,
        hovertemplate="support point x %{x:.2f}, y %{y:.2f}<br>influence %{text}<extra></extra>",
        showlegend=False,
        **place,
    )
    ring = {"size": 13, "color": marks.background(dark), "line": {"color": marks.colour(one.name, dark), "width": 3}}
    fig.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        marker=ring,
        hovertemplate=f"<b>{one.title}</b> says %{{y:.2f}} here<extra></extra>",
        showlegend=False,
        **place,
    )


def _values(
    fig: go.Figure, one: Influence, shown: str, points: np.ndarray, dark: bool, place: dict[str, int], *, legend: bool
) -> None:
    """Bars for the method shown with the range of its seeds, a mark for each of the others."""
    down, up = push(dark)
    mine = one.values[shown]
    mean = mine.mean(0)
    colours = [marks.soft(up if v > 0 else down, 0.85) for v in np.nan_to_num(mean)]
    fig.add_bar(
        x=points[:, 0],
        y=mean,
        width=0.16,
        marker={"color": colours, "line": {"width": 0}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": mine.max(0) - mean,
            "arrayminus": mean - mine.min(0),
            "color": marks.ink(dark),
            "thickness": 1,
            "width": 0,
        },
        hovertemplate=f"{shown}: %{{y:.3f}}<br>point at x = %{{x:.2f}}<extra></extra>",
        name=shown,
        showlegend=False,
        **place,
    )
    others = [method for method in one.values if method != shown]
    for number, (method, values) in enumerate(one.values.items()):
        if method == shown:
            continue
        fig.add_scatter(
            x=points[:, 0] + 0.14 * (others.index(method) - (len(others) - 1) / 2),
            y=values.mean(0),
            mode="markers",
            marker={
                "symbol": f"{SYMBOLS[number % len(SYMBOLS)]}-open",
                "size": 7,
                "color": marks.ink(dark),
                "line": {"width": 1.4},
                "opacity": 1,
            },
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            name=method,
            legendgroup=method,
            showlegend=legend,
            hovertemplate=f"{method}: %{{y:.3f}}<extra></extra>",
            **place,
        )
    fig.add_hline(0, line={"color": marks.grey(dark), "width": 1}, **place)
