"""How numbers are written in sentences, in every claim and on every page: one rule for each kind of number."""

import math

SMALL, LARGE = 1e-4, 1e6  # outside, powers of ten
MOST_DECIMALS = 6
APART = 30  # of ends: so many times each other
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 2) -> str:
    """A loss, a ratio or a size with two significant digits: 0.012, 1.3, 140, 4.2 × 10⁻⁶.

    Zeros at the end stand for digits that are known (0.30); a value that has no more digits is written without (4).
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "∞" if value > 0 else "−∞"
    rounded = float(f"{value:.{digits - 1}e}")
    if not rounded:
        return "0"
    exponent = math.floor(math.log10(abs(rounded)) + 1e-12)
    if SMALL <= abs(rounded) < LARGE:
        return _signed(rounded, max(0, digits - 1 - exponent), exact=math.isclose(value, rounded, rel_tol=1e-6))
    mantissa = _signed(rounded / 10.0**exponent, digits - 1, exact=True)
    return f"{mantissa} × 10{str(exponent).translate(RAISED)}"


def interval(mean: float, low: float, high: float, *, signed: bool = False, level: float | None = None) -> str:
    """A mean with its interval, to the digits that the interval is wide: 1.01 [0.94, 1.07], 0.0141 [0.0134, 0.0148].

    Where ends above 0 are far apart, as of a ratio, each has two digits of its own: 130 [23, 730]. `signed`:
    with a plus before what is above 0, as of a difference. `level`: what an end is compared with, so that it is not
    rounded to it.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{number(mean)} [no interval]"
    decimals = 1 - math.floor(math.log10(high - low)) if high > low else 0
    while (
        level is not None
        and decimals < MOST_DECIMALS
        and any(value != level and round(value, max(decimals, 0)) == level for value in (low, high))
    ):
        decimals += 1
    lost = any(value and abs(value) < 0.5 / 10 ** max(decimals, 0) for value in (mean, low, high))
    lost = lost and (low > 0 or high < 0)  # an end must not become 0
    apart = low > 0 and (high > APART * low or low < 10.0 ** (1 - max(decimals, 0)))  # low would have one digit
    if high == low or decimals > MOST_DECIMALS or lost or apart:
        digits = 2
        while (
            level is not None
            and digits < MOST_DECIMALS
            and any(value != level and float(f"{value:.{digits - 1}e}") == level for value in (low, high))
        ):
            digits += 1
        written = [number(value, digits) for value in (mean, low, high)]
    else:
        written = [_signed(value, max(decimals, 0)) for value in (mean, low, high)]
    if signed:
        written = [text if text[0] == "−" or not text.strip("0.") else f"+{text}" for text in written]
    return f"{written[0]} [{written[1]}, {written[2]}]"


def percent(share: float) -> str:
    """A share in per cent, with the digits that tell it from 0 and from 1: 25 %, 0.032 %, 99.6 %, less than 0.01 %."""
    value = 100 * share
    if math.isnan(value):
        return "unknown"
    if 0 < value < 0.01:
        return "less than 0.01 %"
    if 99 < value < 100:
        return f"{value:.1f} %" if value < 99.95 else "nearly 100 %" if value < 99.9999 else "100 %"
    return f"{_signed(value, 0)} %" if value >= 9.5 or value <= 0 else f"{number(value)} %"


def _signed(value: float, decimals: int, *, exact: bool = False) -> str:
    """Fixed decimals with a minus sign; `exact`: zeros behind the point say nothing more."""
    text = f"{value:,.{decimals}f}"
    if exact and "." in text:
        text = text.rstrip("0").rstrip(".")
    if not text.strip("-0.,"):
        return text.removeprefix("-")
    return text.replace("-", "−")
