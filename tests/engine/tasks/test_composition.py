"""Sums of two sine waves: the stated ranges, and labels that are the stated function."""

import math

import numpy as np
import pytest

from engine.tasks import SineComposition, stream
from engine.tasks.sine import Wave


def waves_of(hidden: dict) -> list[Wave]:
    """Both waves of a batch."""
    return [Wave(*(hidden[f"{name}{number}"] for name in Wave._fields)) for number in (1, 2)]


def test_ranges_and_shapes():
    task, hidden, _ = SineComposition(shots=7).draw(stream("test"), 4000)
    assert (task.support_x.shape, task.query_y.shape) == ((4000, 7, 1), (4000, 50, 1))
    for wave in waves_of(hidden):
        for values, (low, high) in zip(wave, ((0.1, 5.0), (0, math.pi), (0.0, 2.5)), strict=True):
            margin = 0.02 * (high - low)
            assert low <= float(values.min()) < low + margin
            assert high - margin < float(values.max()) <= high
            assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    for x in (task.support_x, task.query_x):
        assert (float(x.min()), float(x.max())) == pytest.approx((-5, 5), abs=0.01)


def test_labels_are_the_sum_of_both_waves():
    shifted = SineComposition(shots=5, frequency=(2, 3), inputs=(1, 2))
    task, hidden, _ = shifted.draw(stream("test"), 10)
    for x, y in ((task.support_x, task.support_y), (task.query_x, task.query_y)):
        expected = np.zeros(x.shape)
        for wave in waves_of(hidden):
            a, p, w = (v.double().numpy()[:, None, None] for v in wave)
            expected += a * np.sin(w * x.double().numpy() + p)
        np.testing.assert_allclose(y.numpy(), expected, atol=1e-5)
        assert 1 <= float(x.min()) and float(x.max()) <= 2


def test_the_two_waves_are_independent():
    one, two = waves_of(SineComposition().draw(stream("test"), 4000).hidden)
    for a, b in zip(one, two, strict=True):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.06
