"""The figure of the toy: two losses on a line, and starts that flow to where each learner ends."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks, palette

RANGE = (-150.0, 200.0)
HIGHEST = 10_000.0
MIDDLE = 100.0


def figure(
    grid: np.ndarray,
    losses: tuple[np.ndarray, np.ndarray],
    visits: np.ndarray,
    paths: dict[str, np.ndarray],
    fixed: dict[str, float | None],
    titles: dict[str, str],
    dark: bool,
) -> go.Figure:
    """Above, both task losses over x; below, every start's path downwards, updates on a logarithmic axis.

    Args:
        grid: where the losses are given, (grid,).
        losses: of task 1 and task 2, (grid,) each.
        visits: pairs of visits noted, from 0, (v,).
        paths: x by learner, (v, starts).
        fixed: the fixed point in closed form by learner, or None.
        titles: the learners' names for people.
        dark: colours for the dark background.
    """
    ink = marks.ink(dark)
    heights = [0.34] + [0.66 / len(paths)] * len(paths)
    fig = make_subplots(rows=1 + len(paths), shared_xaxes=True, row_heights=heights, vertical_spacing=0.025)
    for task, (loss, dash) in enumerate(zip(losses, ("dash", "solid"), strict=True), start=1):
        line = {"color": ink, "dash": dash, "width": 1.8}
        hover = f"task {task}<br>x %{{x:.1f}}, loss %{{y:.0f}}<extra></extra>"
        fig.add_scatter(x=grid, y=loss, mode="lines", line=line, hovertemplate=hover, row=1, col=1)
        at = int(np.argmin(np.where((grid > -60) == (task == 2), np.abs(loss - 0.7 * HIGHEST), np.inf)))
        fig.add_annotation(x=grid[at], y=loss[at], text=f"task {task}", showarrow=False, row=1, col=1)
        left = task == 1 or grid[at] > MIDDLE  # beside the curve, inside the plot
        fig.layout.annotations[-1].update(xshift=-24 if left else 24, font={"color": ink, "size": 11})
    for row, (learner, path) in enumerate(paths.items(), start=2):
        _flow(fig, learner, titles[learner], path, visits, fixed[learner], row, dark)
    marks.laid_out(fig, 560)
    fig.update_xaxes(range=list(RANGE), zeroline=False)
    fig.update_xaxes(title_text="x, the one parameter", row=1 + len(paths), col=1)
    fig.update_yaxes(title_text="loss", range=[0, HIGHEST], zeroline=False, row=1, col=1)
    fig.update_yaxes(title_text="pairs of visits ↓", row=3, col=1)
    return fig


def _flow(
    fig: go.Figure,
    learner: str,
    title: str,
    path: np.ndarray,
    visits: np.ndarray,
    point: float | None,
    row: int,
    dark: bool,
) -> None:
    """One learner's paths (v, starts), downwards, its ends, and its fixed point where there is a formula."""
    colour, down, starts = marks.colour(learner, dark), visits + 1.0, path.shape[1]  # a logarithmic axis has no 0
    place = {"row": row, "col": 1}
    fig.add_scatter(
        x=np.concatenate([path, np.full((1, starts), np.nan)]).T.ravel(),
        y=np.tile(np.append(down, np.nan), starts),
        mode="lines",
        line={"color": colour, "width": 1.1},
        opacity=0.55,
        hoverinfo="skip",
        **place,
    )
    if point is not None:
        line = {"color": marks.ink(dark), "width": 1.4, "dash": "dot"}
        fig.add_scatter(
            x=[point, point],
            y=[1.0, down[-1]],
            mode="lines",
            line=line,
            hovertemplate=f"<b>{title}</b><br>closed form: {point:.2f}<extra></extra>",
            **place,
        )
    places, counts = np.unique(path[-1].round(2), return_counts=True)
    fig.add_scatter(
        x=places,
        y=np.full(len(places), down[-1]),
        mode="markers",
        marker={
            "symbol": palette.style(learner).marker,
            "size": 11,
            "color": colour,
            "line": {"color": colour, "width": 2},
        },
        customdata=counts / starts,
        hovertemplate=f"<b>{title}</b><br>x = %{{x:.2f}}, %{{customdata:.0%}} of starts<extra></extra>",
        cliponaxis=False,
        **place,
    )
    fig.add_annotation(
        x=RANGE[0],
        y=float(np.log10(down[-1])),
        text=f"<b>{title}</b>",
        showarrow=False,
        xanchor="left",
        yshift=8,
        **place,
    )
    fig.layout.annotations[-1].font = {"color": colour, "size": 12}
    ticks = [t for t in (0, 10, 100, 1000, 7500) if t <= visits[-1]]
    named = {"tickvals": [t + 1 for t in ticks], "ticktext": [f"{t:,}" for t in ticks]}
    ends = [float(np.log10(down[-1])) + 0.15, -0.05]
    fig.update_yaxes(type="log", range=ends, zeroline=False, showgrid=False, **named, **place)
