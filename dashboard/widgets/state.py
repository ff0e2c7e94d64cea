"""The state of the live page: one declared list of properties, kept in the URL.

A link reopens exactly the view it was copied from; what a URL says is user input, so every property is read by a
rule that either gives a valid value or one sentence on why it was left out.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from dashboard.widgets import trained
from engine.errors import quoted

X_DOMAIN = (-5.0, 5.0)
Y_LIMIT = 12.0  # points live within -12 ... 12
MAX_POINTS = 64
MAX_STEP = 10_000
FIRST = "sine"  # what most collections were trained on
NOBODY = "none"  # how a link says that every learner is off
LONGEST = 2500  # letters of the points in a link

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class View:
    """Everything that the live page shows follows from this.

    Attributes:
        runs: name of the collection of runs, such as "sine".
        trained: what its runs were trained on, as links call it (`dashboard.widgets.trained`).
        shots: shots that the learners were trained with, and points drawn with a new task.
        task: number of the drawn task; it fixes the inputs and the noise.
        values: where sliders were moved to, by name; the others stand where the scene has them at first.
        truth: whether the points come from what is known of the task; False after clearing to draw freely.
        points: support points; None as drawn by the task.
        step: inner step that the scrubber stands at; None for the last.
        on: names of the learners that are on; None for those that a collection shows at first.
    """

    runs: str = "sine"
    trained: str = FIRST
    shots: int = 5
    task: int = 1
    values: Mapping[str, float] = field(default_factory=dict)
    truth: bool = True
    points: Points | None = None
    step: int | None = None
    on: tuple[str, ...] | None = None

    def changed(self, **changes: Any) -> "View":
        """This view with some properties changed."""
        return replace(self, **changes)


PROPERTIES = (*(f.name for f in fields(View) if f.name != "values"), "off")  # names that no slider may have


@dataclass(frozen=True)
class Bounds:
    """What a view may hold of a scene.

    Attributes:
        x, y: lowest and highest coordinate of a point.
        values: lowest and highest value of every slider, by name.
        opening: where they stand at first.
    """

    x: tuple[float, float] = X_DOMAIN
    y: tuple[float, float] = (-Y_LIMIT, Y_LIMIT)
    values: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    opening: Mapping[str, float] = field(default_factory=dict)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The nearest place for a point, rounded as the link keeps it."""
        (x_low, x_high), (y_low, y_high) = self.x, self.y
        inside = (min(max(x, x_low), x_high), min(max(y, y_low), y_high))
        return self.rounded(*inside)

    def rounded(self, x: float, y: float) -> tuple[float, float]:
        """A pair of numbers as the link keeps it."""
        return (round(x, decimals(self.x)), round(y, decimals(self.y)))

    def said(self) -> str:
        """The two ranges in words."""
        return f"x from {_short(self.x[0])} to {_short(self.x[1])}, y from {_short(self.y[0])} to {_short(self.y[1])}"


OPENING = Bounds()  # those of waves on [-5, 5]


def decimals(domain: tuple[float, float]) -> int:
    """Decimals of a coordinate: three for domains of width 10 to 100, fewer for wider and more for narrower ones."""
    return max(0, 4 - math.floor(math.log10(domain[1] - domain[0])))


def to_query(view: View, bounds: Bounds) -> dict[str, str]:
    """The properties that differ from their defaults, as URL parameters; each slider is one of its own."""
    default = View()
    query: dict[str, str] = {}
    for one in fields(View):
        value = getattr(view, one.name)
        if one.name == "values":
            query |= {key: _write(float(v)) for key, v in value.items() if v != bounds.opening.get(key)}
        elif value != getattr(default, one.name):
            query[one.name] = _write(value)
    return query


def from_query(
    query: Mapping[str, str],
    collections: Mapping[str, Mapping[str, Sequence[int]]],
    learners: tuple[str, ...],
    bounds_of: Callable[[str, str], Bounds],
) -> tuple[View, list[str]]:
    """Reads a view from URL parameters.

    Args:
        query: the parameters.
        collections: the collections that exist by name, each with what its runs were trained on, the first choice
            first, and with how many shots.
        learners: names of the learners that exist.
        bounds_of: what a view may hold, given a collection and what its runs were trained on.

    Returns:
        The view, and one sentence for each parameter that was left out.
    """
    values: dict[str, Any] = {}
    complaints: list[str] = []

    def read(readers: Mapping[str, Callable[[str], Any]]) -> None:
        for name, reader in readers.items():
            if name not in query:
                continue
            try:
                values[name] = reader(query[name])
            except (ValueError, OverflowError) as error:
                reason = str(error) if isinstance(error, _Refused) else "it could not be read"
                complaints.append(f"The link's value for {name} was left out: {reason}.")

    read({"runs": lambda text: _one_of(text, tuple(collections))})
    runs = values.get("runs", View.runs)
    tasks = collections.get(runs) or {View.trained: ()}
    read({"trained": lambda text: _one_of(trained.find(text, tuple(tasks)), tuple(tasks))})
    task = values.setdefault("trained", View.trained if View.trained in tasks else next(iter(tasks)))
    bounds = bounds_of(runs, task)
    read(
        {
            "shots": lambda text: _one_of(int(text), tuple(tasks[task]) or (View.shots,)),
            "task": lambda text: _between(int(text), 0, 10**9),
            **{name: _ranged(*ends) for name, ends in bounds.values.items()},
            "truth": lambda text: _one_of(text, ("0", "1")) == "1",
            "points": lambda text: read_points(text, bounds),
            "step": lambda text: _between(int(text), 0, MAX_STEP),
            "on": lambda text: () if text == NOBODY else _names(text, learners),
            "off": lambda text: _all_but(_names(text, learners), learners),
        }
    )
    if (off := values.pop("off", None)) is not None:  # how older links say it
        values.setdefault("on", off)
    view = View(values={name: values.pop(name) for name in bounds.values if name in values}, **values)
    return view.changed(shots=nearest_shots(view.shots, tasks[task])), complaints


def nearest_shots(wanted: int, offered: Sequence[int]) -> int:
    """The number of shots nearest to the wanted one that there are learners for."""
    return min(offered, key=lambda k: (abs(k - wanted), k), default=wanted)


def clean_points(rows: list[tuple[Any, Any]], bounds: Bounds, most: int = MAX_POINTS) -> tuple[Points, list[str]]:
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
        inside = bounds.place(*pair)
        if inside != bounds.rounded(*pair):
            complaints.append(f"Row {number} was moved to the edge of the pad: {bounds.said()}.")
        points.append(inside)
    if len(points) > most:
        complaints.append(f"Only the first {most} points were kept: the pad holds no more.")
    return tuple(points[:most]), complaints


class _Refused(ValueError):
    pass


def write_points(points: Points) -> str:
    """Points as links write them: x:y,x:y ..."""
    return ",".join(f"{_short(x)}:{_short(y)}" for x, y in points)


def _short(value: float) -> str:
    """A coordinate, whose decimals were chosen before, without zeros at its end."""
    return f"{value:.15g}"


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


def read_points(text: str, bounds: Bounds = OPENING) -> Points:
    """Points as links write them, x:y,x:y ...

    Raises:
        ValueError: it is not 1 to 64 pairs of numbers within the pad.
    """
    pairs = [part.split(":") for part in text[:LONGEST].split(",") if part]
    if any(len(pair) != 2 for pair in pairs):
        raise _Refused("points are written x:y, separated by commas")
    points, complaints = clean_points([(pair[0], pair[1]) for pair in pairs], bounds)
    if complaints or not points:
        raise _Refused(f"it must be 1 to {MAX_POINTS} pairs of numbers within the pad")
    return points
