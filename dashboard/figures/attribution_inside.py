"""Figures of attributions: what layers and units carry."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks


def layers(panels: Sequence[tuple[str, str, Sequence[str], np.ndarray]], dark: bool) -> go.Figure:
    """How far each layer's change moved the prediction: bars by learner, the seeds as dots.

    Args:
        panels: registered name, title, layers and values (seeds, layers) of each learner.
        dark: colours for the dark background.
    """
    fig = go.Figure()
    spots, names = [], []
    place = 0.0
    for name, _title, parts, values in panels:
        spot = place + np.arange(len(parts))
        colour = marks.colour(name, dark)
        fig.add_bar(
            x=spot,
            y=values.mean(0),
            width=0.7,
            marker={"color": marks.soft(colour, 0.75), "line": {"color": colour, "width": 1}},
            customdata=list(parts),
            hovertemplate="%{customdata}: %{y:+.3f}<extra></extra>",
        )
        fig.add_scatter(
            x=np.repeat(spot, len(values)) + np.tile(np.linspace(-0.15, 0.15, len(values)), len(parts)),
            y=values.T.ravel(),
            mode="markers",
            marker={"size": 5, "color": marks.ink(dark)},
            hoverinfo="skip",
        )
        spots.extend(spot)
        names.extend(part.removeprefix("layer ") for part in parts)
        place += len(parts) + 1.2
    start = 0.0
    for name, title, parts, _ in panels:
        fig.add_annotation(
            x=start + (len(parts) - 1) / 2,
            y=1.0,
            yref="paper",
            yanchor="bottom",
            text=title,
            showarrow=False,
            font={"color": marks.colour(name, dark), "size": 13},
        )
        start += len(parts) + 1.2
    marks.laid_out(fig, 320)
    fig.update_xaxes(tickvals=spots, ticktext=names, title_text="layer", showgrid=False, zeroline=False)
    fig.update_yaxes(title_text="change of y at x*", zeroline=True)
    return fig


def units(panels: Sequence[tuple[str, str, str, np.ndarray, np.ndarray]], dark: bool) -> go.Figure:
    """Conductance of hidden units after adapting over that before, one panel for each learner and layer.

    Args:
        panels: registered name, title, layer, and conductances (seeds, units) before and after.
        dark: colours for the dark background.
    """
    across, down, places = marks.in_rows(len(panels), 4)
    fig = make_subplots(
        rows=down,
        cols=across,
        horizontal_spacing=0.06,
        vertical_spacing=0.22 / down,
        subplot_titles=[f"{title}, {layer}" for _, title, layer, _, _ in panels],
    )
    for (name, _title, _layer, before, after), place in zip(panels, places, strict=True):
        both = np.concatenate([before.ravel(), after.ravel()])
        ends = [float(np.nanmin(both)), float(np.nanmax(both))]
        line = {"color": marks.grey(dark), "width": 1, "dash": "dot"}
        fig.add_scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip", **place)
        seed, unit = np.divmod(np.arange(before.size), before.shape[1])
        fig.add_scatter(
            x=before.ravel(),
            y=after.ravel(),
            mode="markers",
            marker={"size": 6, "color": marks.soft(marks.colour(name, dark), 0.75)},
            customdata=np.stack([unit, seed], -1).tolist(),
            hovertemplate="unit %{customdata[0]}, seed %{customdata[1]}<br>before %{x:.3f}, after %{y:.3f}"
            "<extra></extra>",
            **place,
        )
        fig.update_xaxes(title_text="before" if place["row"] == down else None, **place)
        fig.update_yaxes(title_text="after" if place["col"] == 1 else None, **place)
    fig.update_layout(
        height=60 + 260 * down,
        margin={"l": 55, "r": 10, "t": 40, "b": 45},
        showlegend=False,
        hovermode="closest",
    )
    fig.update_annotations(font={"size": 12})
    return fig
