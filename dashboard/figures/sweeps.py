"""Figures of sweeps: error against shots, against a shift along one axis, over two, heads, and scarce training data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks, palette
from dashboard.figures.marks import Label


@dataclass(frozen=True)
class Sweep:
    """One learner's loss along an axis: mean with its interval, (n,) each."""

    name: str
    title: str
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Pair:
    """One learner with its learned and with a fresh head: (mean, low, high) each."""

    name: str
    title: str
    learned: tuple[float, float, float]
    fresh: tuple[float, float, float]


def along(
    sweeps: Sequence[Sweep],
    x_title: str,
    measure: str,
    *,
    log: bool,
    dark: bool,
    trained: tuple[float, float] | None = None,
    nothing: tuple[np.ndarray, np.ndarray] | None = None,
    log_x: bool = False,
    ticks: Sequence[float] = (),
) -> go.Figure:
    """Loss along an axis, with the region that training covered shaded.

    Args:
        sweeps: the learners.
        x_title: what the axis is.
        measure: what a loss is.
        log: a logarithmic axis of losses.
        dark: colours for the dark background.
        trained: (low, high) of the axis in training, or None; equal ends are one line.
        nothing: (x, loss) of saying 0, or None.
        log_x: a logarithmic axis of x (all values above 0).
        ticks: where the axis has its ticks; none: wherever.
    """
    fig = go.Figure()
    grey = marks.grey(dark)
    if trained is not None:
        _trained(fig, trained, log_x, dark)
    if nothing is not None:
        line = {"color": grey, "dash": "dot", "width": 1.2}
        at = np.log10(nothing[0]) if log_x else nothing[0]
        fig.add_scatter(x=at, y=nothing[1], mode="lines", line=line, hovertemplate="saying 0: %{y:.3g}<extra></extra>")
    labels = []
    for sweep in sweeps:
        colour, style = marks.colour(sweep.name, dark), palette.style(sweep.name)
        x = np.log10(sweep.x) if log_x else sweep.x
        marks.band(fig, x, np.maximum(sweep.low, marks.LEAST) if log else sweep.low, sweep.high, colour)
        fig.add_scatter(
            x=x,
            y=sweep.mean,
            mode="lines+markers",
            line={"color": colour, "dash": style.plotly_dash, "width": 2.4},
            marker={"symbol": style.marker, "size": 7, "color": colour},
            customdata=np.stack([sweep.x, sweep.low, sweep.high], -1),
            hovertemplate=(
                f"<b>{sweep.title}</b><br>at %{{customdata[0]:.3g}}: %{{y:.3g}} "
                "[%{customdata[1]:.3g}, %{customdata[2]:.3g}]<extra></extra>"
            ),
        )
        labels.append(Label(float(x[-1]), float(sweep.mean[-1]), sweep.title, colour))
    values = [sweep.mean for sweep in sweeps] + ([nothing[1]] if nothing is not None else [])
    extent = marks.extent(values, log)
    marks.laid_out(fig, 450, right=marks.LABELS)
    _x_range(fig, sweeps, log_x)
    shown = {"tickvals": np.log10(ticks) if log_x else list(ticks), "ticktext": [f"{t:g}" for t in ticks]}
    fig.update_xaxes(title_text=x_title, zeroline=False, **(shown if len(ticks) else {}))
    marks.loss_axis(fig, f"query {measure}", extent, log)
    marks.label_ends(fig, labels, extent, log=log)
    return fig


def _x_range(fig: go.Figure, sweeps: Sequence[Sweep], log_x: bool) -> None:
    every = np.concatenate([sweep.x for sweep in sweeps]) if sweeps else np.array([1.0, 2.0])
    low, high = (float(np.log10(v)) if log_x else float(v) for v in (every.min(), every.max()))
    width = (high - low) or 1.0
    fig.update_xaxes(range=[low - 0.03 * width, high + 0.02 * width])


def _trained(fig: go.Figure, trained: tuple[float, float], log_x: bool, dark: bool) -> None:
    low, high = (float(np.log10(end)) for end in trained) if log_x else trained
    grey = marks.grey(dark)
    if low == high:
        fig.add_vline(x=low, line={"color": grey, "width": 1.2, "dash": "dash"})
        fig.add_annotation(x=low, y=1, yref="paper", text="as trained", xanchor="left", xshift=4, showarrow=False)
    else:
        fig.add_vrect(x0=low, x1=high, fillcolor=marks.soft(grey, 0.13), line_width=0, layer="below")
        fig.add_annotation(x=low, y=1, yref="paper", text="trained here", xanchor="left", xshift=4, showarrow=False)
    fig.layout.annotations[-1].font = {"color": grey, "size": 11}


def over_two(
    values: np.ndarray,
    axes: tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]],
    trained: tuple[tuple[float, float], tuple[float, float]],
    words: tuple[str, str],
    *,
    titles: tuple[str, str],
    compared: bool,
    dark: bool,
) -> go.Figure:
    """A map over two axes: a learner's loss, or how many times that of another it is; colours are logarithmic.

    Args:
        values: losses (n, m), or ratios if `compared`.
        axes: (name, values (n,)) of the vertical axis, (name, values (m,)) of the horizontal one.
        trained: (low, high) of both in training, drawn as a frame.
        words: the title of the colour bar, and of a value in the hover.
        titles: of both axes.
        compared: values are ratios: white is 1, one colour for less, the other for more.
        dark: colours for the dark background.
    """
    (first, y), (second, x) = axes
    z = np.log10(np.maximum(values, marks.LEAST))
    finite = z[np.isfinite(z)]
    top = float(np.abs(finite).max()) if len(finite) else 1.0
    low, high = (-top, top) if compared else (float(finite.min(initial=0)), float(finite.max(initial=-1)))
    ticks = np.arange(np.ceil(low), np.floor(high) + 1)
    if len(ticks) < 3:
        ticks = np.linspace(low, high, 5)
    bar = {"title": {"text": words[0], "side": "right"}, "thickness": 12}
    bar |= {"tickvals": ticks, "ticktext": [f"{10**t:.2g}" for t in ticks]}
    fig = go.Figure(
        go.Heatmap(
            z=z,
            x=[f"{v:g}" for v in x],
            y=[f"{v:g}" for v in y],
            customdata=values,
            zmin=low,
            zmax=high,
            colorscale=marks.diverging(dark) if compared else marks.sequential(dark),
            colorbar=bar,
            hovertemplate=f"{second} %{{x}}, {first} %{{y}}<br>{words[1]} %{{customdata:.3g}}<extra></extra>",
            hoverongaps=False,
        )
    )
    marks.laid_out(fig, 470)
    _frame(fig, x, y, trained, dark)
    fig.update_xaxes(title_text=titles[1], type="category", showgrid=False)
    fig.update_yaxes(title_text=titles[0], type="category", showgrid=False)
    return fig


def _frame(
    fig: go.Figure,
    x: np.ndarray,
    y: np.ndarray,
    trained: tuple[tuple[float, float], tuple[float, float]],
    dark: bool,
) -> None:
    """A frame around the cells whose tasks training could have drawn."""
    spans = []
    for values, (low, high) in ((y, trained[0]), (x, trained[1])):
        inside = np.flatnonzero((values >= low - 1e-9) & (values <= high + 1e-9))
        if not len(inside):
            return
        spans.append((inside[0] - 0.5, inside[-1] + 0.5))
    (bottom, top), (left, right) = spans
    line = {"color": marks.ink(dark), "width": 2}
    fig.add_shape(type="rect", x0=left, x1=right, y0=bottom, y1=top, line=line)


def heads(pairs: Sequence[Pair], measure: str, dark: bool, *, log: bool = True) -> go.Figure:
    """One row per learner: its score with the learned head (filled) and with a fresh one (open)."""
    fig = go.Figure()
    heights = list(range(len(pairs), 0, -1))
    for pair, height in zip(pairs, heights, strict=True):
        colour = marks.colour(pair.name, dark)
        link = {"x": [pair.learned[0], pair.fresh[0]], "y": [height + 0.14, height - 0.14], "mode": "lines"}
        fig.add_scatter(**link, line={"color": colour, "width": 1, "dash": "dot"}, hoverinfo="skip")
        for words, value, inside, up in (
            ("learned head", pair.learned, colour, 0.14),
            ("fresh head", pair.fresh, marks.background(dark), -0.14),
        ):
            fig.add_scatter(
                x=[value[0]],
                y=[height + up],
                mode="markers",
                marker={"color": inside, "size": 12, "line": {"color": colour, "width": 2}},
                error_x=marks.bars(value, colour),
                hovertemplate=(
                    f"<b>{pair.title}</b>, {words}<br>%{{x:.3g}} [{value[1]:.3g}, {value[2]:.3g}]<extra></extra>"
                ),
            )
    marks.laid_out(fig, 110 + 40 * len(pairs))
    ends = marks.extent([np.array([pair.learned[0], pair.fresh[0]]) for pair in pairs], log)
    fig.update_xaxes(title_text=f"query {measure}", **marks.span(ends, log))
    ticks = {"tickvals": heights, "ticktext": [pair.title for pair in pairs]}
    fig.update_yaxes(range=[0.4, len(pairs) + 0.6], showgrid=False, zeroline=False, **ticks)
    return fig


def scarcity(sweeps: dict[str, dict[int, Sweep]], measure: str, dark: bool) -> go.Figure:
    """One panel per learner: loss against shots at test, one line for each number of shots in training.

    Args:
        sweeps: by learner's title, by number of shots in training.
        measure: what a loss is.
        dark: colours for the dark background.
    """
    named: set[int] = set()
    fig = make_subplots(cols=len(sweeps), shared_yaxes=True, horizontal_spacing=0.02, subplot_titles=list(sweeps))
    trained = sorted({k for by_shots in sweeps.values() for k in by_shots})
    symbols = dict(zip(trained, ("circle", "square", "diamond", "x", "star", "cross") * 5, strict=False))
    dashes = dict(zip(trained, ("solid", "dash", "dot", "dashdot") * 8, strict=False))
    tested = sorted({float(x) for by_shots in sweeps.values() for s in by_shots.values() for x in s.x})
    for column, by_shots in enumerate(sweeps.values(), start=1):
        for k, sweep in by_shots.items():
            colour = marks.colour(sweep.name, dark)
            here = sweep.x == k
            size = np.where(here, 13, 7)
            fig.add_scatter(
                x=np.log10(sweep.x),
                y=sweep.mean,
                mode="lines+markers",
                line={"color": colour, "dash": dashes[k], "width": 2},
                marker={"symbol": symbols[k], "size": size, "color": colour},
                error_y=marks.bars_of(sweep.mean, sweep.low, sweep.high, colour),
                name=f"trained at {k}",
                legendgroup=str(k),
                showlegend=k not in named,
                customdata=np.stack([sweep.x, sweep.low, sweep.high], -1),
                hovertemplate=(
                    f"<b>{sweep.title}</b>, trained at {k}<br>tested at %{{customdata[0]:.0f}}: %{{y:.3g}} "
                    "[%{customdata[1]:.3g}, %{customdata[2]:.3g}]<extra></extra>"
                ),
                row=1,
                col=column,
            )
            named.add(k)
    marks.laid_out(fig, 380, legend=True)
    ticks = {"tickvals": np.log10(tested), "ticktext": [f"{t:g}" for t in tested]}
    fig.update_xaxes(title_text="shots at test", zeroline=False, **ticks)
    every = [sweep.mean for by_shots in sweeps.values() for sweep in by_shots.values()]
    fig.update_yaxes(**marks.span(marks.extent(every, True), True))
    fig.update_yaxes(title_text=f"query {measure}", row=1, col=1)
    return fig
