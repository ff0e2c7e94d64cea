"""Figures of maps: points of learners, tasks and steps; the tasks themselves; what selected points say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import marks, palette
from dashboard.figures.marks import colour, ink

VIRIDIS, CIVIDIS = "Viridis", "Cividis"
FADED = 0.1


@dataclass(frozen=True)
class Points:
    """What is drawn, point by point.

    Attributes:
        names, titles: of the learners.
        learner: which of them each point is, (n,).
        words: what a hover says, (n,).
        value: what colours the points, (n,), or None for the learner's own colour.
        label: of the value.
        log: whether the value is shown by its logarithm.
        lit: the selected points, (n,); all of them if nothing is selected.
    """

    names: Sequence[str]
    titles: Sequence[str]
    learner: np.ndarray
    words: np.ndarray
    value: np.ndarray | None
    label: str
    log: bool
    lit: np.ndarray


def scatter(points: Points, xy: np.ndarray, axes: tuple[str, str], dark: bool, *, square: bool = False) -> go.Figure:
    """The points of a map, selected ones in full colour, the others faded.

    Args:
        points: what they are.
        xy: their places, (n, 2).
        axes: labels of the two axes.
        dark: colours for the dark background.
        square: one unit is as long on both axes.
    """
    fig = go.Figure()
    opacity = np.where(points.lit, 0.85, FADED)
    value = points.value
    if value is not None and points.log:
        value = np.log10(np.maximum(value, 1e-6))
    for index, (name, title) in enumerate(zip(points.names, points.titles, strict=True)):
        own = np.flatnonzero(points.learner == index)
        marker = {"symbol": palette.style(name).marker, "size": 7, "opacity": opacity[own]}
        if value is None:
            marker["color"] = colour(name, dark)
        else:
            marker |= {"color": value[own], "coloraxis": "coloraxis"}
        fig.add_scattergl(
            x=xy[own, 0],
            y=xy[own, 1],
            mode="markers",
            marker=marker,
            showlegend=False,
            customdata=np.stack([own, points.words[own]], -1).tolist(),
            hovertemplate="%{customdata[1]}<extra></extra>",
            unselected={"marker": {"opacity": FADED}},
        )
        plain = {
            "symbol": palette.style(name).marker,
            "size": 8,
            "color": colour(name, dark) if value is None else ink(dark),
        }
        fig.add_scatter(x=[None], y=[None], mode="markers", marker=plain, name=title)  # full colour in the legend
    if value is not None:
        bar = {"title": points.label, "thickness": 12, "outlinewidth": 0, "len": 0.9}
        if points.log:
            low, high = int(np.floor(value.min())), int(np.ceil(value.max()))
            bar |= {
                "tickvals": list(range(low, high + 1)),
                "ticktext": [f"10<sup>{k}</sup>" for k in range(low, high + 1)],
            }
        scale = VIRIDIS if dark else CIVIDIS
        fig.update_layout(coloraxis={"colorscale": scale, "colorbar": bar})
    fig.update_xaxes(title_text=axes[0], zeroline=False)
    fig.update_yaxes(title_text=axes[1], zeroline=False, **({"scaleanchor": "x"} if square else {}))
    return _laid_out(fig, 460)


def tasks(
    numbers: np.ndarray, phase: np.ndarray, amplitude: np.ndarray, error: np.ndarray, lit: np.ndarray, dark: bool
) -> go.Figure:
    """The plane of tasks: phase against amplitude, coloured by the mean error of the learners shown.

    Args:
        numbers: of the tasks, (n,).
        phase: of the tasks, (n,).
        amplitude: of the tasks, (n,).
        error: mean squared error after adaptation, over the learners shown, (n,).
        lit: the selected tasks, (n,).
        dark: colours for the dark background.
    """
    value = np.log10(np.maximum(error, 1e-6))
    low, high = int(np.floor(value.min())), int(np.ceil(value.max()))
    bar = {"title": "MSE", "tickvals": list(range(low, high + 1)), "thickness": 12, "outlinewidth": 0, "len": 0.9}
    bar["ticktext"] = [f"10<sup>{k}</sup>" for k in range(low, high + 1)]
    fig = go.Figure(
        go.Scatter(
            x=phase,
            y=amplitude,
            mode="markers",
            marker={
                "size": 12,
                "color": value,
                "colorscale": VIRIDIS if dark else CIVIDIS,
                "colorbar": bar,
                "opacity": np.where(lit, 0.95, FADED + 0.05),
                "line": {"width": 1, "color": ink(dark)},
            },
            customdata=np.stack([numbers, error], -1).tolist(),  # as an array, a selection would lose its order
            hovertemplate=(
                "task %{customdata[0]}<br>amplitude %{y:.2f}, phase %{x:.2f}<br>MSE %{customdata[1]:.3g}<extra></extra>"
            ),
            unselected={"marker": {"opacity": FADED}},
        )
    )
    fig.update_xaxes(title_text="phase (radians)", zeroline=False)
    fig.update_yaxes(title_text="amplitude", zeroline=False)
    return _laid_out(fig, 460)


def said(
    points: Points, chosen: np.ndarray, places: np.ndarray, curves: np.ndarray, truths: np.ndarray, dark: bool
) -> go.Figure:
    """What the selected points say, with the true functions of their tasks dotted.

    Args:
        points: what they are.
        chosen: numbers of the points drawn, (m,).
        places: inputs, (places,).
        curves: what the points say there, (n, places).
        truths: the true functions of the tasks of the chosen points, each once, (t, places).
        dark: colours for the dark background.
    """
    fig = go.Figure()
    for index, truth in enumerate(truths):
        line = {"color": ink(dark), "dash": "dot", "width": 1.5}
        fig.add_scatter(
            x=places, y=truth, mode="lines", line=line, name="true function", showlegend=index == 0, hoverinfo="skip"
        )
    seen: set[int] = set()
    for row in chosen:
        learner = int(points.learner[row])
        name = points.names[learner]
        fig.add_scatter(
            x=places,
            y=curves[row],
            mode="lines",
            line={"color": colour(name, dark), "dash": palette.style(name).plotly_dash, "width": 1.5},
            opacity=0.7,
            name=points.titles[learner],
            legendgroup=name,
            showlegend=learner not in seen,
            hovertemplate=f"{points.words[row]}<extra></extra>",
        )
        seen.add(learner)
    fig.update_xaxes(title_text="x")
    fig.update_yaxes(title_text="y")
    return _laid_out(fig, 360)


def _laid_out(fig: go.Figure, height: int) -> go.Figure:
    return marks.on_foot(fig, height, top=20, foot=95).update_layout(dragmode="select")
