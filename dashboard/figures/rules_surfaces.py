"""Figures of learned rules: OP-LSTM's cells as surfaces, TURTLE's moves, the gates of meta-learner LSTMs."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks

TENSORS = {"weight": "W", "bias": "b"}


def surfaces(
    first: np.ndarray,
    second: np.ndarray,
    panels: Sequence[tuple[str, np.ndarray]],
    met: np.ndarray,
    axes: tuple[str, str, str],
    dark: bool,
) -> go.Figure:
    """Surfaces beside each other, each on its own scale from -largest to largest, with contour lines.

    Args:
        first: the vertical axis, (n,).
        second: the horizontal axis, (m,).
        panels: title and values (n, m) of each.
        met: signals that were really met, (k, 2), drawn as dots on all but the first panel.
        axes: names of the vertical axis, of the horizontal one, and of the value.
        dark: colours for the dark background.
    """
    fig = make_subplots(
        cols=len(panels), shared_yaxes=True, horizontal_spacing=0.035, subplot_titles=[title for title, _ in panels]
    )
    fig.update_annotations(font_size=13)  # three titles fit beside each other on a narrow screen
    for column, (title, values) in enumerate(panels, start=1):
        place = {"row": 1, "col": column}
        far = float(np.abs(values).max()) or 1.0
        fig.add_contour(
            x=second,
            y=first,
            z=values,
            zmin=-far,
            zmax=far,
            colorscale=marks.diverging(dark),
            contours={"start": -far, "end": far, "size": far / 6, "showlabels": False},
            line={"width": 0.6, "color": marks.soft(marks.ink(dark), 0.25)},
            showscale=False,
            hovertemplate=(
                f"{title}<br>{axes[0]} %{{y:.2f}}, {axes[1]} %{{x:.2f}}<br>{axes[2]} %{{z:.4f}}<extra></extra>"
            ),
            **place,
        )
        if column > 1:
            inside = (np.abs(met[:, 1]) <= np.abs(second).max()) & (met[:, 0] <= first.max()) & (met[:, 0] >= first[0])
            dot = {"color": marks.soft(marks.ink(dark), 0.55), "size": 3}
            fig.add_scatter(
                x=met[inside, 1],
                y=met[inside, 0],
                mode="markers",
                marker=dot,
                hoverinfo="skip",
                showlegend=False,
                **place,
            )
        fig.update_xaxes(title_text=axes[1], range=[second[0], second[-1]], zeroline=False, **place)
        fig.add_annotation(
            xref="x domain" if column == 1 else f"x{column} domain",
            yref="y domain" if column == 1 else f"y{column} domain",
            x=0.98,
            y=0.03,
            text=f"± {far:.2g}",
            showarrow=False,
            xanchor="right",
            font={"size": 11, "color": marks.ink(dark)},
            bgcolor=marks.soft(marks.background(dark), 0.7),
        )
    fig.update_yaxes(range=[first[0], first[-1]], zeroline=False)
    fig.update_yaxes(title_text=axes[0], row=1, col=1)
    fig.update_layout(height=350, margin={"l": 55, "r": 10, "t": 34, "b": 45}, hovermode="closest")
    return fig


def moves(
    gradients: np.ndarray,
    first: np.ndarray,
    surface: np.ndarray,
    met: np.ndarray,
    history: bool,
    seed: int,
    colour_of: str,
    dark: bool,
) -> go.Figure:
    """TURTLE's move against the gradient, every seed a line, and against gradient and history as a surface.

    Args:
        gradients: the grid, (n,).
        first: the move of the first step, (seeds, n).
        surface: the move of one seed, (n, n): gradient over history.
        met: the 1st and 99th percentile of |g| really met.
        history: whether there is a history to draw.
        seed: the one whose surface this is, drawn stronger.
        colour_of: registered name of the learner.
        dark: colours for the dark background.
    """
    titles = ["first step: H = g", f"m(g, H), seed {seed}"] if history else ["m(g)"]
    fig = make_subplots(cols=len(titles), horizontal_spacing=0.13, subplot_titles=titles)
    own = marks.colour(colour_of, dark)
    place = {"row": 1, "col": 1}
    for number, line in enumerate(first):
        middle = len(gradients) // 2
        slope = (line[middle + 1] - line[middle - 1]) / (gradients[middle + 1] - gradients[middle - 1])
        said = f"seed {number}<br>g %{{x:.3g}}: m = %{{y:.4f}}<extra></extra>"
        fig.add_scatter(
            x=gradients, y=line[middle] + slope * gradients, mode="lines", hoverinfo="skip", showlegend=False, **place
        )
        fig.data[-1].line = {"color": marks.grey(dark), "width": 1.2, "dash": "dot"}
        fig.add_scatter(x=gradients, y=line, mode="lines", hovertemplate=said, showlegend=False, **place)
        fig.data[-1].line = {"color": own, "width": 3.2 if number == seed else 1.6}
        fig.data[-1].opacity = 1.0 if number == seed else 0.6
    for side in (-met[1], met[1]):
        fig.add_vline(side, line={"color": marks.grey(dark), "width": 1, "dash": "dash"}, **place)
    height = float(np.abs(first).max()) * 1.1
    fig.update_xaxes(title_text="gradient g", zeroline=True, **place)
    fig.update_yaxes(title_text="move m, before the learning rate λ", range=[-height, height], zeroline=True, **place)
    if history:
        place = {"row": 1, "col": 2}
        far = float(np.abs(surface).max()) or 1.0
        fig.add_heatmap(
            x=gradients,
            y=gradients,
            z=surface,
            zmin=-far,
            zmax=far,
            colorscale=marks.diverging(dark),
            colorbar={"title": "m", "thickness": 11, "outlinewidth": 0},
            hovertemplate="g %{y:.3g}, H %{x:.3g}<br>m = %{z:.4f}<extra></extra>",
            **place,
        )
        fig.update_xaxes(title_text="history H", zeroline=False, **place)
        fig.update_yaxes(title_text="gradient g", zeroline=False, **place)
    return marks.laid_out(fig, 380)


def rates(by_tensor: dict[str, np.ndarray], colour_of: str, dark: bool) -> go.Figure:
    """Learning rates by tensor: median, the middle half and the middle 90 % of each seed.

    Args:
        by_tensor: five percentiles (seeds, 5) by the name of the tensor.
        colour_of: registered name of the learner.
        dark: colours for the dark background.
    """
    fig, own = go.Figure(), marks.colour(colour_of, dark)
    names = list(by_tensor)
    for place, name in enumerate(names):
        seeds = by_tensor[name]
        for seed, (low, left, middle, right, high) in enumerate(seeds):
            y = len(names) - place + 0.18 * (len(seeds) - 1) / 2 - 0.18 * seed
            said = (
                f"{label(name)}, seed {seed}<br>median {middle:.2f}, half in {left:.2f} to {right:.2f}<extra></extra>"
            )
            for ends, width in (((low, high), 1.4), ((left, right), 5)):
                fig.add_scatter(x=ends, y=[y, y], mode="lines", hoverinfo="skip", line={"color": own, "width": width})
            dot = {"color": marks.background(dark), "size": 7, "line": {"color": own, "width": 2}}
            fig.add_scatter(x=[middle], y=[y], mode="markers", marker=dot, hovertemplate=said)
    fig.add_vline(0, line={"color": marks.grey(dark), "width": 1, "dash": "dot"})
    marks.laid_out(fig, 110 + 40 * len(names))
    ticks = {"tickvals": list(range(len(names), 0, -1)), "ticktext": [label(name) for name in names]}
    fig.update_yaxes(range=[0.4, len(names) + 0.6], showgrid=False, zeroline=False, **ticks)
    fig.update_xaxes(title_text="learning rate λ", zeroline=False)
    return fig


def gates(sizes: np.ndarray, by_gate: dict[str, np.ndarray], titles: dict[str, str], dark: bool) -> go.Figure:
    """Both gates against the size of the gradient, one line for each step: early ones pale.

    Args:
        sizes: log10 |g|, (bins,).
        by_gate: medians over coordinates and means over seeds, (T, bins), by gate.
        titles: of the panels, by gate.
        dark: colours for the dark background.
    """
    fig = make_subplots(cols=len(by_gate), horizontal_spacing=0.1, subplot_titles=[titles[g] for g in by_gate])
    scale = [colour for _, colour in marks.sequential(dark)]
    for column, (gate, values) in enumerate(by_gate.items(), start=1):
        place = {"row": 1, "col": column}
        for step, line in enumerate(values):
            colour = scale[min(1 + step * (len(scale) - 1) // max(len(values), 1), len(scale) - 1)]
            fig.add_scatter(
                x=10**sizes,
                y=line,
                mode="lines",
                line={"color": colour, "width": 2.4},
                name=f"step {step + 1}",
                legendgroup=str(step),
                showlegend=column == 1,
                hovertemplate=f"step {step + 1}<br>|g| %{{x:.2g}}: {gate} = %{{y:.4f}}<extra></extra>",
                **place,
            )
        fig.update_xaxes(title_text="|g|", type="log", dtick=1, exponentformat="power", zeroline=False, **place)
        fig.update_yaxes(title_text=f"gate {gate}", zeroline=False, **place)
    first = next(iter(by_gate.values()))
    fig.update_yaxes(**marks.span(marks.extent([first], True), True), row=1, col=1)
    marks.laid_out(fig, 390, legend=True)
    return fig


def gate_layers(by_tensor: dict[str, np.ndarray], dark: bool) -> go.Figure:
    """Medians of the input gate by tensor and step, (T,) each, as a heat map with its numbers."""
    names = list(by_tensor)
    values = np.stack([by_tensor[name] for name in names])
    fig = go.Figure(
        go.Heatmap(
            x=np.arange(1, values.shape[1] + 1),
            y=[label(name) for name in names],
            z=np.log10(values),
            text=[[f"{value:.2g}" for value in row] for row in values],
            texttemplate="%{text}",
            colorscale=marks.sequential(dark),
            showscale=False,
            hovertemplate="%{y}, step %{x}: i = %{text}<extra></extra>",
        )
    )
    marks.laid_out(fig, 110 + 36 * len(names))
    fig.update_xaxes(title_text="inner step", dtick=1, showgrid=False, zeroline=False)
    fig.update_yaxes(autorange="reversed", showgrid=False, zeroline=False)
    return fig


def label(name: str) -> str:
    """The name of a tensor for people: weight2 is W2."""
    kind = name.rstrip("0123456789")
    return f"{TENSORS.get(kind, kind)}{name[len(kind) :]}"
