"""Figures of what meta-gradients cost against the number of parameters: measured, and as fitted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import marks
from dashboard.figures.marks import Label

DASHES = {"first-order": "4px,3px", "exact": "solid", "explicit": "2px,3px"}
UNITS = {
    "seconds": {"0.1 ms": 1e-4, "1 ms": 1e-3, "10 ms": 1e-2, "0.1 s": 0.1, "1 s": 1.0, "10 s": 10.0, "100 s": 100.0},
    "bytes": {"10 kB": 1e4, "100 kB": 1e5, "1 MB": 1e6, "10 MB": 1e7, "100 MB": 1e8, "1 GB": 1e9, "10 GB": 1e10},
}
SYMBOLS = {"first-order": "circle-open", "exact": "circle", "explicit": "square-open"}


@dataclass(frozen=True)
class Series:
    """One way of computing one learner's meta-gradient.

    Attributes:
        name, title: the learner's registered name, and what the line is called.
        way: "first-order", "exact" or "explicit".
        n, cost: parameters and what was measured, (sizes,) each, in the order of n.
        exponent, low, high, constant: cost = constant n^exponent with the exponent's interval.
        least: the fit covers n from here on.
    """

    name: str
    title: str
    way: str
    n: np.ndarray
    cost: np.ndarray
    exponent: float
    low: float
    high: float
    constant: float
    least: int


def costs(unit: str, series: Sequence[Series], dark: bool) -> go.Figure:
    """Costs against N on logarithmic axes; the fits are broad lines, the marks are measurements.

    Args:
        unit: a key of `UNITS`.
        series: what was measured.
        dark: colours for the dark background.
    """
    fig = go.Figure()
    marks.laid_out(fig, 430, right=marks.LABELS + 50)
    labels = [_drawn(fig, one, unit, dark) for one in series]
    low, high = marks.extent([one.cost for one in series], True)
    extent = low, 1.8 * high  # room for the label above the steepest line
    marks.loss_axis(fig, "", extent, True)
    fig.update_yaxes(tickvals=list(UNITS[unit].values()), ticktext=list(UNITS[unit]))
    sizes = np.concatenate([one.n for one in series])
    first, last = float(np.log10(sizes.min())), float(np.log10(sizes.max()))
    powers = range(int(np.ceil(first)), int(np.floor(last + 0.1)) + 1)
    ticks = {"tickvals": [10.0**p for p in powers], "ticktext": [f"10<sup>{p}</sup>" for p in powers]}
    fig.update_xaxes(type="log", range=[first - 0.1, last + 0.1], title_text="parameters N", **ticks)
    marks.label_ends(fig, [label for label in labels if label], extent, log=True)
    return fig


def _drawn(fig: go.Figure, one: Series, unit: str, dark: bool) -> Label | None:
    """One line with its fit; its label, unless it has one already."""
    colour = marks.colour(one.name, dark) if one.way != "explicit" else marks.grey(dark)
    short = {"seconds": "s", "bytes": "B"}[unit]
    said = f"<b>{one.title}</b><br>N = %{{x:,}}: %{{y:.3s}}{short}<extra></extra>"
    fig.add_scatter(
        x=one.n,
        y=one.cost,
        mode="lines+markers",
        line={"color": colour, "width": 1, "dash": DASHES[one.way]},
        marker={"color": colour, "size": 7, "symbol": SYMBOLS[one.way], "line": {"width": 1.4, "color": colour}},
        hovertemplate=said,
    )
    ends = np.array([one.least, one.n[-1]], float)
    fig.add_scatter(
        x=ends,
        y=one.constant * ends**one.exponent,
        mode="lines",
        line={"color": colour, "width": 7},
        opacity=0.22,
        hovertemplate=(
            f"<b>{one.title}</b><br>N^{one.exponent:.2f}, between {one.low:.2f} and {one.high:.2f}<extra></extra>"
        ),
    )
    power = f"N<sup>{one.exponent:.2f}</sup>"
    # a logarithmic axis takes an annotation's place as a logarithm
    x, y = float(np.log10(one.n[-1])), float(one.cost[-1])
    if one.way == "explicit":  # ends among the others: its label stands above
        text = f"written out {power}"
        fig.add_annotation(x=x, y=float(np.log10(y)), text=text, xanchor="left", xshift=-14, yshift=15)
        fig.layout.annotations[-1].update(showarrow=False, font={"color": colour, "size": 12})
        return None
    return Label(x, y, f"{one.title} {power}", colour)
