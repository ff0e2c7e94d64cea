"""Influence over many tasks: invariant learners do not mind the order, far and even shares from what is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import Run, Sine
from engine.runs.ensembles import Ensemble
from engine.trees import tree_map
from probes import asking
from probes.questions import shares
from probes.questions.attribution import FEW
from probes.tools.conductance import carrying
from tests.probes.questions.test_diversity import ensemble


def of(name: str, **config: object) -> shares.Shares:
    return asking.ask("shares", [ensemble(name)], {"tasks": 3, "inputs": 11, **config}).answers[0]


@pytest.mark.parametrize(
    ("name", "minds"), [("lstm", False), ("maml", False), ("op-lstm", False), ("lstm-sequential", True)]
)
def test_the_reverse_order_changes_only_what_reads_in_order(name: str, minds: bool):
    found = of(name)
    assert found.turned.shape == (2, 3)
    assert (found.turned > 1e-4).all() if minds else (found.turned < 1e-4).all()


def test_everything_is_far_beyond_no_distance_and_nothing_beyond_the_whole_range():
    near, wide = of("maml", far=1e-9), of("maml", far=10.0)
    assert near.far == pytest.approx(1.0) and near.even == pytest.approx(1.0)
    assert wide.far == pytest.approx(0.0) and wide.even == pytest.approx(0.0)


def test_units_are_counted_where_a_network_adapts():
    assert of("maml").carrying.shape == (2, 2, 3)
    assert (of("maml").carrying >= 1).all()
    assert of("lstm").carrying.size == 0


def test_the_control_is_the_same_learner_before_any_training():
    drawn = ensemble("maml")
    moved = [replace(run, params=tree_map(lambda value: 1.5 * value, run.params)) for run in drawn.runs]
    found, control = (
        asking.ask("shares", [one], {"tasks": 3, "inputs": 11}).answers[0] for one in (Ensemble(tuple(moved)), drawn)
    )
    assert (found.drawn == control.far).all() and (found.drawn == control.drawn).all()
    assert found.far != pytest.approx(found.drawn, abs=1e-3)


def test_many_points_are_refused_with_a_reason():
    made = ensemble("maml")
    many = [Run(run.path, run.learner, Sine(shots=FEW + 1), run.params, run.record) for run in made.runs]
    assert f"at most {FEW} points" in str(shares.PROBE.applies(Ensemble(tuple(many))))
    assert shares.PROBE.applies(made) is None


def test_a_single_unit_and_equal_units():
    assert carrying(np.array([[0.0, -3.0], [1.0, 1.0]])) == pytest.approx([1.0, 2.0])
