"""Predictions beside known algorithms and in other orders of the support; what hidden states hold; small pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from engine.learners import LEARNERS
from engine.learners.lstm import PooledLSTM
from engine.learners.lstm_sequential import SequentialLSTM
from engine.learners.maml import MAML
from engine.runs.ensembles import Ensemble
from engine.tasks import Polynomials, Sine, SineFamilies, stream
from engine.trees import tree_map
from probes import asking
from probes.questions import blackbox, memory
from probes.tools import algorithms, passes
from probes.tools.algorithms import KERNEL, NEAREST, SINES
from tests.engine.conftest import REGRESSORS, double, short
from tests.engine.learners.test_op_lstm import backpropagation
from tests.probes.questions.test_diversity import ensemble
from tests.probes.questions.test_updates import alone

FEW = {"tasks": 6, "shots": (1, 4), "points": 9, "steps": (3,), "ordered": 2, "orders": 5}


def made(learner) -> Ensemble:
    """One float64 run of a learner as drawn."""
    return alone(learner, double(learner.init(stream("init", 3), Sine.spec)), Sine(shots=6))


def asked(learner, **config) -> blackbox.Boxes:
    return asking.ask("blackbox", [made(learner)], {**FEW, **config})


@pytest.mark.parametrize("name", REGRESSORS)
def test_only_learners_that_read_in_order_mind_the_order(name: str):
    """100 orders: nothing beyond rounding for those that say so, and something for the sequential LSTM."""
    learner = short(name)
    spread = asked(learner, orders=100, shots=(4,)).boxes[0].order.spread
    if LEARNERS[name].permutation_invariant:
        assert spread.max() < 1e-6
    else:
        assert spread.min() > 1e-4


@pytest.mark.parametrize(
    ("task", "waves"),
    [
        (Sine(noise=0.3, inputs=(0.0, 9.0)), True),
        (SineFamilies(varied=("amplitude", "phase")), True),
        (Sine(frequency=(2.0, 2.0)), False),
        (SineFamilies(varied=("amplitude", "offset")), False),
        (Polynomials(), False),
    ],
)
def test_who_knows_the_family_is_asked_where_it_is_of_waves_alone(task, waves: bool):
    """Where it is, two noise-free points are enough for it; elsewhere, its name would promise what it cannot keep."""
    found = {one.name: one.error[0] for one in algorithms.algorithms(task, 5, 9, (2,), ())}
    assert (SINES in found) == waves
    assert KERNEL in found
    assert not waves or task == Sine(noise=0.3, inputs=(0.0, 9.0)) or found[SINES] < 1e-2 * found[KERNEL]


def test_the_first_order_is_that_of_the_task():
    learner = SequentialLSTM()
    order = asked(learner).boxes[0].order
    one = made(learner)
    state = learner.adapt(one.runs[0].params, *(torch.from_numpy(order.support[:, i : i + 1]) for i in (0, 1)))[-1]
    grid = torch.linspace(-5, 5, 9).double().unsqueeze(-1)
    said = learner.predict(one.runs[0].params, state, grid)[:, 0].detach().numpy()
    np.testing.assert_allclose(order.said[0], said, rtol=1e-12)


def test_gradient_descent_from_the_same_network_is_found_at_distance_0():
    """The reference is MAML's own start, as drawn for seed 0: its learner does exactly the same."""
    learner = MAML(inner_lr=algorithms.RATE, test_steps=3)
    box = alone(learner, learner.init(stream("init"), Sine.spec), Sine(shots=6))
    found = asking.ask("blackbox", [box], FEW).boxes[0]
    np.testing.assert_allclose(found.distance["3 steps"], 0, atol=1e-10)
    np.testing.assert_allclose(found.mistakes["3 steps"], 1, atol=1e-6)
    assert found.distance[KERNEL].min() > 1e-3
    assert np.abs(found.mistakes[SINES]).max() < 0.999


def test_algorithms_say_what_they_should():
    found = {one.name: one for one in asked(MAML(test_steps=1), shots=(2, 8)).algorithms}
    assert found[SINES].error[1] < 1e-6, "two coefficients, eight points without noise"
    tasks, grid, truth = algorithms.drawn(Sine(), 8, 6, 9)
    x, y, at = tasks.support_x[0].double().numpy(), tasks.support_y[0].double().numpy()[:, 0], grid.double().numpy()
    nearest = y[np.abs(at - x[:, 0]).argmin(1)]
    np.testing.assert_allclose(found[NEAREST].said[1, 0], nearest, rtol=1e-12)
    ridge = algorithms.fitted(algorithms.LINES, (1.0,), tasks, 8, at)[0]
    np.testing.assert_allclose(ridge, Ridge(1.0).fit(x, y).predict(at), rtol=1e-12)
    assert truth.shape == (6, 9)


def test_distances_and_mistakes_by_hand():
    truth = np.zeros((2, 3))
    a, b = np.ones((2, 3)), np.array([[1.0, 1, 1], [-1, -1, -1]])
    assert blackbox.distance(a, b) == pytest.approx(2.0)
    assert blackbox.mistakes(a, b, truth) == pytest.approx(0.0)
    assert blackbox.mistakes(a, -2 * a, truth) == pytest.approx(-1.0)
    assert blackbox.mistakes(np.where(b > 0, b, np.nan), a, truth) == pytest.approx(1.0)  # what ran away is left out


def test_an_adaptation_that_ran_away_is_left_out():
    learner = MAML(inner_lr=50.0, test_steps=8)
    box = asked(learner).boxes[0]
    assert np.isnan(box.said).any()


# ---- hidden states -----------------------------------------------------------------------------------


@pytest.mark.parametrize("learner", [PooledLSTM(), SequentialLSTM()])
def test_reading_ends_where_adapting_does(learner):
    one = made(learner)
    tasks = double(one.distribution.sample(stream("test"), 3))
    along = memory.while_reading(learner, one.params, tasks)
    assert along.shape[2] == len(memory.reading_places(learner, 6))
    np.testing.assert_allclose(along[:, :, -1], memory.after(learner, one.params, tasks, 6), rtol=1e-12)


def test_a_state_that_holds_the_parameters_is_decoded(monkeypatch):
    """Codes that are linear in the parameters give R^2 = 1; noise gives about 0."""
    one = ensemble("lstm", seeds=1)
    hidden = memory.tasks_of(one.distribution, 60)[1]
    targets = np.stack([hidden["amplitude"], hidden["phase"]], 1)
    noise = np.random.default_rng(0).normal(size=(1, 60, 4))

    def codes(learner, params, tasks, k):
        return noise if k == 1 else np.concatenate([noise, targets[None] @ np.array([[1.0, 2], [3, -1]])], -1)

    monkeypatch.setattr(memory, "after", codes)
    found = asking.ask("memory", [one], {"tasks": 60}).answers[0]
    assert found.by_examples[0, 0].max() < 0.2
    np.testing.assert_allclose(found.by_examples[0, 1:], 1, atol=1e-3)
    assert found.read.tolist() == [3, 6, 9, 12]


def test_trained_states_differ_from_the_control():
    one = ensemble("lstm-sequential", seeds=1)
    moved = tree_map(lambda leaf: 2 * leaf, one.runs[0].params)
    other = Ensemble((replace(one.runs[0], params=moved),))
    found = asking.ask("memory", [other], {"tasks": 40, "stops": 3}).answers[0]
    assert not np.allclose(found.by_examples, found.control)
    assert found.read[-1] == 12


# ---- small pictures ----------------------------------------------------------------------------------


def test_the_memoryless_cell_has_open_and_shut_gates():
    learner, params = backpropagation(1e-3, steps=2)
    task = tree_map(lambda leaf: leaf[0], double(Sine(shots=5).sample(stream("page", 1), 1)))
    found = passes.passes(alone(learner, params).runs[0], task)
    panels = {panel.title: panel.values for panel in found.panels}
    np.testing.assert_allclose(panels["forget gate"], 0, atol=1e-12)
    np.testing.assert_allclose(panels["input gate"], 1, atol=1e-12)
    np.testing.assert_allclose(panels["written signal h"], 1e-3 * panels["error y − ŷ before the pass"], rtol=1e-3)
    assert found.column_names == ["1", "2"]
    assert len(found.row_names) == 5


@pytest.mark.parametrize(("learner", "columns"), [(PooledLSTM(), 4), (SequentialLSTM(), 20)])
def test_pictures_of_plain_lstms_end_with_the_state_that_a_query_reads(learner, columns):
    one = made(learner).runs[0]
    task = tree_map(lambda leaf: leaf[0], double(Sine(shots=5).sample(stream("page", 1), 1)))
    found = passes.passes(one, task)
    assert found.panels[0].values.shape == (40, columns)
    final = learner.adapt(one.params, task.support_x, task.support_y)[-1]
    for panel, key in zip(found.panels, ("h1", "h2"), strict=True):
        np.testing.assert_allclose(panel.values[:, -1], np.sort(final[key][0].numpy()), rtol=1e-12)


def test_they_say_whom_they_do_not_apply_to():
    task = tree_map(lambda leaf: leaf[0], Sine(shots=5).sample(stream("page", 1), 1))
    assert passes.passes(made(MAML()).runs[0], task) is None
    assert "hidden state" in (memory.PROBE.applies(made(MAML())) or "")
