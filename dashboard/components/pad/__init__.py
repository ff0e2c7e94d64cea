"""The pad: a one-dimensional regression task you can hold, and every learner's answer to it.

A Components v2 component in plain SVG and JavaScript. The browser owns the support points while they
move and draws them at once; Python owns the curves. The contract between the two is `PadData` on the
way out and the state keys ``edit``, ``step`` and ``on`` on the way back.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, NotRequired, TypedDict

import numpy as np
import streamlit as st

# In this order: each module uses only what stands above it.
_MODULES = ("draw.js", "motion.js", "stage.js", "hand.js", "switches.js", "table.js", "steps.js", "edits.js", "pad.js")


class PadLearner(TypedDict):
    """One learner on the pad. ``n_stops`` is ``len(PadData["stops"])``."""

    name: str
    label: str
    family: str
    family_label: str
    light: str  # css colour on the light background
    dark: str
    dash: str  # svg stroke-dasharray, "" for solid
    on: bool
    first: bool  # on unless the person chose otherwise
    meta_trained: bool  # False: it learned nothing across tasks
    seeds: int
    steps: int  # inner steps it can take; afterwards the data repeats its last state
    trained_steps: int  # inner steps it was meta-trained for
    curves: str  # encode_curves(...) of (n_drawn, 3, n_grid); "" where the learner is off
    errors: list[float | None]  # (n_stops,)
    errors_lo: list[float | None]
    errors_hi: list[float | None]
    note: str
    formula: str


class PadData(TypedDict):
    """Everything the pad shows. Plain JSON types only."""

    answer: int  # the seq of the edit these curves answer
    turn: int  # the turn of the last switches heard; the browser keeps newer ones of its own
    revision: str  # a new value makes the browser adopt the points; edits say which one they were made on
    points: list[list[float]]
    rows: NotRequired[list[list[float]]]  # other points, on which learners are scored; they stay where they are
    x_domain: list[float]
    y_domain: list[float]
    grid: list[float]
    truth: list[float] | None
    stops: list[int]  # inner steps the slider stops at, ascending
    drawn: list[int]  # places of the stops that the curves are of; all, but for an edit that asked for one
    step_index: int
    learners: list[PadLearner]
    zero: float  # value of 0 in the encoded curves
    unit: float  # what 1 adds to it
    error_label: str
    max_points: int
    message: str  # one sentence for the status line, or ""
    band_label: NotRequired[str]  # what the bands show, such as "bands: range of 5 seeds"


def _module(name: str) -> str:
    """Read one ES module, without its imports and exports: Streamlit takes one script."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    text = re.sub(r"^import [^;]*;\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^export (?!default)", "", text, flags=re.MULTILINE)


_COMPONENT = st.components.v2.component(
    "innerloop_pad",
    html=_module("pad.html"),
    css=_module("pad.css"),
    js="\n".join(_module(name) for name in _MODULES),
    isolate_styles=True,
)


def pad(
    data: PadData,
    *,
    key: str,
    on_edit: Callable[[], None] | None = None,
    on_step: Callable[[], None] | None = None,
    on_on: Callable[[], None] | None = None,
) -> Any:
    """Mount the pad.

    Args:
        data: What to show. Numbers that are not finite are sent as gaps (``None``).
        key: Streamlit key; ``st.session_state[key]`` holds the state below, best read *before* the call.
        on_edit: Called when the points changed.
        on_step: Called when the slider came to rest.
        on_on: Called when learners were switched on or off.

    Returns:
        Streamlit's result with ``edit`` (``{"seq": int, "revision": str, "points": [[x, y], ...], "final": bool,
        "place": int | None}``; place: of the only stop that is on screen while the hand moves), ``step`` (an inner step
        of ``data["stops"]``) and ``on`` (``{"turn": int, "names": [...]}``, the learners that are on); each is
        ``None`` until it happens.
    """
    return _COMPONENT(
        key=key,
        data=_finite(data),
        on_edit_change=on_edit or _nothing,
        on_step_change=on_step or _nothing,
        on_on_change=on_on or _nothing,
    )


def _nothing() -> None:
    """Streamlit gives a state key its attribute only when it has a callback."""


def _finite(value: Any) -> Any:
    """Replace NaN and infinities by None: ``JSON.parse`` in the browser refuses them."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value


def encode_curves(array: np.ndarray, unit: float) -> str:
    """Pack curves into text a browser can unpack without parsing numbers.

    Args:
        array: Mean, low and high over seeds at each stop, (n_drawn, 3, n_grid).
        unit: Value of one integer step, such as 0.001; values beyond 32767 units are clipped.

    Returns:
        Base64 of the little-endian int16 array, row-major.

    Raises:
        ValueError: If the shape is not (n_drawn, 3, n_grid), a value is NaN, or the unit is not positive.
    """
    values = np.asarray(array, dtype=np.float64)
    if values.ndim != 3 or values.shape[1] != 3:
        raise ValueError(f"curves: expected shape (n_drawn, 3, n_grid), got {values.shape}")
    if not (math.isfinite(unit) and unit > 0):
        raise ValueError(f"unit: expected a positive number, got {unit!r}")
    if np.isnan(values).any():
        raise ValueError(f"curves: expected numbers, got {int(np.isnan(values).sum())} NaN values")
    limit = np.iinfo(np.int16).max
    packed = np.clip(np.rint(values / unit), -limit, limit).astype("<i2")
    return base64.b64encode(packed.tobytes()).decode("ascii")


def read_edit(
    value: object, *, x_domain: Sequence[float], y_domain: Sequence[float], max_points: int
) -> tuple[list[list[float]] | None, str]:
    """Check what a browser sent as ``edit``. Never raises: a browser can send anything.

    Args:
        value: The state's ``edit`` entry, or ``None`` when nothing was edited yet.
        x_domain: Lowest and highest x; points outside are moved to the edge.
        y_domain: The same for y.
        max_points: Most points a task may hold.

    Returns:
        The points (n, 2) as nested lists and an empty message, or ``None`` and one sentence that says what
        is wrong. ``(None, "")`` when there is no edit.
    """
    if value is None:
        return None, ""
    try:
        points = value["points"]  # type: ignore[index]
        if isinstance(points, str | bytes):
            raise TypeError
        points = [tuple(p) for p in points[: max_points + 1]]
    except (TypeError, KeyError, IndexError, ValueError):
        return None, "The edit was not understood: expected a list of [x, y] points."
    if not points:
        return None, "A task needs at least one support point."
    if len(points) > max_points:
        return None, f"A task holds at most {max_points} support points."
    read = []
    for i, point in enumerate(points, start=1):
        if len(point) != 2 or not all(_is_number(c) for c in point):
            return None, f"Support point {i} is not a pair of finite numbers."
        read.append([min(max(float(c), low), high) for c, (low, high) in zip(point, (x_domain, y_domain), strict=True)])
    return read, ""


def read_place(value: object) -> int | None:
    """Check what a browser sent as the ``place`` of an edit: a whole number from 0, or None for all stops."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def read_switches(value: object, names: Sequence[str]) -> tuple[int, tuple[str, ...]] | None:
    """Check what a browser sent as ``on``. Never raises.

    Args:
        value: The state's ``on`` entry.
        names: The learners there are.

    Returns:
        Its turn and the learners that are on, in the order of ``names``; ``None`` when it is not understood.
    """
    if not isinstance(value, dict) or not isinstance(value.get("names"), list):
        return None
    turn, given = value.get("turn"), value["names"]
    if isinstance(turn, bool) or not isinstance(turn, int) or not 0 < turn < 2**53:
        return None
    known = tuple(name for name in names if name in given)
    return None if given and not known else (turn, known)


def _is_number(value: object) -> bool:
    """Whether a value is a finite real number; booleans are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False
