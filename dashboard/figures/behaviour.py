"""Figures of adaptation: loss against step, direct loss against loss after adapting, and paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import marks, palette
from dashboard.figures.marks import Label

PALE = 0.45  # opacity of what is undecided


@dataclass(frozen=True)
class Line:
    """One learner's loss against inner step.

    Attributes:
        name, title: registered name, and the name for people.
        steps: the inner steps looked at, (stops,).
        mean, low, high: the loss there, and its band, (stops,).
        trained_steps: the last step that meta-training looked ahead to; 0: none.
    """

    name: str
    title: str
    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    trained_steps: int


@dataclass(frozen=True)
class Spot:
    """One learner in the plane: (mean, low, high) before and after adaptation, and the means of each seed."""

    name: str
    title: str
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    seeds: Sequence[tuple[int, float, float]]  # (seed, before, after)


@dataclass(frozen=True)
class Difference:
    """A learner beside the reference.

    Attributes:
        name, title: registered name, and the name for people.
        mean, low, high: how many times the reference's loss, or how much more, with its 95 % interval.
        won: the share of tasks on which it is the better one.
        tasks, seeds: over how many.
        p: of there being no difference, corrected if several are looked at.
        side: -1: better, 1: worse, 0: undecided.
        ratio: whether 1, not 0, means no difference.
        higher: whether more is better, as of accuracies.
    """

    name: str
    title: str
    mean: float
    low: float
    high: float
    won: float
    tasks: int
    seeds: int
    p: float
    side: int
    ratio: bool = False
    higher: bool = False

    @property
    def better(self) -> bool:
        """Whether the estimate is on the better side."""
        level = 1 if self.ratio else 0
        return self.mean > level if self.higher else self.mean < level


def curves(
    lines: Sequence[Line],
    nothing: float,
    measure: str,
    *,
    log: bool,
    log_steps: bool,
    dark: bool,
    knowing_nothing: str = "saying 0",
) -> go.Figure:
    """Score against inner step; thin and pale beyond the steps trained for, whose last one is marked.

    Args:
        lines: the learners.
        nothing: the score of knowing nothing, drawn as a baseline.
        measure: what a score is.
        log: a logarithmic axis of scores.
        log_steps: a logarithmic axis of steps.
        dark: colours for the dark background.
        knowing_nothing: what the baseline is, in words.
    """
    fig = go.Figure()
    longest = max((int(line.steps[-1]) for line in lines), default=1)
    right = float(marks.at_step(longest, log=log_steps))
    _baseline(fig, nothing, right, dark, knowing_nothing, log=log)
    labels = []
    for line in lines:
        x, colour = np.asarray(marks.at_step(line.steps, log=log_steps)), marks.colour(line.name, dark)
        floor = marks.LEAST if log else -np.inf
        marks.band(fig, x, np.maximum(line.low, floor), line.high, colour, legendgroup=line.name)
        trained = line.steps <= (line.trained_steps or line.steps[-1])
        beyond = line.steps >= (line.trained_steps or line.steps[-1])
        _part(fig, line, x, trained, colour, beyond=False)
        if beyond.sum() > 1:
            _part(fig, line, x, beyond, colour, beyond=True)
        if line.trained_steps:
            _trained_end(fig, line, x, colour, dark)
        labels.append(Label(float(x[-1]), float(line.mean[-1]), line.title, colour))
    extent = marks.extent([*(line.mean for line in lines), np.array([nothing])], log)
    marks.laid_out(fig, 470, right=marks.LABELS)
    fig.update_xaxes(range=[-0.01 * right, 1.01 * right], zeroline=False)
    marks.steps_axis(fig, longest, log=log_steps)
    marks.loss_axis(fig, f"query {measure}", extent, log)
    marks.label_ends(fig, labels, extent, log=log)
    return fig


def _baseline(fig: go.Figure, nothing: float, right: float, dark: bool, words: str, *, log: bool) -> None:
    line = {"color": marks.grey(dark), "dash": "dot", "width": 1.2}
    fig.add_scatter(x=[0, right], y=[nothing, nothing], mode="lines", line=line, hoverinfo="skip", showlegend=False)
    at = marks.vertical(nothing, log)
    fig.add_annotation(x=right, y=at, text=words, yshift=9, xanchor="right", showarrow=False)
    fig.layout.annotations[-1].font = {"color": marks.grey(dark), "size": 11}


def _part(fig: go.Figure, line: Line, x: np.ndarray, kept: np.ndarray, colour: str, *, beyond: bool) -> None:
    style = palette.style(line.name)
    note = "beyond the steps trained for" if beyond else ""
    fig.add_scatter(
        x=x[kept],
        y=line.mean[kept],
        mode="lines",
        line={"color": colour, "dash": style.plotly_dash, "width": 1.4 if beyond else 2.6},
        opacity=0.6 if beyond else 1.0,
        customdata=np.stack([line.steps, line.low, line.high], -1)[kept],
        hovertemplate=(
            f"<b>{line.title}</b><br>step %{{customdata[0]}}: %{{y:.3g}} [%{{customdata[1]:.3g}}, "
            f"%{{customdata[2]:.3g}}]<br>{note}<extra></extra>"
        ),
        showlegend=False,
    )


def _trained_end(fig: go.Figure, line: Line, x: np.ndarray, colour: str, dark: bool) -> None:
    at = int(np.flatnonzero(line.steps <= line.trained_steps)[-1])
    inside = marks.background(dark)
    fig.add_scatter(
        x=[x[at]],
        y=[line.mean[at]],
        mode="markers",
        marker={"color": inside, "size": 9, "line": {"color": colour, "width": 2}, "symbol": "circle"},
        hovertemplate=f"<b>{line.title}</b><br>trained for {line.trained_steps} steps<extra></extra>",
        showlegend=False,
    )


def plane(spots: Sequence[Spot], measure: str, step_words: str, dark: bool, *, accuracy: bool = False) -> go.Figure:
    """Score at step 0 against score after adapting: one cross per learner, one small mark per seed.

    Args:
        spots: the learners.
        measure: what a score is.
        step_words: which step is "after", such as "the last step".
        dark: colours for the dark background.
        accuracy: scores are accuracies, on linear axes; otherwise losses, on logarithmic ones.
    """
    log, what = not accuracy, "accuracy" if accuracy else "loss"
    fig = go.Figure()
    x_extent = marks.extent(
        [np.array([spot.before[0] for spot in spots] + [b for s in spots for _, b, _ in s.seeds])], log
    )
    y_extent = marks.extent(
        [np.array([spot.after[0] for spot in spots] + [a for s in spots for _, _, a in s.seeds])], log
    )
    ends = np.array([min(x_extent[0], y_extent[0]), max(x_extent[1], y_extent[1])])
    line = {"color": marks.grey(dark), "dash": "dot", "width": 1.2}
    fig.add_scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip")
    said = "<br>start %{x:.3g}, end %{y:.3g}<extra></extra>"
    labels = []
    for spot in spots:
        colour, style = marks.colour(spot.name, dark), palette.style(spot.name)
        seeds = np.array([(b, a) for _, b, a in spot.seeds])
        fig.add_scatter(
            x=seeds[:, 0],
            y=seeds[:, 1],
            mode="markers",
            marker={"color": colour, "size": 6, "symbol": style.marker},
            opacity=0.45,
            customdata=[seed for seed, _, _ in spot.seeds],
            hovertemplate=f"<b>{spot.title}</b>, seed %{{customdata}}{said}",
        )
        fig.add_scatter(
            x=[spot.before[0]],
            y=[spot.after[0]],
            mode="markers",
            marker={"color": colour, "size": 13, "symbol": style.marker, "line": {"color": colour, "width": 2}},
            error_x=marks.bars(spot.before, colour),
            error_y=marks.bars(spot.after, colour),
            hovertemplate=f"<b>{spot.title}</b>, mean{said}",
        )
        at = float(np.log10(spot.before[0])) if log and spot.before[0] > 0 else 0.0 if log else spot.before[0]
        labels.append(Label(at, spot.after[0], spot.title, colour))
    said = f" ({measure})" if measure != what else ""
    marks.laid_out(fig, 470, right=marks.LABELS)
    fig.update_xaxes(title_text=f"direct {what}, at step 0{said}", showgrid=True, **marks.span(x_extent, log))
    marks.loss_axis(fig, f"{what} after {step_words}{said}", y_extent, log)
    marks.label_ends(fig, labels, y_extent, log=log, above=11)
    return fig


def differences(rows: Sequence[Difference], axis: str, dark: bool) -> go.Figure:
    """Each learner beside a reference on the same tasks, and a line where they are level; pale: undecided.

    Args:
        rows: the learners; all of them ratios, on a logarithmic axis, or none.
        axis: what the axis is.
        dark: colours for the dark background.
    """
    fig = go.Figure()
    heights = list(range(len(rows), 0, -1))
    ratio = any(row.ratio for row in rows)
    fig.add_vline(x=1 if ratio else 0, line={"color": marks.ink(dark), "width": 1})
    for row, height in zip(rows, heights, strict=True):
        colour, style = marks.colour(row.name, dark), palette.style(row.name)
        up, down = (0.0 if np.isnan(end) else abs(end - row.mean) for end in (row.high, row.low))
        bar = {"type": "data", "symmetric": False, "array": [up], "arrayminus": [down], "color": colour, "width": 0}
        bar["thickness"] = 2.5 if row.side else 1.5
        fig.add_scatter(
            x=[row.mean],
            y=[height],
            mode="markers",
            marker={"color": colour, "size": 11, "symbol": style.marker, "line": {"color": colour, "width": 2}},
            opacity=1.0 if row.side else PALE,
            error_x=bar,
            hovertemplate=(
                f"<b>{row.title}</b><br>%{{x:.3g}} [{row.low:.3g}, {row.high:.3g}]<br>corrected p = {row.p:.2g}"
                f"<br>better on {row.won:.0%} of {row.tasks:,} tasks<extra></extra>"
            ),
        )
    marks.laid_out(fig, 110 + 34 * len(rows))
    if ratio:
        ends = np.array([v for row in rows for v in (row.low, row.mean, row.high, 1.0)])
        fig.update_xaxes(**marks.span(marks.extent([ends], True), True))
    fig.update_xaxes(title_text=axis, zeroline=False)
    ticks = {"tickvals": heights, "ticktext": [row.title for row in rows]}
    fig.update_yaxes(range=[0.4, len(rows) + 0.6], showgrid=False, zeroline=False, **ticks)
    return fig
