"""How the eigenvalues of Hessians lie, on an axis that is linear near 0 and logarithmic far from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import marks, palette

LEAST = 0.4  # eigenvalues: what less shows as nothing


@dataclass(frozen=True)
class Spectrum:
    """One learner's eigenvalues.

    Attributes:
        name, title: registered name, and the name for people.
        eigenvalue: places, (points,).
        at: where these lie on the axis, (points,).
        beyond: how many eigenvalues lie at least as far from 0, on the same side, (points,).
        density: eigenvalues per unit of the axis, (points,).
        high, low: the largest and smallest eigenvalues of each seed, (seeds, k).
    """

    name: str
    title: str
    eigenvalue: np.ndarray
    at: np.ndarray
    beyond: np.ndarray
    density: np.ndarray
    high: np.ndarray
    low: np.ndarray


def spectra(found: Sequence[Spectrum], unit: float, dark: bool, *, counted: bool) -> go.Figure:
    """One line per learner; where eigenvalues are counted, also those at the ends, one by one.

    Args:
        found: the learners.
        unit: the eigenvalue up to which the axis is about linear.
        dark: colours for the dark background.
        counted: how many lie beyond; otherwise their density.
    """
    fig = go.Figure()
    for s in found:
        colour, style = marks.colour(s.name, dark), palette.style(s.name)
        y = s.beyond if counted else s.density
        said = "%{y:,.3g} of them at least as far from 0" if counted else "%{y:,.3g} per unit of the axis"
        fig.add_scatter(
            x=s.at,
            y=np.where(y > LEAST, y, np.nan),
            mode="lines",
            line={"color": colour, "dash": style.plotly_dash, "width": 2.2},
            name=s.title,
            legendgroup=s.name,
            customdata=s.eigenvalue,
            hovertemplate=f"<b>{s.title}</b>, mean of seeds<br>eigenvalue %{{customdata:.3g}}: {said}<extra></extra>",
        )
        if counted:
            _ends(fig, s, unit, colour, style.marker)
    marks.laid_out(fig, 440, legend=True)
    ends = found[0].at[[0, -1]] if found else np.array([-1.0, 1.0])
    fig.update_xaxes(
        title_text="eigenvalue λ (linear near 0, logarithmic beyond)",
        range=[float(ends[0]), float(ends[1])],
        zeroline=False,
        **_ticks(float(np.sinh(ends[0]) * unit), float(np.sinh(ends[1]) * unit), unit),
    )
    title = "eigenvalues at least as far from 0" if counted else "eigenvalues per unit of the axis"
    marks.loss_axis(fig, title, marks.extent([s.beyond if counted else s.density for s in found], True), True)
    low = np.log10(LEAST)
    fig.update_yaxes(range=[low, fig.layout.yaxis.range[1]], title_standoff=4)
    return fig


def _ends(fig: go.Figure, s: Spectrum, unit: float, colour: str, symbol: str) -> None:
    """The k-th eigenvalue from either end at the height k: so many lie at least as far from 0 as it."""
    for words, values, side in (("largest", s.high, 1), ("smallest", s.low, -1)):
        seeds, k = values.shape
        rows = [(i, j + 1, values[i, j]) for i in range(seeds) for j in range(k) if side * values[i, j] > 0]
        if not rows:
            continue
        fig.add_scatter(
            x=[float(np.arcsinh(value / unit)) for _, _, value in rows],
            y=[rank for _, rank, _ in rows],
            mode="markers",
            marker={"symbol": symbol, "size": 5, "color": colour, "line": {"color": colour, "width": 1.2}},
            opacity=0.6,
            legendgroup=s.name,
            showlegend=False,
            customdata=rows,
            hovertemplate=(
                f"<b>{s.title}</b>, run %{{customdata[0]}}<br>%{{customdata[1]}}. {words} eigenvalue: "
                "%{customdata[2]:.4g}<extra></extra>"
            ),
        )


def _ticks(low: float, high: float, unit: float) -> dict[str, object]:
    """0, and powers of ten to both sides."""
    powers = range(int(np.ceil(np.log10(2 * unit))), int(np.floor(np.log10(max(abs(low), abs(high), 20 * unit)))) + 1)
    values = sorted([0.0, *(s * 10.0**p for p in powers for s in (-1, 1) if low <= s * 10.0**p <= high)])
    return {"tickvals": [float(np.arcsinh(v / unit)) for v in values], "ticktext": [f"{v:g}" for v in values]}
