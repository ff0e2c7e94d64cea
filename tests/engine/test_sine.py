"""The sine tasks: the stated ranges, noise on the support only, streams that never meet."""

import math

import numpy as np
import pytest
import torch

from engine.tasks import Sine, stream
from engine.tasks.sine import Wave
from engine.tasks.task import STREAMS


def test_ranges_and_shapes():
    task, hidden, _ = Sine(shots=7).draw(stream("test"), 4000)
    wave = Wave(**hidden)
    assert task.support_x.shape == (4000, 7, 1)
    assert task.query_y.shape == (4000, 50, 1)
    for values, (low, high) in ((wave.amplitude, (0.1, 5.0)), (wave.phase, (0, math.pi)), (task.query_x, (-5, 5))):
        assert low <= float(values.min()) < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < float(values.max()) <= high
        assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    assert float(wave.frequency.min()) == float(wave.frequency.max()) == 1.0


def test_labels_are_the_stated_function():
    shifted = Sine(shots=5, amplitude=(7, 9), frequency=(2, 3), phase=(4, 5), inputs=(10, 12))
    task, hidden, _ = shifted.draw(stream("test"), 10)
    wave = Wave(**hidden)
    a, phase, f = (v.double().numpy()[:, None, None] for v in wave)
    for x, y in ((task.support_x, task.support_y), (task.query_x, task.query_y)):
        np.testing.assert_allclose(y.numpy(), a * np.sin(f * x.double().numpy() + phase), atol=1e-4)
        assert 10 <= float(x.min()) and float(x.max()) <= 12


def test_noise_is_on_the_support_labels_only():
    clean, noisy = (Sine(shots=200, noise=noise).sample(stream("test"), 50) for noise in (0.0, 0.5))
    torch.testing.assert_close(clean.query_y, noisy.query_y, rtol=0, atol=0)
    assert float((noisy.support_y - clean.support_y).std()) == pytest.approx(0.5, rel=0.03)


def test_streams_are_reproducible_and_disjoint():
    draws = {}
    for purpose in STREAMS:
        for seed in (0, 1):
            for index in (0, 1):
                key = (purpose, seed, index)
                draws[key] = tuple(torch.rand(4, generator=stream(*key)).tolist())
                assert draws[key] == tuple(torch.rand(4, generator=stream(*key)).tolist())
    assert len(set(draws.values())) == len(draws)


def test_sampling_leaves_the_global_state_alone():
    before = torch.get_rng_state()
    Sine().sample(stream("train"), 10)
    assert torch.equal(before, torch.get_rng_state())


def test_shots_do_not_leak_between_support_and_query():
    task = Sine(shots=10).sample(stream("test"), 100)
    shared = (task.support_x[:, :, None, 0] == task.query_x[:, None, :, 0]).any()
    assert not bool(shared)
