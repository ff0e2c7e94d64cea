"""Figure of the reach of attributions: what every support point adds to every prediction."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks

ROW = 34  # pixels, of a support point's row


def reach(
    panels: Sequence[tuple[str, np.ndarray]], points: np.ndarray, grid: np.ndarray, at: int, dark: bool
) -> go.Figure:
    """What every support point adds to every prediction, a heat map for each learner, points sorted by input.

    Args:
        panels: title and mean influence (K, queries) of each learner.
        points: the support, (K, 2).
        grid: even inputs, (queries,).
        at: the place of the query.
        dark: colours for the dark background.
    """
    across, down, places = marks.in_rows(len(panels), 2)
    order = np.argsort(points[:, 0])
    fig = make_subplots(
        rows=down,
        cols=across,
        horizontal_spacing=0.08,
        vertical_spacing=62 / (down * (110 + ROW * len(points))),
        subplot_titles=[title for title, _ in panels],
    )
    every = np.abs(np.concatenate([values.ravel() for _, values in panels]))
    most = float(np.nanpercentile(every, 98)) if np.isfinite(every).any() else 1.0
    rows = list(range(len(points)))
    for index, ((title, values), place) in enumerate(zip(panels, places, strict=True)):
        fig.add_heatmap(
            z=values[order],
            x=grid,
            y=rows,
            zmin=-most,
            zmax=most,
            colorscale=marks.diverging(dark),
            showscale=index == 0,
            colorbar={"title": "influence", "thickness": 11, "outlinewidth": 0},
            hovertemplate=f"<b>{title}</b><br>point %{{y}} at query x = %{{x:.1f}}: %{{z:.2f}}<extra></extra>",
            **place,
        )
        fig.add_scatter(
            x=points[order, 0],
            y=rows,
            mode="markers",
            marker={"size": 7, "color": marks.ink(dark), "line": {"color": marks.background(dark), "width": 1}},
            hoverinfo="skip",
            **place,
        )
        fig.add_vline(float(grid[at]), line={"color": marks.ink(dark), "width": 1, "dash": "dot"}, **place)
        fig.update_yaxes(
            tickvals=rows,
            ticktext=[f"x = {x:.1f}" for x in points[order, 0]],
            showgrid=False,
            zeroline=False,
            automargin=True,
            **place,
        )
        fig.update_xaxes(
            title_text="x of the query" if place["row"] == down else None, showgrid=False, zeroline=False, **place
        )
    fig.update_layout(
        height=down * (110 + ROW * len(points)),
        margin={"l": 10, "r": 10, "t": 40, "b": 45},
        showlegend=False,
        hovermode="closest",
    )
    return fig
