"""Figures of similarity: a heat map of all pairs of layers, and the two kernels of one pair."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures.marks import background

SEQUENTIAL = ["#EEF3F9", "#B5CEE6", "#669CCB", "#2369A3", "#062849"]
SEQUENTIAL_DARK = ["#1E2229", "#123A5C", "#1F6AA5", "#6FAEDD", "#E6F1FA"]
DIVERGING = ["#7A2B00", "#DB7A38", "#F8F4F0", "#4F94C6", "#063F6E"]
DIVERGING_DARK = ["#FFB27A", "#B0571F", "#1E2229", "#2C75AE", "#9BD0FF"]
BAR = {"thickness": 12, "outlinewidth": 0, "len": 0.9}


def heat(
    labels: Sequence[str],
    groups: Sequence[str],
    cka: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    chosen: tuple[int, int],
    dark: bool,
) -> go.Figure:
    """Every layer against every other one; a frame around the chosen pair.

    Args:
        labels: of the rows and columns.
        groups: the learner of each, for people; lines part them.
        cka: means over seeds, (n, n).
        low: the lowest over seeds, (n, n).
        high: the highest over seeds, (n, n).
        chosen: row and column of the pair looked at.
        dark: colours for the dark background.
    """
    n = len(labels)
    scale = SEQUENTIAL_DARK if dark else SEQUENTIAL
    fig = go.Figure(
        go.Heatmap(z=cka, zmin=0, zmax=1, colorscale=scale, hoverinfo="skip", colorbar={"title": "CKA", **BAR})
    )
    row, column = (index.ravel() for index in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    hidden = np.array(list(labels), dtype=object)
    # A heat map cannot be clicked: an unseen point in each cell can, and tells the cell's numbers.
    fig.add_scatter(
        x=column,
        y=row,
        mode="markers",
        marker={"size": 14, "symbol": "square", "opacity": 0},
        unselected={"marker": {"opacity": 0}},
        selected={"marker": {"opacity": 0}},
        customdata=np.stack(
            [hidden[row], hidden[column], cka.ravel(), low.ravel(), high.ravel(), row, column], -1
        ).tolist(),
        hovertemplate=(
            "%{customdata[0]}<br>%{customdata[1]}<br>CKA %{customdata[2]:.3f}"
            ", seeds %{customdata[3]:.3f} to %{customdata[4]:.3f}<extra></extra>"
        ),
        showlegend=False,
    )
    for index in range(1, n):
        if groups[index] != groups[index - 1]:
            rule = {"type": "line", "line": {"color": background(dark), "width": 3}}
            fig.add_shape(x0=index - 0.5, x1=index - 0.5, y0=-0.5, y1=n - 0.5, **rule)
            fig.add_shape(x0=-0.5, x1=n - 0.5, y0=index - 0.5, y1=index - 0.5, **rule)
    i, j = chosen
    accent = "#FF9D3C" if dark else "#C24A00"
    fig.add_shape(type="rect", x0=j - 0.5, x1=j + 0.5, y0=i - 0.5, y1=i + 0.5, line={"color": accent, "width": 3})
    plain = {"showgrid": False, "zeroline": False}
    names = list(dict.fromkeys(groups))  # columns are in the order of the rows: their learners are enough
    middles = [float(np.mean([i for i, group in enumerate(groups) if group == name])) for name in names]
    fig.update_xaxes(range=[-0.5, n - 0.5], tickvals=middles, ticktext=names, **plain)
    fig.update_yaxes(range=[n - 0.5, -0.5], tickvals=list(range(n)), ticktext=list(labels), **plain)
    return fig.update_layout(
        height=int(np.clip(22 * n + 110, 320, 900)),
        margin={"l": 10, "r": 10, "t": 20, "b": 10},
        hovermode="closest",
        hoverdistance=-1,
        dragmode=False,
    )


def kernels(labels: tuple[str, str], pair: np.ndarray, x: np.ndarray, dark: bool, axis: str = "input") -> go.Figure:
    """How alike each of two layers finds any two inputs.

    Args:
        labels: of the two layers.
        pair: their kernels, (2, points, points).
        x: the inputs, (points,).
        dark: colours for the dark background.
        axis: what they are.
    """
    fig = make_subplots(cols=2, subplot_titles=labels, horizontal_spacing=0.08, shared_yaxes=True)
    limit = float(np.nanquantile(np.abs(pair), 0.995)) if np.isfinite(pair).any() else 1.0
    for column, kernel in enumerate(pair, start=1):
        fig.add_heatmap(
            x=x,
            y=x,
            z=kernel / limit,
            zmin=-1,
            zmax=1,
            colorscale=DIVERGING_DARK if dark else DIVERGING,
            showscale=column == 2,
            colorbar={"title": "alike", "tickvals": [-1, 0, 1], **BAR},
            hovertemplate="x %{x:.4~g} and x′ %{y:.4~g}: %{z:.2f}<extra></extra>",
            row=1,
            col=column,
        )
        fig.update_xaxes(title_text=f"{axis} x", constrain="domain", row=1, col=column)
    fig.update_yaxes(title_text=f"{axis} x′", row=1, col=1)
    return fig.update_layout(height=360, margin={"l": 10, "r": 10, "t": 40, "b": 45})
