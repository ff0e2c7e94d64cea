"""What figures share: a learner's colours, soft areas, direct labels at the ends of curves, logarithmic steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import palette

LABELS = 125  # pixels at the right for labels at the ends of curves
LABEL_PIXELS = 16  # from one label to the next
LEAST = 1e-12  # what a logarithmic axis shows for 0


def colour(name: str, dark: bool) -> str:
    """A learner's colour on the given background."""
    style = palette.style(name)
    return style.dark if dark else style.light


def ink(dark: bool) -> str:
    """The colour of what belongs to no learner."""
    return palette.CHALK if dark else palette.INK


def grey(dark: bool) -> str:
    """The colour of baselines and controls."""
    return "#8B93A1" if dark else "#737B88"


def background(dark: bool) -> str:
    """The page behind a figure."""
    return palette.DARK_BACKGROUND if dark else palette.LIGHT_BACKGROUND


def soft(hex_colour: str, opacity: float) -> str:
    """A colour as an area."""
    red, green, blue = (int(hex_colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def band(fig: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, hex_colour: str, **trace: object) -> None:
    """A soft area between two curves; places without a band (NaN) are left out."""
    kept = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[kept], low[kept], high[kept]
    settings = {"hoverinfo": "skip", "showlegend": False, **trace}
    fig.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=soft(hex_colour, 0.14),
        line={"width": 0},
        mode="lines",
        **settings,
    )


@dataclass(frozen=True)
class Label:
    """Text beside a point of the plot, in data coordinates (not logarithms), in a colour."""

    x: float
    y: float
    text: str
    colour: str


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Heights moved as little as needed to lie at least `gap` apart, in their order, and so about their own middle."""
    order = np.argsort(heights, kind="stable")
    blocks: list[list[float]] = []  # (sum of wishes, count): neighbours that touch move as one
    for rank in order:
        blocks.append([heights[rank], 1.0])
        while len(blocks) > 1 and _top(blocks[-2], gap) + gap > _bottom(blocks[-1], gap):
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    placed = [_bottom(block, gap) + gap * i for block in blocks for i in range(int(block[1]))]
    result = [0.0] * len(heights)
    for place, rank in zip(placed, order, strict=True):
        result[rank] = place
    return result


def _bottom(block: list[float], gap: float) -> float:
    return block[0] / block[1] - gap * (block[1] - 1) / 2


def _top(block: list[float], gap: float) -> float:
    return block[0] / block[1] + gap * (block[1] - 1) / 2


def label_ends(
    fig: go.Figure, labels: Sequence[Label], extent: tuple[float, float], *, log: bool, above: int = 0, **place: int
) -> None:
    """Writes each label right of its point; those that would overlap move apart, with a thin line back.

    Args:
        fig: the figure, laid out: its height counts.
        labels: what to write where.
        extent: (lowest, highest) y of the plot, in data coordinates.
        log: whether the y axis is logarithmic.
        above: pixels to lift every label by.
        place: row and col of the panel.
    """
    finite = [label for label in labels if np.isfinite(label.y) and (label.y > 0 or not log)]
    low, high = (vertical(end, log) for end in extent)
    pixels = (fig.layout.height - fig.layout.margin.t - fig.layout.margin.b) / ((high - low) or 1.0)
    wishes = [vertical(label.y, log) * pixels for label in finite]
    for label, wish, moved in zip(finite, wishes, spread(wishes, LABEL_PIXELS), strict=True):
        far = abs(moved - wish) > LABEL_PIXELS / 4
        fig.add_annotation(
            x=label.x,
            y=wish / pixels,
            ax=26 if far else 12,
            ay=wish - moved - above,
            text=label.text,
            font={"color": label.colour, "size": 12},
            xanchor="left",
            showarrow=True,
            arrowhead=0,
            arrowwidth=0.8,
            arrowcolor=label.colour if far else "rgba(0,0,0,0)",
            standoff=3,
            **place,
        )


def extent(values: Sequence[np.ndarray], log: bool) -> tuple[float, float]:
    """The range of an axis that shows all values with some air, in data coordinates."""
    every = np.concatenate([np.ravel(v) for v in values])
    every = every[np.isfinite(every) & ((every > 0) | (not log))]
    if not len(every):
        return (0.1, 1.0)
    low, high = float(every.min()), float(every.max())
    if log:
        return low / 1.8, high * 1.8
    return min(0.0, low), high * 1.06


def loss_axis(fig: go.Figure, title: str, extent: tuple[float, float], log: bool, **place: int) -> None:
    """The vertical axis of losses over an extent in data coordinates."""
    fig.update_yaxes(title_text=title, **span(extent, log), **place)


def span(extent: tuple[float, float], log: bool) -> dict[str, object]:
    """An axis over an extent in data coordinates; a logarithmic one is ticked at 1, or 1, 2 and 5, of each decade."""
    if not log:
        return {"type": "linear", "range": list(extent), "zeroline": False}
    low, high = (float(np.log10(end)) for end in extent)
    digits = (1,) if high - low > 2 else (1, 2, 5) if high - low > 0.6 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    ticks = [d * 10.0**k for k in decades for d in digits if extent[0] <= d * 10.0**k <= extent[1]]
    named = {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    return {"type": "log", "range": [low, high], "zeroline": False, **named}


def vertical(y: float, log: bool) -> float:
    """Where an annotation must be put on an axis, for a value in data coordinates."""
    return float(np.log10(max(y, LEAST))) if log else y


def bars(interval: tuple[float, float, float], hex_colour: str) -> dict[str, object]:
    """The error bar of one (mean, low, high) on a logarithmic axis."""
    return bars_of(*(np.array([value]) for value in interval), hex_colour)


def bars_of(mean: np.ndarray, low: np.ndarray, high: np.ndarray, hex_colour: str) -> dict[str, object]:
    """Error bars of means with intervals on a logarithmic axis, where nothing can reach 0."""
    up, down = np.nan_to_num(high - mean), np.nan_to_num(mean - low)
    return {
        "type": "data",
        "symmetric": False,
        "array": up,
        "arrayminus": np.minimum(down, 0.999 * mean),
        "color": hex_colour,
        "thickness": 1.4,
        "width": 0,
    }


def sequential(dark: bool) -> list[list[object]]:
    """Colours from little to much: towards the ink of the page."""
    steps = ("#EEF3F9", "#B5CEE6", "#669CCB", "#2369A3", "#0B3C69", "#062849")
    return _scale(steps[::-1] if dark else steps)


def diverging(dark: bool) -> list[list[object]]:
    """Colours from less over equal to more."""
    middle = "#3A404B" if dark else "#F4F5F7"
    return _scale(
        ("#063F6E", "#4F94C6", middle, "#DB7A38", "#7A2B00")
        if not dark
        else ("#97C0E0", "#1A6CA6", middle, "#B24A0A", "#F0AE80")
    )


def _scale(steps: Sequence[str]) -> list[list[object]]:
    return [[i / (len(steps) - 1), step] for i, step in enumerate(steps)]


def steps_axis(fig: go.Figure, longest: int, *, log: bool, **place: int) -> None:
    """The axis of inner steps; logarithmic means log(1 + step), so that step 0 has its place."""
    settings: dict[str, object] = {"title_text": "inner step"}
    if log:
        ticks = [step for step in (0, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000) if step <= longest]
        settings |= {"tickvals": [at_step(step, log=True) for step in ticks], "ticktext": [str(step) for step in ticks]}
    fig.update_xaxes(**settings, **place)


def at_step(step: float | np.ndarray, *, log: bool) -> float | np.ndarray:
    """Where an inner step lies on its axis."""
    return np.log10(1 + np.asarray(step, float)) if log else np.asarray(step, float)


class Rows(NamedTuple):
    """Panels in rows: how many columns and rows there are, and the place of each panel."""

    across: int
    down: int
    places: list[dict[str, int]]


def in_rows(panels: int, most: int) -> Rows:
    """So many panels in rows of at most `most`."""
    across = min(panels, most)
    places = [{"row": i // across + 1, "col": i % across + 1} for i in range(panels)]
    return Rows(across, places[-1]["row"], places)


def laid_out(fig: go.Figure, height: int, *, legend: bool = False, right: int = 10) -> go.Figure:
    """Margins, height and hover as everywhere."""
    fig.update_layout(
        height=height,
        margin={"l": 60, "r": right, "t": 24, "b": 45},
        hovermode="closest",
        showlegend=legend,
        legend={"orientation": "h", "y": -0.22},
    )
    return fig


def on_foot(fig: go.Figure, height: int, *, top: int, foot: int) -> go.Figure:
    """The same with the legend at the very foot, where it may take several lines, and no room beside the axes."""
    return fig.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": top, "b": foot},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
