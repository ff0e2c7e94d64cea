"""Figures of SAP's operations: how strong each is, and what it does to a curve."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures.marks import colour, grey, ink, soft

APART = 1.5  # the distance of two sites
SITES = {"input": "input", "hidden1": "after layer 1", "hidden2": "after layer 2", "output": "output"}


def site(name: str) -> str:
    """A site for people."""
    return SITES.get(name, name.replace("hidden", "after layer "))


def spoken(operation: str) -> str:
    """An operation for people: "hidden1.scalar-shift" as "after layer 1: scalar shift"."""
    where, what = operation.split(".")
    return f"{site(where)}: {what.replace('-', ' ').replace('rank', 'rank ')}"


def strengths(
    operations: Sequence[str],
    values: np.ndarray,
    start: np.ndarray,
    what: str,
    *,
    every: np.ndarray | None = None,
    dark: bool,
) -> go.Figure:
    """A heat map: sites as rows in network order, operations as columns; the mean over seeds, their range on hover.

    Args:
        operations: "site.operation".
        values: (seeds, operations).
        start: of each operation before training, (operations,): the middle of the colours.
        what: a value is, for the bar and hover.
        every: values of all moments that share the colours, (moments, seeds, operations); without: `values` alone.
        dark: for the dark background.
    """
    sites = list(dict.fromkeys(name.split(".")[0] for name in operations))
    named = list(dict.fromkeys(name.split(".")[1] for name in operations))
    kinds = sorted(named, key=lambda kind: "shift" in kind)  # multiplications, then shifts
    grid, text = np.full((len(sites), len(kinds)), np.nan), np.full((len(sites), len(kinds)), "", object)
    hover = np.full((len(sites), len(kinds)), "", object)
    for index, name in enumerate(operations):
        i, j = sites.index(name.split(".")[0]), kinds.index(name.split(".")[1])
        mean, low, high = values[:, index].mean(), values[:, index].min(), values[:, index].max()
        ratio = mean / start[index]
        grid[i, j] = np.log2(ratio) if ratio > 0 else np.nan
        text[i, j] = f"{mean:.2g}"
        hover[i, j] = (
            f"{spoken(name)}<br>{what} {mean:.3g}<br>seeds {low:.3g} to {high:.3g}<br>at its start {start[index]:.3g}"
        )
    means = (values[None] if every is None else every).mean(1)
    with np.errstate(divide="ignore"):
        reach = np.abs(np.log2(means / start))
    most = max(1.0, float(reach[np.isfinite(reach)].max(initial=0.0)))
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=[kind.replace("-", " ").replace("rank", "rank ") for kind in kinds],
            y=[site(name) for name in sites],
            text=text,
            texttemplate="%{text}",
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
            zmid=0,
            zmin=-most,
            zmax=most,
            colorscale=diverging(dark),
            xgap=2,
            ygap=2,
            colorbar={
                "title": "times its start",
                "tickvals": [-most, 0, most],
                "ticktext": [f"{2**-most:.2g}", "1", f"{2**most:.2g}"],
                "thickness": 10,
            },
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(side="top", showgrid=False)
    figure.update_layout(height=120 + 46 * len(sites), margin={"l": 90, "r": 10, "t": 60, "b": 10})
    return figure


def along(
    operations: Sequence[str],
    moments: np.ndarray,
    values: np.ndarray,
    name: str,
    *,
    what: str = "strength",
    now: int | None = None,
    dark: bool,
) -> go.Figure:
    """Strengths (or `what`) through training, one panel per site; (moments, seeds, operations); a line at `now`."""
    sites = list(dict.fromkeys(one.split(".")[0] for one in operations))
    figure = make_subplots(1, len(sites), shared_yaxes=True, subplot_titles=[site(one) for one in sites])
    for place, one in enumerate(sites, 1):
        mine = [i for i, op in enumerate(operations) if op.split(".")[0] == one]
        last = values[-1].mean(0)
        first = max(mine, key=lambda i: last[i])
        for i in mine:
            kind = operations[i].split(".")[1]
            shift = "shift" in kind
            figure.add_scatter(
                x=moments,
                y=values[:, :, i].mean(1),
                mode="lines",
                line={
                    "color": colour(name, dark) if i == first else grey(dark),
                    "width": 2.5 if i == first else 1.3,
                    "dash": "dot" if shift else "solid",
                },
                hovertemplate=f"{spoken(operations[i])}<br>update %{{x:,}}<br>{what} %{{y:.3g}}<extra></extra>",
                showlegend=False,
                row=1,
                col=place,
            )
            if i == first or len(mine) == 2:
                figure.add_annotation(
                    x=moments[-1],
                    y=last[i],
                    text=kind.replace("-", " "),
                    xanchor="right",
                    yanchor="bottom",
                    showarrow=False,
                    row=1,
                    col=place,
                    font={"size": 12},
                )
    if now is not None:
        for place in range(1, len(sites) + 1):
            figure.add_vline(x=now, line={"color": ink(dark), "width": 1}, row=1, col=place)
    margin = 0.03 * float(np.ptp(moments))
    figure.update_xaxes(
        title_text="meta-update", showgrid=False, nticks=3, range=[moments.min() - margin, moments.max() + margin]
    )
    figure.update_yaxes(title_text=what, row=1, col=1, rangemode="tozero")
    figure.update_layout(height=280, margin={"l": 60, "r": 10, "t": 30, "b": 40})
    return figure


def network(operations: Sequence[str], relative: np.ndarray, chosen: str | None, name: str, *, dark: bool) -> go.Figure:
    """The network from left to right, the operations of each site above each other, sized by strength.

    `relative` is the strength as a multiple of its start, (operations,); a click selects one.
    """
    sites = list(dict.fromkeys(one.split(".")[0] for one in operations))
    figure = go.Figure()
    tone = colour(name, dark)
    for place in range(len(sites) - 1):
        figure.add_shape(
            type="rect",
            x0=(place + 0.68) * APART,
            x1=(place + 0.84) * APART,
            y0=-3.5,
            y1=3.5,
            line={"width": 0},
            fillcolor=soft(grey(dark), 0.16),
            layer="below",
        )
        last = place == len(sites) - 2
        figure.add_annotation(
            x=(place + 0.76) * APART,
            y=0,
            textangle=-90,
            text="linear" if last else "linear, ReLU",
            showarrow=False,
            font={"size": 12, "color": grey(dark)},
        )
    figure.add_shape(
        type="line",
        x0=-0.4,
        x1=(len(sites) - 0.6) * APART,
        y0=0,
        y1=0,
        line={"color": soft(grey(dark), 0.4), "width": 1},
        layer="below",
    )
    x, y, labels = [], [], []
    for place, one in enumerate(sites):
        mine = [op for op in operations if op.split(".")[0] == one]
        for height, op in zip(np.linspace((len(mine) - 1) / 2.4, -(len(mine) - 1) / 2.4, len(mine)), mine, strict=True):
            x.append(place * APART)
            y.append(height)
            labels.append(op.split(".")[1].replace("-", " ").replace("rank", "rank "))
    sizes = 9 + 13 * np.clip(relative, 0.2, 2.0)
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers+text",
        text=labels,
        textposition="middle right",
        textfont={"size": 11, "color": ink(dark)},
        customdata=list(operations),
        marker={
            "size": sizes,
            "color": [soft(tone, float(np.clip((r - 0.6) / 1.0, 0.12, 1.0))) for r in relative],
            "line": {
                "color": [ink(dark) if op == chosen else tone for op in operations],
                "width": [3 if op == chosen else 1 for op in operations],
            },
            "opacity": 1,
        },
        hovertemplate=[
            f"{spoken(op)}<br>strength {r:.2f} times its start<br>click: switch it off<extra></extra>"
            for op, r in zip(operations, relative, strict=True)
        ],
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}, "textfont": {"color": ink(dark)}},
        showlegend=False,
    )
    figure.update_xaxes(visible=False, range=[-0.2 * APART, (len(sites) - 0.45) * APART])
    figure.update_yaxes(visible=False, range=[-5, 5.4])
    for place, one in enumerate(sites):
        figure.add_annotation(x=place * APART, y=5.2, text=f"<b>{site(one)}</b>", showarrow=False, font={"size": 12})
    figure.update_layout(
        height=420, margin={"l": 10, "r": 10, "t": 10, "b": 10}, dragmode=False, clickmode="event+select"
    )
    return figure


def effect(
    grid: np.ndarray,
    truth: np.ndarray | None,
    points: np.ndarray,
    whole: np.ndarray,
    off: np.ndarray,
    words: str,
    name: str,
    *,
    dark: bool,
) -> go.Figure:
    """A task of one input, its points, and the learner with everything adapting and with one operation held still."""
    figure = go.Figure()
    tone = colour(name, dark)
    if truth is not None:
        dashed = {"color": grey(dark), "dash": "dash", "width": 1.5}
        figure.add_scatter(x=grid, y=truth, mode="lines", name="truth", line=dashed)
    for curve, label, dash, width in ((whole, "all adapt", "solid", 2.5), (off, words, "dot", 2.0)):
        for seed, values in enumerate(curve):
            figure.add_scatter(
                x=grid,
                y=values,
                mode="lines",
                name=label,
                legendgroup=label,
                showlegend=seed == 0,
                line={
                    "color": tone if dash == "solid" else ink(dark),
                    "dash": dash,
                    "width": width if seed == 0 else 1,
                },
                opacity=1 if seed == 0 else 0.45,
                hovertemplate=f"{label}, seed {seed}<br>x %{{x:.2f}}<br>y %{{y:.2f}}<extra></extra>",
            )
    figure.add_scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        name="points",
        marker={"size": 9, "color": ink(dark)},
        hovertemplate="x %{x:.2f}<br>y %{y:.2f}<extra></extra>",
    )
    figure.update_xaxes(title_text="x", showgrid=False)
    reach = 1.6 * float(np.abs(points[:, 1] if truth is None else truth).max()) + 0.6
    figure.update_yaxes(title_text="y", range=[-reach, reach])
    figure.update_layout(
        height=420,
        margin={"l": 50, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def diverging(dark: bool) -> list[list[float | str]]:
    """Colours from low to high around the page's own."""
    middle = "#23282F" if dark else "#F7F7F5"
    return [[0.0, "#B24A0A"], [0.5, middle], [1.0, "#1A6CA6"]]
