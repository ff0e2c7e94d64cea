"""Readings of rules that were written down by hand: what is fitted, what is drawn, and what runs in their place."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.learners import MAML, OPLSTM, Learner
from engine.learners.meta_lstm import EnhancedMetaLSTM, MetaLSTM, preprocess
from engine.learners.turtle import Turtle
from engine.tasks import Sine, stream
from probes import asking
from probes.questions import rule
from probes.tools import rule_readings, rule_surfaces, scoring
from probes.tools.rule_readings import BODY, DICTIONARY, FORGET_GATE, GRADIENT, INPUT_GATE, LINEAR, MOVE, OUTPUT
from probes.tools.weights import in_type_of
from tests.engine.conftest import double
from tests.engine.learners.test_op_lstm import backpropagation, memoryless
from tests.probes.questions.test_updates import alone

EPSILON = 1e-3


def asked(learner: Learner, params: dict) -> rule.OfLearner:
    values = {"fitted_on": 8, "tasks": 10, "grid": 9}
    return asking.ask("rule", [alone(learner, params)], values).answers[0]


def reading(found: rule.OfLearner, part: str, name: str) -> rule.Read:
    (one,) = [read for read in found.reads if (read.part, read.reading) == (part, name)]
    return one


def losses(found: rule.OfLearner, name: str, parts: str = rule.ALL_PARTS) -> np.ndarray:
    (one,) = [run for run in found.in_place if (run.reading, run.parts) == (name, parts)]
    return one.losses


def of_maml(learner: MAML, params: dict, tasks: int = 10) -> np.ndarray:
    """Losses of an independent learner on the tasks that readings are run on."""
    made = alone(learner, params)
    held_out = in_type_of(params, made.distribution.sample(stream("test"), tasks))
    return scoring.query_losses(made, held_out, [learner.evaluation_steps])[..., 0]


@pytest.fixture(scope="module")
def backpropagating() -> rule.OfLearner:
    """S1 and S2, without gamma."""
    return asked(*backpropagation(EPSILON, normalise=False, steps=3))


@pytest.mark.parametrize("name", [GRADIENT, LINEAR])
def test_the_cell_of_backpropagation_is_read_as_epsilon_times_the_error(backpropagating, name):
    read = reading(backpropagating, OUTPUT, name)
    expected = {GRADIENT: {"y − ŷ": EPSILON}, LINEAR: {"1": 0.0, "y": EPSILON, "ŷ": -EPSILON}}[name]
    assert read.terms == list(expected)
    np.testing.assert_allclose(read.coefficients[0], [list(expected.values())] * 3, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(read.share, 1, rtol=0, atol=1e-8)


def test_its_body_is_read_as_the_message_through_active_units(backpropagating):
    read = reading(backpropagating, BODY, GRADIENT)
    np.testing.assert_allclose(read.coefficients, 1, rtol=1e-4)
    np.testing.assert_allclose(read.share, 1, rtol=0, atol=1e-6)
    assert (reading(backpropagating, BODY, LINEAR).share < 0.99).all(), "no line is a gate"


@pytest.mark.parametrize("parts", [rule.ALL_PARTS, OUTPUT, BODY])
def test_the_reading_does_what_it_did(backpropagating, parts):
    own, before = losses(backpropagating, rule.OWN), losses(backpropagating, rule.BEFORE)
    np.testing.assert_allclose(losses(backpropagating, GRADIENT, parts), own, rtol=1e-6)
    assert not np.allclose(own, before, rtol=1e-6)


def test_controls_of_the_memoryless_cell(backpropagating):
    """It has no memory to lose; with a silent output cell, no message and no update is left."""
    np.testing.assert_array_equal(losses(backpropagating, rule.FORGETFUL), losses(backpropagating, rule.OWN))
    np.testing.assert_array_equal(losses(backpropagating, rule.SILENT, OUTPUT), losses(backpropagating, rule.BEFORE))
    body = losses(backpropagating, rule.SILENT, BODY)
    assert not np.allclose(body, losses(backpropagating, rule.OWN), rtol=1e-6)
    assert not np.allclose(body, losses(backpropagating, rule.BEFORE), rtol=1e-6)


def test_its_picture_is_additive_odd_and_monotone(backpropagating):
    surface = {one.part: one for one in backpropagating.picture.surfaces}[OUTPUT]
    error = surface.first[:, None] - surface.second
    np.testing.assert_allclose(surface.fresh[0], EPSILON * error, rtol=1e-3, atol=1e-12)
    np.testing.assert_allclose(surface.carried[0], [surface.fresh[0]] * 3, rtol=0, atol=1e-15)
    for deviation in surface.deviations.values():
        np.testing.assert_allclose(deviation, 0, rtol=0, atol=1e-6)
    body = {one.part: one for one in backpropagating.picture.surfaces}[BODY]
    np.testing.assert_allclose(body.deviations["odd"], 0, rtol=0, atol=1e-8)
    np.testing.assert_allclose(body.deviations["monotone"], 0, rtol=0, atol=1e-12)


def test_a_negative_gamma_and_cells_that_say_the_opposite_are_the_same_rule():
    """What is written is gamma h: both signs turned, nothing is."""
    learner, params = backpropagation(-EPSILON, steps=2)
    params["step_length"] = {"gamma": torch.tensor(-0.025, dtype=torch.float64)}
    found = asked(learner, params)
    np.testing.assert_allclose(reading(found, OUTPUT, GRADIENT).coefficients, EPSILON, rtol=1e-4)
    np.testing.assert_allclose(reading(found, BODY, GRADIENT).coefficients, 1, rtol=1e-4)
    np.testing.assert_allclose(losses(found, GRADIENT), losses(found, rule.OWN), rtol=1e-6)
    surface = found.picture.surfaces[0]
    error = surface.first[:, None] - surface.second
    np.testing.assert_allclose(surface.fresh[0], EPSILON * error, rtol=1e-3, atol=1e-12)


def test_a_cell_that_reads_labels_only_is_told_from_one_that_reads_errors():
    """S4's cell, small: the linear reading gives the prediction no weight, and no error explains it all."""
    learner, params = backpropagation(EPSILON, normalise=False, steps=1)
    params["output_lstm"] = memoryless((EPSILON, 0.0))
    found = asked(learner, params)
    np.testing.assert_allclose(reading(found, OUTPUT, LINEAR).coefficients[0, 0], [0, EPSILON, 0], rtol=1e-4, atol=1e-8)
    assert (reading(found, OUTPUT, GRADIENT).share < 0.999).all()


def test_a_memory_shows_as_a_difference_between_fresh_and_carried_states():
    learner = OPLSTM(steps=3)
    found = asked(learner, double(learner.init(stream("init", 2), Sine.spec)))
    for surface in found.picture.surfaces:
        np.testing.assert_allclose(surface.carried[:, 0], surface.fresh, rtol=1e-12)  # the first pass carries nothing
        assert np.abs(surface.carried[:, 1] - surface.fresh).max() > 1e-3
    assert not np.allclose(losses(found, rule.FORGETFUL), losses(found, rule.OWN), rtol=1e-9)


def test_the_turtle_that_is_maml_is_read_as_maml():
    alpha = 0.05
    learner = Turtle(hidden=(), use_history=False, param_lr=False, inner_clip=None, steps=5)
    params = double(learner.init(stream("init", 4), Sine.spec))
    params["optimiser"]["weight1"].fill_(-alpha)
    found = asked(learner, params)
    assert reading(found, MOVE, GRADIENT).terms == ["g"]
    np.testing.assert_allclose(reading(found, MOVE, GRADIENT).coefficients, -alpha, rtol=1e-10)
    expected = of_maml(MAML(inner_lr=alpha, test_steps=5), {"net": params["net"]})
    for name in (GRADIENT, LINEAR, DICTIONARY):
        np.testing.assert_allclose(losses(found, name), expected, rtol=1e-8)
        assert reading(found, MOVE, name).share[0, 0] == pytest.approx(1, abs=1e-9)
    picture = found.picture
    np.testing.assert_allclose(picture.first[0], -alpha * picture.gradients, rtol=1e-10, atol=1e-15)
    for value, wanted in ((picture.slope, -alpha), (picture.saturation, 0), (picture.asymmetry, 0), (picture.drift, 0)):
        np.testing.assert_allclose(value, wanted, rtol=1e-8, atol=1e-9)


def test_history_and_learning_rates_are_read_too():
    learner = Turtle(hidden=(), inner_clip=None, steps=3)
    params = double(learner.init(stream("init", 4), Sine.spec))
    params["optimiser"] = {"weight1": torch.tensor([[-0.05, 0.03]], dtype=torch.float64)}
    params["optimiser"]["bias1"] = torch.tensor([0.002], dtype=torch.float64)
    found = asked(learner, params)
    np.testing.assert_allclose(reading(found, MOVE, LINEAR).coefficients[0, 0], [0.002, -0.05, 0.03], rtol=1e-7)
    np.testing.assert_allclose(losses(found, LINEAR), losses(found, rule.OWN), rtol=1e-8)
    np.testing.assert_allclose(found.picture.drift, 0.002, rtol=1e-9)
    assert list(found.picture.rates) == ["weight1", "bias1", "weight2", "bias2", "weight3", "bias3"]


@pytest.mark.parametrize("cls", [MetaLSTM, EnhancedMetaLSTM])
def test_gates_that_never_move_are_read_as_a_learning_rate(cls):
    alpha = 0.02
    learner = cls(steps=4)
    params = double(learner.init(stream("init", 4), Sine.spec))
    wide = {key: torch.zeros_like(value) for key, value in params["gates"].items()}
    params["gates"] = {**wide, "b_I": wide["b_I"] + math.log(alpha / (1 - alpha)), "b_F": wide["b_F"] + 60}
    found = asked(learner, params)
    np.testing.assert_allclose(reading(found, INPUT_GATE, GRADIENT).coefficients, alpha, rtol=1e-9)
    np.testing.assert_allclose(reading(found, FORGET_GATE, GRADIENT).coefficients, 1, rtol=1e-12)
    expected = of_maml(MAML(inner_lr=alpha, test_steps=4), {"net": params["net"]})
    np.testing.assert_allclose(losses(found, GRADIENT), expected, rtol=1e-8)
    seen = found.picture.gates["i"]
    np.testing.assert_allclose(seen[np.isfinite(seen)], alpha, rtol=1e-9)


def test_the_gradient_comes_back_from_what_the_preprocessing_tells():
    g = torch.tensor([0.0, 1e-7, -1e-6, -3e-5, 1e-3, -0.2, 7.0], dtype=torch.float64)
    seen = torch.cat([preprocess(g), torch.ones(7, 1).double()], -1)
    torch.testing.assert_close(rule_readings.gradient_of(seen), g, rtol=1e-12, atol=0)


def test_deviations_tell_what_they_say():
    u = np.linspace(-1, 1, 21)
    product = u[:, None] * u
    found = rule_surfaces.deviations(product, OUTPUT)
    assert found["additive"] == pytest.approx(1)
    assert found["odd"] == pytest.approx(1)
    assert found["monotone"] == pytest.approx(0.5)
    falling = rule_surfaces.deviations(-np.ones(21)[:, None] * u, BODY)
    assert falling["odd"] == pytest.approx(0)
    assert falling["monotone"] == pytest.approx(1)


def test_it_says_whom_it_does_not_apply_to():
    learner = MAML()
    said = rule.PROBE.applies(alone(learner, double(learner.init(stream("init"), Sine.spec))))
    assert said == "MAML has no learned update rule to look at."
