"""Figures of the page Features: diversity, spectra, broadness, and what features hold of a task."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks, palette
from dashboard.figures.marks import Label, background, band, colour, extent, grey, ink, label_ends

ROW = 34  # pixels for each learner
MARKERS = ("circle", "square", "diamond", "triangle-up", "star", "x")
MOMENTS = {"before": "before adaptation", "after": "after adaptation"}


def diversity(rows: pd.DataFrame, unit: str, dark: bool) -> go.Figure:
    """One row for each learner, one panel for each layer: before (open) and after (filled) adaptation.

    Args:
        rows: learner, title, layer, moment, control, mean, low, high, seeds (text), one for each.
        unit: the label of the axis.
        dark: colours for the dark background.
    """
    layers = sorted(rows.layer.unique())
    names = list(dict.fromkeys(rows.learner))
    fig = make_subplots(cols=len(layers), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=layers)
    height = {name: len(names) - index for index, name in enumerate(names)}
    for column, layer in enumerate(layers, start=1):
        place = {"row": 1, "col": column}
        here = rows[rows.layer == layer]
        control = here[here.control & (here.moment == "before")]
        if len(control):
            tick = {"symbol": "line-ns", "size": 16, "line": {"color": grey(dark), "width": 3}}
            _dots(fig, control, [height[n] for n in control.learner], tick, "untrained", column == 1, dark, place)
        for offset, moment in ((0.14, "before"), (-0.14, "after")):
            part = here[~here.control & (here.moment == moment)]
            colours = [colour(name, dark) for name in part.learner]
            inside = [background(dark)] * len(part) if moment == "before" else colours
            marker = {"color": inside, "size": 11, "line": {"color": colours, "width": 2}}
            _dots(
                fig,
                part,
                [height[n] + offset for n in part.learner],
                marker,
                MOMENTS[moment],
                column == 1,
                dark,
                place,
            )
        fig.update_xaxes(title_text=unit, rangemode="tozero", matches="x", **place)
    titles = rows.drop_duplicates("learner").set_index("learner").title
    ticks = {"tickvals": list(height.values()), "ticktext": [titles[name] for name in height]}
    fig.update_yaxes(range=[0.4, len(names) + 0.6], showgrid=False, zeroline=False, **ticks)
    return _laid_out(fig, ROW * len(names) + 150)


def _dots(
    fig: go.Figure,
    part: pd.DataFrame,
    y: Sequence[float],
    marker: dict[str, object],
    name: str,
    legend: bool,
    dark: bool,
    place: dict[str, int],
) -> None:
    """Means with their intervals over seeds."""
    bars = {
        "type": "data",
        "symmetric": False,
        "array": part.high - part["mean"],
        "arrayminus": part["mean"] - part.low,
        "thickness": 1,
        "width": 0,
        "color": grey(dark),
    }
    control = name == "untrained"
    fig.add_scatter(
        x=part["mean"],
        y=list(y),
        mode="markers",
        marker=marker,
        error_x=None if control else bars,
        name=name,
        legendgroup=name,
        showlegend=legend,
        customdata=np.stack([part.title, part.low, part.high, part.seeds], -1),
        hovertemplate=(
            f"%{{customdata[0]}}, {name}<br>%{{x:.3g}} [%{{customdata[1]:.3g}}, %{{customdata[2]:.3g}}]"
            "<br>%{customdata[3]}<extra></extra>"
        ),
        **place,
    )


def lines(
    curves: pd.DataFrame,
    x_label: str,
    y_label: str,
    dark: bool,
    *,
    log: bool = False,
    mark: tuple[float, str] | None = None,
) -> go.Figure:
    """One line for each learner with the range of its seeds, its control in grey.

    Args:
        curves: learner, title, control, x, mean, low, high; sorted by x.
        x_label: the label of the horizontal axis.
        y_label: the label of the vertical axis.
        dark: colours for the dark background.
        log: a logarithmic vertical axis.
        mark: a place of the horizontal axis to mark, and its name.
    """
    fig = go.Figure()
    labels, shown = [], False
    for (name, control), rows in curves.groupby(["learner", "control"], sort=False):
        title, own = rows.title.iloc[0], colour(str(name), dark)
        line = {"color": own, "dash": palette.style(str(name)).plotly_dash, "width": 2.5}
        if control:
            line = {"color": grey(dark), "dash": "dot", "width": 1.5}
        else:
            band(fig, rows.x.to_numpy(), rows.low.to_numpy(), rows.high.to_numpy(), own, legendgroup=str(name))
            labels.append(Label(float(rows.x.iloc[-1]), float(rows["mean"].iloc[-1]), title, own))
        fig.add_scatter(
            x=rows.x,
            y=rows["mean"],
            mode="lines",
            line=line,
            name="untrained" if control else title,
            legendgroup="untrained" if control else str(name),
            showlegend=bool(control) and not shown,
            customdata=np.stack([rows.low, rows.high], -1),
            hovertemplate=(
                f"{title}{', untrained' if control else ''}<br>{x_label} %{{x:.3g}}: %{{y:.3g}}"
                "<br>seeds from %{customdata[0]:.3g} to %{customdata[1]:.3g}<extra></extra>"
            ),
        )
        shown = shown or bool(control)
    if mark is not None:
        line = {"color": ink(dark), "dash": "dot", "width": 1}
        fig.add_vline(mark[0], line=line, annotation_text=mark[1], opacity=0.7, annotation_position="bottom right")
    low, high = extent([curves.low.to_numpy(), curves.high.to_numpy()], log)
    span = [np.log10(low), np.log10(high)] if log else [low, high]
    fig.update_xaxes(title_text=x_label)
    fig.update_yaxes(
        title_text=y_label, range=span, **({"type": "log", "exponentformat": "power", "dtick": 1} if log else {})
    )
    _laid_out(fig, 400).update_layout(margin_r=130)
    label_ends(fig, labels, (low, high), log=log)
    return fig


def held(rows: pd.DataFrame, truth: dict[str, float], dark: bool) -> go.Figure:
    """What can be read off about the task: one panel for each parameter, one row for each learner.

    Args:
        rows: learner, title, layer, parameter, control, mean, low, high, seeds (text).
        truth: what can be read off the true function's values, by parameter.
        dark: colours for the dark background.
    """
    parameters, layers = list(dict.fromkeys(rows.parameter)), list(dict.fromkeys(rows.layer))
    names = list(dict.fromkeys(rows.learner))
    height = {name: len(names) - index for index, name in enumerate(names)}
    fig = make_subplots(cols=len(parameters), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=parameters)
    for column, parameter in enumerate(parameters, start=1):
        place = {"row": 1, "col": column}
        for index, layer in enumerate(layers):
            part = rows[(rows.parameter == parameter) & (rows.layer == layer)]
            offset = 0.2 * ((len(layers) - 1) / 2 - index)
            drawn = part[part.control]
            tick = {"symbol": "line-ns", "size": 9, "line": {"color": grey(dark), "width": 2}}
            y = [height[n] + offset for n in drawn.learner]
            _dots(fig, drawn, y, tick, "untrained", column == 1 and index == 0, dark, place)
            trained = part[~part.control]
            colours = [colour(name, dark) for name in trained.learner]
            marker = {"symbol": MARKERS[index % len(MARKERS)], "size": 10, "color": colours}
            y = [height[n] + offset for n in trained.learner]
            _dots(fig, trained, y, marker, layer, column == 1, dark, place)
        fig.add_vline(truth[parameter], line={"color": ink(dark), "dash": "dot", "width": 1}, opacity=0.7, **place)
        fig.update_xaxes(title_text="cross-validated R²", range=[-0.05, 1.05], **place)
    titles = rows.drop_duplicates("learner").set_index("learner").title
    ticks = {"tickvals": list(height.values()), "ticktext": [titles[name] for name in height]}
    fig.update_yaxes(range=[0.4, len(names) + 0.6], showgrid=False, zeroline=False, **ticks)
    return _laid_out(fig, (ROW + 12) * len(names) + 150)


def relation(runs: pd.DataFrame, dark: bool) -> go.Figure:
    """Every run's broadness against its error, on tasks as in training and on far ones.

    Args:
        runs: learner, title, seed, broadness, near, far.
        dark: colours for the dark background.
    """
    panels = {"near": "tasks as in training", "far": "waves of another frequency"}
    fig = make_subplots(cols=2, horizontal_spacing=0.08, subplot_titles=list(panels.values()))
    for name, rows in runs.groupby("learner", sort=False):
        for column, panel in enumerate(panels, start=1):
            fig.add_scatter(
                x=rows.broadness,
                y=rows[panel],
                mode="markers",
                marker={"color": colour(str(name), dark), "symbol": palette.style(str(name)).marker, "size": 10},
                name=rows.title.iloc[0],
                legendgroup=str(name),
                showlegend=column == 1,
                customdata=rows.seed,
                hovertemplate=(
                    f"{rows.title.iloc[0]}, seed %{{customdata}}<br>broadness %{{x:.3f}}, "
                    "query MSE %{y:.3g}<extra></extra>"
                ),
                row=1,
                col=column,
            )
    fig.update_xaxes(title_text="broadness: mean R² of fresh waves")
    for column, panel in enumerate(panels, start=1):
        decades = np.ptp(np.log10(runs[panel]))
        ticks = {"dtick": 1} if decades > 1.5 else {"nticks": 6}
        fig.update_yaxes(type="log", exponentformat="power", row=1, col=column, **ticks)
    fig.update_yaxes(title_text="query MSE after adaptation", row=1, col=1)
    return _laid_out(fig, 400)


def _laid_out(fig: go.Figure, height: int) -> go.Figure:
    return marks.on_foot(fig, height, top=40, foot=85)
