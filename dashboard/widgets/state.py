"""The state of the live page: one declared list of properties, kept in the URL.

A link reopens exactly the view it was copied from; what a URL says is user input, so every property is read by a
rule that either gives a valid value or one sentence on why it was left out.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from engine.errors import quoted

X_DOMAIN = (-5.0, 5.0)
Y_LIMIT = 12.0  # points live within -12 ... 12
MAX_POINTS = 64
MAX_STEP = 10_000
NOBODY = "none"  # how a link says that every learner is off
DECIMALS = 3  # of a coordinate: what a drag gives, what the link keeps

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class View:
    """Everything that the live page shows follows from this.

    Attributes:
        runs: name of the collection of shipped runs, such as "sine".
        shots: shots that the learners were trained with, and points drawn with a new task.
        task: number of the drawn task; it fixes the inputs and the noise.
        amplitude, phase, frequency: the true sine.
        noise: standard deviation of the noise on the drawn labels.
        truth: whether the points come from that sine; False after clearing to draw freely.
        points: support points; None as drawn by the task.
        step: inner step that the scrubber stands at; None for the last.
        on: names of the learners that are on; None for those that a collection shows at first.
    """

    runs: str = "sine"
    shots: int = 5
    task: int = 1
    amplitude: float = 3.0
    phase: float = 0.6
    frequency: float = 1.0
    noise: float = 0.0
    truth: bool = True
    points: Points | None = None
    step: int | None = None
    on: tuple[str, ...] | None = None

    def changed(self, **changes: Any) -> "View":
        """This view with some properties changed."""
        return replace(self, **changes)


RANGES = {"amplitude": (0.0, 10.0), "phase": (0.0, 2 * math.pi), "frequency": (0.2, 4.0), "noise": (0.0, 3.0)}


def to_query(view: View) -> dict[str, str]:
    """The properties that differ from their defaults, as URL parameters."""
    default, query = View(), {}
    for field in fields(View):
        value = getattr(view, field.name)
        if value != getattr(default, field.name):
            query[field.name] = _write(value)
    return query


def from_query(
    query: Mapping[str, str], collections: Mapping[str, Sequence[int]], learners: tuple[str, ...]
) -> tuple[View, list[str]]:
    """Reads a view from URL parameters.

    Args:
        query: the parameters.
        collections: the collections that exist by name, with the numbers of shots that each has learners for.
        learners: names of the learners that exist.

    Returns:
        The view, and one sentence for each parameter that was left out.
    """
    readers: dict[str, Callable[[str], Any]] = {
        "runs": lambda text: _one_of(text, tuple(collections)),
        "shots": lambda text: _one_of(int(text), collections.get(values.get("runs", View.runs)) or (View.shots,)),
        "task": lambda text: _between(int(text), 0, 10**9),
        **{name: _ranged(*bounds) for name, bounds in RANGES.items()},
        "truth": lambda text: _one_of(text, ("0", "1")) == "1",
        "points": read_points,
        "step": lambda text: _between(int(text), 0, MAX_STEP),
        "on": lambda text: () if text == NOBODY else _names(text, learners),
        "off": lambda text: _all_but(_names(text, learners), learners),
    }
    values: dict[str, Any] = {}
    complaints = []
    for name, reader in readers.items():
        if name not in query:
            continue
        try:
            values[name] = reader(query[name])
        except (ValueError, OverflowError) as error:
            reason = str(error) if isinstance(error, _Refused) else "it could not be read"
            complaints.append(f"The link's value for {name} was left out: {reason}.")
    if (off := values.pop("off", None)) is not None:  # how older links say it
        values.setdefault("on", off)
    view = View(**values)
    return view.changed(shots=nearest_shots(view.shots, collections.get(view.runs, ()))), complaints


def nearest_shots(wanted: int, offered: Sequence[int]) -> int:
    """The number of shots nearest to the wanted one that there are learners for."""
    return min(offered, key=lambda k: (abs(k - wanted), k), default=wanted)


def clean_points(rows: list[tuple[Any, Any]], most: int = MAX_POINTS) -> tuple[Points, list[str]]:
    """Points from a table: rounded and moved into the pad; rows that are no numbers are named and left out."""
    points, complaints = [], []
    for number, (x, y) in enumerate(rows, start=1):
        try:
            pair = (float(x), float(y))
        except (TypeError, ValueError, OverflowError):
            pair = (math.nan, math.nan)
        if not all(map(math.isfinite, pair)):
            complaints.append(f"Row {number} was left out: x and y must both be numbers.")
            continue
        inside = place(*pair)
        if inside != tuple(round(v, DECIMALS) for v in pair):
            complaints.append(f"Row {number} was moved to the edge of the pad: x from -5 to 5, y from -12 to 12.")
        points.append(inside)
    if len(points) > most:
        complaints.append(f"Only the first {most} points were kept: the pad holds no more.")
    return tuple(points[:most]), complaints


def place(x: float, y: float) -> tuple[float, float]:
    """The nearest place on the pad, rounded as the link keeps it."""
    inside = (min(max(x, X_DOMAIN[0]), X_DOMAIN[1]), min(max(y, -Y_LIMIT), Y_LIMIT))
    return (round(inside[0], DECIMALS), round(inside[1], DECIMALS))


class _Refused(ValueError):
    pass


def write_points(points: Points) -> str:
    """Points as links write them: x:y,x:y ..."""
    return ",".join(f"{x:g}:{y:g}" for x, y in points)


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.6g}"
    if value == ():
        return NOBODY
    if isinstance(value, tuple):
        return ",".join(value) if isinstance(value[0], str) else write_points(value)
    return str(value)


def _one_of(value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise _Refused(f"{quoted(str(value))} is not one of {', '.join(map(str, allowed))}")
    return value


def _names(text: str, learners: tuple[str, ...]) -> tuple[str, ...]:
    given = {_one_of(name, learners) for name in text.split(",") if name}
    return tuple(name for name in learners if name in given)


def _all_but(off: tuple[str, ...], learners: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in learners if name not in off)


def _between(value: float, low: float, high: float) -> Any:
    if not low <= value <= high:
        raise _Refused(f"{value:g} is not between {low:g} and {high:g}")
    return value


def _ranged(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        return float(_between(min(value, high) if value < high + 1e-3 else value, low, high))  # a link rounds 2 pi up

    return read


def read_points(text: str) -> Points:
    """Points as links write them, x:y,x:y ...

    Raises:
        ValueError: it is not 1 to 64 pairs of numbers within the pad.
    """
    pairs = [part.split(":") for part in text[:2000].split(",") if part]
    if any(len(pair) != 2 for pair in pairs):
        raise _Refused("points are written x:y, separated by commas")
    points, complaints = clean_points([(pair[0], pair[1]) for pair in pairs])
    if complaints or not points:
        raise _Refused(f"it must be 1 to {MAX_POINTS} pairs of numbers within the pad")
    return points
