"""Figures of trainings: losses as they fall."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard.figures.palette import style

HEIGHT = 260
SMOOTH = 0.8  # of the moving average that is drawn over the losses


def smoothed(values: Sequence[float | None], weight: float = SMOOTH) -> list[float | None]:
    """An exponential moving average, unbiased at its start; gaps stay gaps."""
    found: list[float | None] = []
    mean = total = 0.0
    for value in values:
        if value is None:
            found.append(None)
            continue
        mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        found.append(mean / total)
    return found


def diverged(row: dict[str, Any]) -> int:
    """How many tasks of a validation diverged; 0 in histories of before they were counted."""
    return int(row.get("validation_diverged") or 0)


def losses(
    learner: str,
    histories: Sequence[Sequence[dict[str, Any]]],
    iterations: int,
    *,
    dark: bool,
    measure: str = "error",
) -> go.Figure:
    """Training loss and validation error of every seed against meta-updates.

    A validation of which tasks diverged is a hollow point: the mean of the others, which says little of that training.

    Args:
        learner: whose colour is used.
        histories: rows with iteration, loss and validation, one list per seed.
        iterations: of the whole budget, the end of the axis.
        dark: for the dark background.
        measure: what a validation is of: an error, or a cross-entropy.
    """
    look = style(learner)
    colour = look.dark if dark else look.light
    figure = go.Figure()
    for seed, rows in enumerate(histories):
        x = [row["iteration"] for row in rows]
        y = smoothed([row.get("loss") for row in rows])
        checked = [row for row in rows if row.get("validation") is not None]
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": colour, "width": 1},
            opacity=0.45,
            name="meta-loss",
            legendgroup="loss",
            showlegend=seed == 0,
            hovertemplate=f"seed {seed}<br>update %{{x:,}}<br>meta-loss %{{y:.4g}}<extra></extra>",
        )
        figure.add_scatter(
            x=[row["iteration"] for row in checked],
            y=[row["validation"] for row in checked],
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 6, "symbol": ["circle-open" if diverged(row) else "circle" for row in checked]},
            customdata=[f"<br>without {n:,} tasks that diverged" if (n := diverged(row)) else "" for row in checked],
            cliponaxis=False,
            name=f"validation {measure}",
            legendgroup="validation",
            showlegend=seed == 0,
            hovertemplate=f"seed {seed}<br>update %{{x:,}}<br>validation {measure} %{{y:.4g}}"
            "%{customdata}<extra></extra>",
        )
    figure.update_xaxes(title_text="meta-update", range=[0, iterations], showgrid=False)
    figure.update_yaxes(title_text=measure, type="log", nticks=5)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 60, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.12},
        uirevision="losses",
    )
    return figure
