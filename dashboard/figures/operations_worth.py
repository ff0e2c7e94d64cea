"""Figures of what SAP's operations are worth, how they move, and whether they match what the tasks vary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures.marks import background, colour, extent, grey, ink, soft, span
from dashboard.figures.operations import diverging, spoken

ROW = 26  # pixels of a row of dots


@dataclass(frozen=True)
class Dot:
    """A value with an interval (or a range) in a row."""

    row: str
    value: float
    low: float
    high: float
    hover: str


def dots(
    rows: Sequence[tuple[str, Dot, Dot | None]], baseline: float, words: tuple[str, str, str], name: str, *, dark: bool
) -> go.Figure:
    """Rows of dots with intervals on a logarithmic axis: filled, and open beside it.

    Args:
        rows: label, the filled dot, the open one (None where it has no value).
        baseline: a line through all rows.
        words: what filled, open and the axis mean.
        name: the learner whose colour is used.
        dark: for the dark background.
    """
    figure = go.Figure()
    tone = colour(name, dark)
    for which, (label, full) in enumerate(zip(words[:2], (True, False), strict=True)):
        found = [row[1 + which] for row in rows]
        shown = [dot for dot in found if dot is not None]
        if not shown:
            continue
        figure.add_scatter(
            x=[dot.value for dot in shown],
            y=[dot.row for dot in shown],
            mode="markers",
            name=label,
            marker={"size": 10, "color": tone if full else background(dark), "line": {"color": tone, "width": 2}},
            error_x={
                "type": "data",
                "symmetric": False,
                "color": soft(tone, 0.6),
                "thickness": 1.5,
                "width": 0,
                "array": [dot.high - dot.value for dot in shown],
                "arrayminus": [dot.value - dot.low for dot in shown],
            },
            customdata=[dot.hover for dot in shown],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.add_vline(x=baseline, line={"color": grey(dark), "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=np.log10(baseline),
        y=1,
        yref="paper",
        yanchor="bottom",
        text="all adapt",
        showarrow=False,
        font={"color": grey(dark), "size": 12},
    )
    figure.update_yaxes(autorange="reversed", showgrid=True, categoryorder="array", categoryarray=[r[0] for r in rows])
    figure.update_xaxes(type="log", title_text=words[2], nticks=6)
    figure.update_layout(
        height=90 + ROW * len(rows),
        margin={"l": 190, "r": 10, "t": 40, "b": 50},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
    )
    return figure


def pruning(
    curves: Sequence[tuple[str, np.ndarray, Sequence[str]]], name: str, *, now: int | None = None, dark: bool
) -> go.Figure:
    """Error with only n operations adapting, in each of two orders: label, (n + 1, low-mean-high), the operations.

    Where n is chosen, `now`, a line marks it, and rings the errors there.
    """
    figure = go.Figure()
    for (label, values, order), dash in zip(curves, ("solid", "dot"), strict=True):
        figure.add_scatter(
            x=np.arange(len(values)),
            y=values[:, 1],
            mode="lines+markers",
            name=label,
            line={"color": colour(name, dark), "dash": dash, "width": 2},
            marker={"size": 5},
            customdata=["none adapts", *(f"with {spoken(one)}" for one in order)],
            hovertemplate=f"{label}: %{{x}}<br>%{{customdata}}<br>test error %{{y:.4g}}<extra></extra>",
        )
    if now is not None:
        figure.add_vline(x=now, line={"color": ink(dark), "width": 1})
        figure.add_scatter(
            x=[now] * len(curves),
            y=[values[now, 1] for _, values, _ in curves],
            mode="markers",
            marker={"size": 13, "symbol": "circle-open", "color": ink(dark), "line": {"width": 2}},
            hoverinfo="skip",
            showlegend=False,
        )
    figure.update_xaxes(title_text="operations that adapt", dtick=2, showgrid=False)
    every = [values[:, 1] for _, values, _ in curves]
    figure.update_yaxes(title_text="query mean squared error", **span(extent(every, log=True), log=True))
    figure.update_layout(
        height=420,
        margin={"l": 70, "r": 20, "t": 20, "b": 50},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def answers(rows: Sequence[str], columns: Sequence[str], values: np.ndarray, *, dark: bool) -> go.Figure:
    """Correlations, (rows, columns), as a heat map of their size."""
    figure = go.Figure(
        go.Heatmap(
            z=np.abs(values),
            x=list(columns),
            y=[spoken(row) for row in rows],
            text=np.where(np.isfinite(values), np.char.mod("%.2f", np.nan_to_num(values)), "still"),
            texttemplate="%{text}",
            hovertemplate="%{y}<br>with the task's %{x}: %{text}<extra></extra>",
            zmin=0,
            zmax=1,
            colorscale=sequential(dark),
            xgap=2,
            ygap=2,
            colorbar={"title": "|r|", "thickness": 10},
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(side="top", showgrid=False)
    figure.update_layout(height=70 + 24 * len(rows), margin={"l": 190, "r": 10, "t": 40, "b": 10})
    return figure


def families(
    names: Sequence[str],
    factors: Sequence[str],
    operations: Sequence[str],
    values: np.ndarray,
    truth: np.ndarray,
    what: str,
    middle: float,
    *,
    dark: bool,
) -> go.Figure:
    """Families as rows, the four gates as columns; a frame where the operation realises a factor that varies.

    Args:
        names: of the families.
        factors: which factor each operation realises.
        operations: the four.
        values: (families, 4), the mean over seeds.
        truth: whether the factor varies, (families, 4).
        what: a value is.
        middle: of the colours.
        dark: for the dark background.
    """
    spread = float(np.abs(values - middle).max()) or 1.0
    columns = [
        f"{operation.replace('.', ' ')}<br>({factor})" for operation, factor in zip(operations, factors, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=columns,
            y=list(names),
            text=np.char.mod("%.2g", values),
            texttemplate="%{text}",
            zmid=middle,
            zmin=middle - spread,
            zmax=middle + spread,
            colorscale=diverging(dark),
            hovertemplate=f"tasks that vary %{{y}}<br>%{{x}}<br>{what} %{{text}}<extra></extra>",
            xgap=2,
            ygap=2,
            colorbar={"title": what, "thickness": 10},
        )
    )
    right = [(columns[j], names[i]) for i, j in zip(*np.nonzero(truth), strict=True)]
    figure.add_scatter(
        x=[x for x, _ in right],
        y=[y for _, y in right],
        mode="markers",
        marker={"symbol": "square-open", "size": 24, "color": ink(dark), "line": {"width": 1.6}},
        hoverinfo="skip",
        name="varies",
        showlegend=False,
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(side="top", showgrid=False)
    figure.update_layout(height=110 + 27 * len(names), margin={"l": 220, "r": 10, "t": 60, "b": 10})
    return figure


def protocols(rows: Sequence[tuple[str, str, float, float, float]], *, dark: bool) -> go.Figure:
    """Match by protocol: rows of (protocol, which, mean, ci95, chance) in per cent; "trained" filled, controls grey."""
    figure = go.Figure()
    order = list(dict.fromkeys(row[0] for row in rows))
    marks = {
        "trained": (colour("sap", dark), "circle"),
        "untrained": (grey(dark), "circle-open"),
        "mismatched": (grey(dark), "diamond-open"),
    }
    for which, (tone, symbol) in marks.items():
        mine = [row for row in rows if row[1] == which]
        figure.add_scatter(
            x=[row[2] for row in mine],
            y=[row[0] for row in mine],
            mode="markers",
            name=which,
            marker={"symbol": symbol, "size": 11, "color": tone, "line": {"width": 2}},
            error_x={
                "type": "data",
                "array": [row[3] for row in mine],
                "color": soft(tone, 0.6),
                "thickness": 1.5,
                "width": 0,
            },
            hovertemplate=f"{which}, %{{y}}<br>%{{x:.0f}} ± %{{error_x.array:.0f}} %<extra></extra>",
        )
    figure.add_scatter(
        x=[next(row[4] for row in rows if row[0] == name) for name in order],
        y=order,
        mode="markers",
        name="chance",
        marker={"symbol": "line-ns-open", "size": 16, "color": ink(dark), "line": {"width": 2}},
        hovertemplate="chance %{x:.0f} %<extra></extra>",
    )
    figure.add_vline(x=75, line={"color": grey(dark), "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=75,
        y=1,
        yref="paper",
        yanchor="bottom",
        text="reported: 75 %",
        showarrow=False,
        font={"size": 12, "color": grey(dark)},
    )
    figure.update_xaxes(range=[0, 105], title_text="match (%), 95 % interval over seeds")
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(
        height=110 + 44 * len(order),
        margin={"l": 210, "r": 10, "t": 50, "b": 50},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": -0.25, "yanchor": "top"},
    )
    return figure


def moved(learners: Sequence[tuple[str, str, np.ndarray, float]], layers: Sequence[str], *, dark: bool) -> go.Figure:
    """Relative movement of each layer: rows of (name, title, (layers,), error after), one panel per layer."""
    figure = make_subplots(1, len(layers), shared_yaxes=True, subplot_titles=list(layers), horizontal_spacing=0.03)
    for place in range(len(layers)):
        figure.add_scatter(
            x=[max(values[place], 1e-4) for _, _, values, _ in learners],
            y=[title for _, title, _, _ in learners],
            mode="markers",
            marker={"size": 10, "color": [colour(name, dark) for name, *_ in learners]},
            customdata=[[values[place], error] for _, _, values, error in learners],
            hovertemplate="%{y}<br>moves %{customdata[0]:.3f} of its length<br>"
            "test error %{customdata[1]:.4f}<extra></extra>",
            showlegend=False,
            row=1,
            col=place + 1,
        )
    figure.update_xaxes(type="log", title_text="|ΔW| / |W|", nticks=4, exponentformat="power")
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=90 + 24 * len(learners), margin={"l": 190, "r": 10, "t": 40, "b": 50})
    return figure


def sequential(dark: bool) -> list[list[float | str]]:
    """Colours from the page's own to high."""
    return [[0.0, "#1E2229" if dark else "#F7F7F5"], [1.0, "#2F8FD8" if dark else "#145288"]]
