"""Scales of the live page: heights that hold what they should, round numbers, and links that keep points."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboard.scenes import refusal, scene_of
from dashboard.scenes.scales import heights, outer, round_up, words
from dashboard.widgets.state import Bounds, decimals, read_points, write_points
from engine.tasks import Sine

numbers = st.floats(-1e9, 1e9).map(lambda v: float(f"{v:.6g}"))


@settings(deadline=None, max_examples=50)
@given(numbers, numbers)
@example(0.0, 5e-324)
@example(1e9, 1e9 + 1e-6)
def test_heights_hold_what_they_should_and_little_more(a: float, b: float):
    low, high = min(a, b), max(a, b)
    near = heights(low, high)
    assert near[0] <= low <= high <= near[1]
    assert outer(near)[0] < near[0] < near[1] < outer(near)[1]
    if high - low > 1e-3 * max(1.0, abs(low), abs(high)):
        assert near[1] - near[0] <= 6 * (high - low)


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-6, 1e9))
def test_round_numbers_are_above_and_near(value: float):
    assert value * (1 - 1e-6) <= round_up(value) <= 1.5 * value


@settings(deadline=None, max_examples=50)
@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9), st.floats(0, 1), st.floats(0, 1))
def test_a_link_keeps_points_of_any_domain_to_a_ten_thousandth_of_it(low: float, width: float, a: float, b: float):
    width = max(width, 1e-9 * abs(low))
    bounds = Bounds((low, low + width), (-width, width))
    point = bounds.place(low + a * width, (2 * b - 1) * width)
    assert abs(point[0] - (low + a * width)) <= 1e-4 * width
    assert abs(point[1] - (2 * b - 1) * width) <= 2e-4 * width
    assert read_points(write_points((point,)), bounds) == (point,)


def test_decimals_and_words():
    assert [decimals(ends) for ends in ((-5.0, 5.0), (-12.0, 12.0), (100.0, 900.0), (0.0, 1e-3))] == [3, 3, 2, 7]
    assert [words(v) for v in (0.0, 5.0, math.pi, 2 * math.pi, 0.25)] == ["0", "5", "π", "2π", "0.25"]


@pytest.mark.parametrize("amplitude", [(0.1, 1e38), (1e38, 1e38), (-1e30, 5.0)])
def test_numbers_that_nobody_can_draw_are_one_sentence(amplitude: tuple[float, float]):
    task = Sine(amplitude=amplitude)
    assert scene_of(task) is None
    assert "some of their numbers are beyond 1e+09" in refusal(task, "sine")
