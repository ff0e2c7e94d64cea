"""Runs predict what they predicted before the house was rebuilt, after every inner step."""

from __future__ import annotations

import pytest

from tests.unmoved import distance, learner_of, machine, names, predictions, stored

THEN, WHERE = stored()
FAR = 1e-6 if machine() == WHERE else 1e-4  # processors round sums in different orders


def test_every_stored_run_is_still_there():
    assert set(THEN) <= set(names())


@pytest.mark.parametrize("learner", sorted(set(map(learner_of, THEN))))
def test_predictions_after_every_step_are_the_stored_ones(learner: str):
    far = {name: distance(predictions(name), then) for name, then in THEN.items() if learner_of(name) == learner}
    assert {name: value for name, value in far.items() if value > FAR} == {}
