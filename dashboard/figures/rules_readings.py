"""Figures of readings: what simple rules explain of a learned one, and what they do in its place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks

READINGS = {"gradient descent": ("dot", "circle"), "linear": ("dash", "square"), "dictionary": ("solid", "diamond")}


@dataclass(frozen=True)
class Row:
    """Losses of one variant: their mean, and those of each seed."""

    title: str
    mean: float
    seeds: Sequence[float]
    kind: str  # "before", "own", "control", or the name of a reading


def shares(by_part: dict[str, dict[str, np.ndarray]], colour_of: str, dark: bool) -> go.Figure:
    """The share of variance that each reading explains of each part, through the inner steps.

    Args:
        by_part: (seeds, steps) by title of the part, and by reading.
        colour_of: registered name of the learner.
        dark: colours for the dark background.
    """
    titles = list(by_part)
    fig = make_subplots(cols=len(titles), shared_yaxes=True, horizontal_spacing=0.05, subplot_titles=titles)
    own = marks.colour(colour_of, dark)
    for column, readings in enumerate(by_part.values(), start=1):
        place = {"row": 1, "col": column}
        for reading, values in readings.items():
            dash, symbol = READINGS[reading]
            if values.shape[1] == 1:  # no steps to draw a line through: one dot for each seed
                said = f"{reading}, seed %{{customdata}}: %{{y:.1%}}<extra></extra>"
                dot = {"symbol": symbol, "size": 12, "color": own, "opacity": 0.75}
                fig.add_scatter(
                    x=[reading] * len(values),
                    y=values[:, 0],
                    mode="markers",
                    marker=dot,
                    customdata=list(range(len(values))),
                    hovertemplate=said,
                    showlegend=False,
                    **place,
                )
                continue
            x = np.arange(1, values.shape[1] + 1)
            marks.band(fig, x, values.min(0), values.max(0), own, **place)
            fig.add_scatter(
                x=x,
                y=values.mean(0),
                mode="lines+markers",
                line={"color": own, "dash": dash, "width": 2},
                marker={"symbol": symbol, "size": 8},
                name=reading,
                legendgroup=reading,
                showlegend=column == 1,
                hovertemplate=f"{reading}<br>step %{{x}}: %{{y:.0%}}<extra></extra>",
                **place,
            )
        several = next(iter(readings.values())).shape[1] > 1
        fig.update_xaxes(title_text="inner step" if several else "all steps together", dtick=1, **place)
    fig.update_yaxes(range=[0, 1.03], tickformat=".0%", zeroline=False)
    fig.update_yaxes(title_text="share of variance", row=1, col=1)
    marks.laid_out(fig, 360, legend=True)
    return fig


def in_place(rows: Sequence[Row], measure: str, colour_of: str, dark: bool) -> go.Figure:
    """Losses with a reading in the place of the rule: lines from the learner's own loss, seeds as small marks.

    Args:
        rows: from top to bottom.
        measure: what a loss is.
        colour_of: registered name of the learner.
        dark: colours for the dark background.
    """
    fig, own = go.Figure(), marks.colour(colour_of, dark)
    base = next(row.mean for row in rows if row.kind == "own")
    for height, row in enumerate(reversed(rows), start=1):
        plain = row.kind in {"before", "control"}
        colour = marks.grey(dark) if plain else own
        symbol = READINGS.get(row.kind, ("", "triangle-up" if row.kind == "own" else "circle"))[1]
        fig.add_scatter(x=[base, row.mean], y=[height, height], mode="lines", hoverinfo="skip")
        fig.data[-1].line = {"color": colour, "width": 2}
        said = f"<b>{row.title}</b><br>%{{x:.3g}}<extra></extra>"
        small = {"color": colour, "size": 6, "opacity": 0.55}
        fig.add_scatter(x=row.seeds, y=[height] * len(row.seeds), mode="markers", marker=small, hovertemplate=said)
        large = {"color": colour, "size": 12, "symbol": symbol, "line": {"color": marks.background(dark), "width": 1}}
        fig.add_scatter(x=[row.mean], y=[height], mode="markers", marker=large, hovertemplate=said)
    fig.add_vline(base, line={"color": own, "width": 1, "dash": "dot"})
    every = np.array([v for row in rows for v in (row.mean, *row.seeds)])
    fig.update_xaxes(title_text=f"query {measure} after the last step", **marks.span(marks.extent([every], True), True))
    marks.laid_out(fig, 100 + 30 * len(rows))
    ticks = {"tickvals": list(range(len(rows), 0, -1)), "ticktext": [row.title for row in rows]}
    fig.update_yaxes(range=[0.4, len(rows) + 0.6], showgrid=False, zeroline=False, automargin=True, **ticks)
    return fig


def deviations(by_measure: dict[str, dict[str, np.ndarray]], colour_of: str, dark: bool) -> go.Figure:
    """How far surfaces are from additive, odd and monotone: (seeds, 1 + T) by measure, and by part.

    The first column is the fresh state, the others the states carried into each pass.
    """
    measures = list(by_measure)
    fig = make_subplots(
        cols=len(measures), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=[f"not {m}" for m in measures]
    )
    own = marks.colour(colour_of, dark)
    for column, parts in enumerate(by_measure.values(), start=1):
        place = {"row": 1, "col": column}
        for (part, values), dash in zip(parts.items(), ("solid", "dot"), strict=False):
            x = np.arange(1, values.shape[1])
            marks.band(fig, x, values[:, 1:].min(0), values[:, 1:].max(0), own, **place)
            fig.add_scatter(
                x=x,
                y=values[:, 1:].mean(0),
                mode="lines",
                line={"color": own, "dash": dash, "width": 2.2},
                name=part,
                legendgroup=part,
                showlegend=column == 1,
                hovertemplate=f"{part}<br>pass %{{x}}: %{{y:.0%}}<extra></extra>",
                **place,
            )
        fig.update_xaxes(title_text="pass", dtick=2, **place)
    fig.update_yaxes(range=[-0.02, 1.03], tickformat=".0%", zeroline=False)
    marks.laid_out(fig, 330, legend=True)
    return fig
