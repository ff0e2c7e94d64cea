"""Numbers in sentences: no powers of ten as computers write them, no digits that an interval does not carry."""

import re
from pathlib import Path

import pytest

from dashboard.widgets.numbers import interval, number, percent

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.012"),
        (0.3012, "0.30"),
        (0.3, "0.3"),
        (1.96, "2.0"),
        (4.0, "4"),
        (9.96, "10"),
        (136.4, "140"),
        (12_345.0, "12,000"),
        (0.000123, "0.00012"),
        (0.00009996, "0.00010"),
        (4.2e-06, "4.2 × 10⁻⁶"),
        (4e-06, "4 × 10⁻⁶"),
        (2.5e11, "2.5 × 10¹¹"),
        (-0.5678, "−0.57"),
        (0.0, "0"),
        (NAN, "unknown"),
        (float("inf"), "∞"),
    ],
)
def test_a_number_in_a_sentence(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1.008, 0.943, 1.074), "1.01 [0.94, 1.07]"),
        ((129.2, 23.3, 728.4), "130 [23, 730]"),
        ((0.01411, 0.01342, 0.01484), "0.0141 [0.0134, 0.0148]"),
        ((10.02, 4.31, 15.7), "10 [4.3, 16]"),
        ((-0.0312, -0.0624, 0.0001), "−0.031 [−0.062, 0.000]"),
        ((3.0, 0.0002, 900.0), "3 [0.0002, 900]"),  # an end that would round to 0 is a ratio's: it keeps its digits
        ((4e-07, 3.1e-07, 5.2e-07), "4 × 10⁻⁷ [3.1 × 10⁻⁷, 5.2 × 10⁻⁷]"),
        ((0.5, NAN, NAN), "0.5 [no interval]"),
    ],
)
def test_an_interval_decides_its_digits(values, text):
    assert interval(*values) == text


def test_an_end_beside_a_level_is_not_written_as_the_level():
    assert interval(0.3841, 0.1493, 0.9988, level=1.0) == "0.384 [0.149, 0.999]"
    assert interval(0.3841, 0.1493, 1.0, level=1.0) == "0.38 [0.15, 1.00]"
    assert interval(0.3841, 0.1493, 0.9988) == "0.38 [0.15, 1.00]"


def test_a_difference_has_its_sign():
    assert interval(0.0123, -0.0051, 0.0297, signed=True) == "+0.012 [−0.005, +0.030]"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.25, "25 %"),
        (0.00032, "0.032 %"),
        (0.00000001, "less than 0.01 %"),
        (0.0961, "10 %"),
        (0.996, "99.6 %"),
        (0.99999, "nearly 100 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (1.27, "127 %"),
        (NAN, "unknown"),
    ],
)
def test_a_share_is_told_from_nothing_and_from_all(share, text):
    assert percent(share) == text


SENTENCES = [
    path
    for path in (Path(__file__).resolve().parents[2] / "dashboard").rglob("*.py")
    if "figures" not in path.parts and path.name not in ("numbers.py", "state.py")
]


def test_sentences_leave_powers_of_ten_to_the_one_function():
    """Of a format such as .2g or .0e, Python writes 4e-06; such formats are for hovers, tables and addresses only."""
    computer = re.compile(r":[+,]?\.\d[ge]\}|\.\d%\}")
    aside = {"hover", "format(", "float(f", "after step {step} of"}  # hovers, tables, rounding
    found = [
        f"{path.name}:{row}: {line.strip()}"
        for path in SENTENCES
        for row, line in enumerate(path.read_text().splitlines(), 1)
        if computer.search(line) and not any(word in line for word in aside)
    ]
    assert found == []
