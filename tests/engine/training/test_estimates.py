"""What a training will take, told before it begins: by trying it, with a clock of the test's own."""

from __future__ import annotations

import itertools
import sys
from types import SimpleNamespace

import pytest

from engine.errors import BadInput
from engine.learners import make
from engine.networks import MLP
from engine.runs.budget import Training
from engine.tasks import Sine
from engine.training import estimates
from engine.training.trainer import Trainer

TINY, WAVES = make("maml", network=MLP((5,)), steps=1), Sine(shots=4, queries=4)


def test_trying_counts_the_memory_of_a_process_of_its_own():
    found = estimates.tried(TINY, WAVES, Training(iterations=50), (0,))
    assert found["seconds"] == pytest.approx(50 * found["update_s"])
    assert 5e7 < found["memory"] < 5e9
    with pytest.raises(BadInput, match="Trying it failed"):
        estimates.tried(make("protonet"), Sine(), Training(), (0,))


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """After how many plain updates traces were asked for; every look at the clock finds it a second later."""
    seconds, asked, record = itertools.count(), [], Trainer.record
    monkeypatch.setattr(estimates, "time", SimpleNamespace(perf_counter=lambda: float(next(seconds))))

    def noted(self: Trainer, after: int = 0) -> None:
        asked.append(after)
        record(self, after)

    monkeypatch.setattr(Trainer, "record", noted)
    return asked


def test_a_short_training_is_tried_as_it_will_run(recorded: list[int]):
    """Three looks at the clock for two updates: 1.5 seconds each."""
    found = estimates.trial(TINY, WAVES, Training(iterations=50), (0,))
    assert (found["update_s"], found["seconds"]) == (1.5, 75.0)
    assert recorded == [sys.maxsize]


def test_of_a_long_one_the_recorded_updates_are_tried_too(recorded: list[int], monkeypatch: pytest.MonkeyPatch):
    """With the plain updates before them, and the second that recording took; but for those that take too long."""
    training = Training(iterations=1000)
    assert estimates.trial(TINY, WAVES, training, (0,))["seconds"] == 1500.0
    assert recorded == [sys.maxsize], "225 seconds are longer than anybody waits"
    monkeypatch.setattr(estimates, "PATIENCE_S", 226.0)
    found = estimates.trial(TINY, WAVES, training, (0,))
    plain = Trainer(TINY, WAVES, training, (0,)).plain_updates
    assert 0 < plain < 1000
    assert found["seconds"] == 1.5 * plain + 1.0 + 1500.0
    assert recorded == [sys.maxsize, sys.maxsize, 0]
