"""The flow of the toy against its closed form and its stored ends."""

from __future__ import annotations

import numpy as np
import pytest

from engine.studies.toy import LEARNERS, Toy
from probes.tools.flow import flow

STARTS = np.linspace(-200, 200, 21)


@pytest.mark.parametrize("toy", [Toy(), Toy(steps=2, inner_lr=0.2, outer_lr=0.05)])
def test_every_start_flows_to_the_closed_form(toy: Toy):
    found = flow(toy, STARTS)
    assert found.settled
    for learner in LEARNERS:
        assert found.paths[learner][-1] == pytest.approx(np.full(21, toy.fixed_point(learner)), abs=1e-6)
        assert found.fixed[learner] == toy.fixed_point(learner)
        assert found.ends(learner) == [(pytest.approx(toy.fixed_point(learner), abs=0.005), 1.0)]


def test_a_path_is_the_rule_step_by_step():
    toy = Toy(plateau=True)
    found = flow(toy, STARTS, pairs=3)
    x = STARTS
    for pair in range(1, 4):
        w = toy.weights("reptile")
        x = toy.outer_step(2, toy.outer_step(1, x, w), w)
        assert found.paths["reptile"][found.visits.tolist().index(pair)] == pytest.approx(x, abs=1e-12)
    assert not found.settled
    assert np.array_equal(found.paths["fomaml"][0], STARTS)


def test_on_the_plateau_a_learner_may_end_in_two_places_and_no_formula_says_where():
    found = flow(Toy(plateau=True), np.linspace(-200, 200, 100))
    (low, share), (high, rest) = found.ends("fomaml")
    assert (low, high) == (13.67, 57.12)
    assert (share, rest) == (0.62, 0.38)
    assert set(found.fixed.values()) == {None}


def test_a_slow_learner_is_said_not_to_have_arrived():
    assert not flow(Toy(steps=25), STARTS, pairs=500).settled
