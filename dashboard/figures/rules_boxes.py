"""Figures of black boxes: likeness to known algorithms, orders of the support, hidden states, and small pictures."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks, palette
from dashboard.figures.marks import Label

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px")


def errors(rows: pd.DataFrame, trained: int, dark: bool) -> go.Figure:
    """Mean squared errors against the number of support points: learners in their colours, algorithms in grey.

    Args:
        rows: name, title, algorithm, shots, mean, low, high; sorted by shots.
        trained: points in training, marked.
        dark: colours for the dark background.
    """
    fig, labels = go.Figure(), []
    floor = 1e-4  # an algorithm that knows the family has errors at the limit of rounding
    for number, (name, part) in enumerate(rows.groupby("name", sort=False)):
        algorithm, title = bool(part.algorithm.iloc[0]), str(part.title.iloc[0])
        colour = marks.grey(dark) if algorithm else marks.colour(str(name), dark)
        dash = DASHES[number % len(DASHES)] if algorithm else palette.style(str(name)).plotly_dash
        y = np.maximum(part["mean"].to_numpy(), floor)
        if not algorithm:
            marks.band(fig, part.shots.to_numpy(), part.low.to_numpy(), part.high.to_numpy(), colour)
        fig.add_scatter(
            x=part.shots,
            y=y,
            mode="lines",
            line={"color": colour, "dash": dash, "width": 1.5 if algorithm else 2.5},
            customdata=part["mean"],
            hovertemplate=f"<b>{title}</b><br>%{{x}} points: %{{customdata:.3g}}<extra></extra>",
            showlegend=False,
        )
        labels.append(Label(float(np.log10(part.shots.iloc[-1])), float(y[-1]), title, colour))
    fig.add_vline(trained, line={"color": marks.grey(dark), "width": 6}, opacity=0.18, layer="below")
    every = np.maximum(rows["mean"].to_numpy(), floor)
    extent = marks.extent([np.minimum(every, 30.0)], True)
    marks.laid_out(fig, 440, right=marks.LABELS + 20)
    ticks = sorted(set(rows.shots))
    fig.update_xaxes(title_text="support points", type="log", zeroline=False, tickvals=ticks, ticktext=ticks)
    marks.loss_axis(fig, "mean squared error", extent, True)
    marks.label_ends(fig, labels, extent, log=True)
    return fig


def mistakes(values: np.ndarray, rows: Sequence[str], columns: Sequence[str], parted: int, dark: bool) -> go.Figure:
    """Correlations of errors as a heat map with its numbers.

    Args:
        values: (rows, columns); NaN: one of the two makes no errors.
        rows: names of the learners.
        columns: names of algorithms, then of learners.
        parted: how many columns are algorithms.
        dark: colours for the dark background.
    """
    text = [["–" if np.isnan(v) else f"{v:.2f}" for v in row] for row in values]
    fig = go.Figure(
        go.Heatmap(
            z=values,
            x=list(range(len(columns))),
            y=list(range(len(rows))),
            zmin=-1,
            zmax=1,
            colorscale=marks.diverging(dark),
            text=text,
            texttemplate="%{text}",
            colorbar={"title": "r", "thickness": 11, "outlinewidth": 0},
            hoverinfo="skip",
        )
    )
    row, column = (index.ravel() for index in np.meshgrid(range(len(rows)), range(len(columns)), indexing="ij"))
    fig.add_scatter(
        x=column,
        y=row,
        mode="markers",
        marker={"size": 16, "opacity": 0},
        text=[f"{rows[i]} and {columns[j]}: {text[i][j]}" for i, j in zip(row, column, strict=True)],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    fig.add_vline(parted - 0.5, line={"color": marks.ink(dark), "width": 1.5})
    fig.update_xaxes(tickvals=list(range(len(columns))), ticktext=list(columns), tickangle=-35, showgrid=False)
    fig.update_yaxes(tickvals=list(range(len(rows))), ticktext=list(rows), autorange="reversed", showgrid=False)
    fig.update_xaxes(zeroline=False, automargin=True)
    fig.update_yaxes(zeroline=False, automargin=True)
    fig.update_layout(height=170 + 38 * len(rows), margin={"l": 10, "r": 10, "t": 10, "b": 10}, hovermode="closest")
    return fig


def orders(
    x: np.ndarray,
    panels: Sequence[tuple[str, str, np.ndarray]],
    support: np.ndarray,
    truth: np.ndarray,
    dark: bool,
) -> go.Figure:
    """What learners say to one support set in many orders, all curves on top of each other.

    Args:
        x: inputs, (points,).
        panels: registered name, title and predictions (orders, points) of each learner.
        support: points of the task, (K, 2).
        truth: the true function at x.
        dark: colours for the dark background.
    """
    across, down, places = marks.in_rows(len(panels), 3)
    fig = make_subplots(
        rows=down,
        cols=across,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.2 / down,
        subplot_titles=[title for _, title, _ in panels],
    )
    for (name, title, said), place in zip(panels, places, strict=True):
        line = {"color": marks.grey(dark), "dash": "dash", "width": 1.5}
        fig.add_scatter(x=x, y=truth, mode="lines", line=line, hoverinfo="skip", **place)
        gaps = np.concatenate([said, np.full((len(said), 1), np.nan)], 1)  # one trace, parted by gaps
        fig.add_scatter(
            x=np.tile(np.append(x, np.nan), len(said)),
            y=gaps.ravel(),
            mode="lines",
            line={"color": marks.soft(marks.colour(name, dark), 0.22), "width": 1.3},
            hovertemplate=f"<b>{title}</b>: %{{y:.2f}}<extra></extra>",
            connectgaps=False,
            **place,
        )
        dot = {"color": marks.ink(dark), "size": 7}
        fig.add_scatter(x=support[:, 0], y=support[:, 1], mode="markers", marker=dot, hoverinfo="skip", **place)
        if place["row"] == down:
            fig.update_xaxes(title_text="x", **place)
    fig.update_yaxes(title_text="y", col=1)
    marks.laid_out(fig, 90 + 250 * down)
    fig.update_layout(margin_t=34)
    return fig


def decoded(curves: pd.DataFrame, parameters: Sequence[str], x_title: str, dark: bool) -> go.Figure:
    """R^2 of the task's parameters by what was read, one panel for each parameter; dotted: untrained.

    Args:
        curves: learner, title, parameter, control, x, mean, low, high; sorted by x.
        parameters: the panels.
        x_title: the horizontal axis.
        dark: colours for the dark background.
    """
    fig = make_subplots(cols=len(parameters), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=parameters)
    shown: set[tuple[str, bool]] = set()
    for column, parameter in enumerate(parameters, start=1):
        place = {"row": 1, "col": column}
        for (name, control), rows in curves[curves.parameter == parameter].groupby(["learner", "control"], sort=False):
            title, own = str(rows.title.iloc[0]), marks.colour(str(name), dark)
            label = f"{title}, untrained" if control else title
            if not control:
                marks.band(fig, rows.x.to_numpy(), rows.low.to_numpy(), rows.high.to_numpy(), own, **place)
            dash = "1px,3px" if control else palette.style(str(name)).plotly_dash
            fig.add_scatter(
                x=rows.x,
                y=rows["mean"],
                mode="lines+markers" if len(rows) < 6 else "lines",
                line={"color": own, "dash": dash, "width": 1.4 if control else 2.4},
                name=label,
                legendgroup=label,
                showlegend=(str(name), bool(control)) not in shown,
                hovertemplate=f"<b>{label}</b><br>{x_title} %{{x}}: R² = %{{y:.2f}}<extra></extra>",
                **place,
            )
            shown.add((str(name), bool(control)))
        fig.update_xaxes(title_text=x_title, zeroline=False, **place)
    fig.update_yaxes(range=[0, 1.03], zeroline=False)
    fig.update_yaxes(title_text="cross-validated R²", row=1, col=1)
    return marks.laid_out(fig, 390, legend=True)


def small(
    panels: Sequence[tuple[str, np.ndarray, float, float]],
    names: tuple[Sequence[str], Sequence[str]],
    axes: tuple[str, str],
    dark: bool,
) -> go.Figure:
    """Small pictures beside each other: rows are support points or units, columns passes or points read.

    Args:
        panels: title, values (rows, columns), and the ends of its scale; one from 0 is drawn from little to much.
        names: of the rows and of the columns.
        axes: what rows and columns are.
        dark: colours for the dark background.
    """
    across, down, places = marks.in_rows(len(panels), 3)
    fig = make_subplots(
        rows=down,
        cols=across,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.22 / down,
        subplot_titles=[title for title, *_ in panels],
    )
    columns = [int(name) for name in names[1]]
    for (title, values, low, high), place in zip(panels, places, strict=True):
        tags = np.array(list(names[0])[: len(values)])[:, None].repeat(values.shape[1], 1)
        fig.add_heatmap(
            x=columns,
            y=list(range(len(values))),
            z=values,
            zmin=low,
            zmax=high,
            colorscale=marks.sequential(dark) if low == 0 else marks.diverging(dark),
            showscale=False,
            xgap=1 if len(columns) < 15 else 0,
            ygap=1 if len(values) < 15 else 0,
            customdata=tags,
            hovertemplate=f"{title}<br>%{{customdata}}, {axes[1]} %{{x}}: %{{z:.3f}}<extra></extra>",
            **place,
        )
        if place["row"] == down:
            fig.update_xaxes(title_text=axes[1], **place)
    fig.update_xaxes(showgrid=False, zeroline=False, dtick=1 if len(columns) < 15 else 10)
    fig.update_yaxes(showgrid=False, zeroline=False, showticklabels=False)
    fig.update_yaxes(title_text=axes[0], col=1)
    fig.update_layout(height=70 + (210 if down > 1 else 330) * down, margin={"l": 40, "r": 10, "t": 34, "b": 45})
    return fig
