"""Round numbers for axes and sliders."""

import math
from collections.abc import Iterable

Range = tuple[float, float]
MOST = 1e9  # of anything that is drawn or that a slider goes to
ROUND = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


class BeyondScales(ValueError):
    """A number is too large to be drawn, or is none."""


def refuse_beyond(values: Iterable[float]) -> None:
    """Raises BeyondScales unless all values can be drawn."""
    if not all(abs(value) <= MOST for value in values):  # NaN is not
        raise BeyondScales


def round_up(value: float) -> float:
    """The next round number at or above a positive one."""
    power = 10.0 ** math.floor(math.log10(value))
    return _exact(next(m for m in (*ROUND, 12) if m * power >= value * (1 - 1e-9)) * power)


def wide(ends: Range) -> Range:
    """The same range, or one around it if it is none, or one too narrow to be told from none."""
    low, high = ends
    room = 0.5 * max(1.0, abs(low)) if not high - low > max(1e-12, 1e-9 * max(abs(low), abs(high))) else 0.0
    return (low - room, high + room)


def heights(low: float, high: float) -> Range:
    """A range of round numbers that holds values from low to high, with room; even about 0 where they nearly are."""
    low, high = wide((low, high))
    if low < 0 < high and max(-low, high) <= 3 * min(-low, high):
        half = round_up(1.1 * max(-low, high))
        return (-half, half)
    room = 0.1 * (high - low)
    step = 10.0 ** math.floor(math.log10(high - low)) / 2
    return (_exact(math.floor((low - room) / step) * step), _exact(math.ceil((high + room) / step) * step))


def outer(near: Range) -> Range:
    """Twice as high about the same middle."""
    half = (near[1] - near[0]) / 2
    return (near[0] - half, near[1] + half)


def decimals_of_slider(ends: Range) -> int:
    """Decimals of its values: two, or more where it is short."""
    return max(2, 2 - math.floor(math.log10(ends[1] - ends[0])))


def words(value: float) -> str:
    """A number as people write it, multiples of π as such."""
    turns = value / math.pi
    if value and abs(turns - round(turns)) < 1e-9:
        return "π" if round(turns) == 1 else f"{round(turns)}π"
    return f"{value:g}"


def _exact(value: float) -> float:
    return float(f"{value:.12g}")
