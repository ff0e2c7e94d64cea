"""Directions of updates for learners whose rule is known (S1, S2, S4 of the notes on arXiv 2310.14139)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Run
from engine.learners import MAML, OPLSTM, Learner, PooledLSTM
from engine.networks import MLP, Acting
from engine.runs.ensembles import Ensemble
from engine.runs.run import KEPT
from engine.tasks import GaussianClasses, Sine, TaskDistribution, stream
from engine.trees import named_leaves, tree_map
from probes import asking
from probes.questions import updates
from probes.questions.updates import GRADIENT, LEAST_SQUARES, PROTOTYPES
from tests.engine.conftest import double
from tests.engine.learners.test_op_lstm import backpropagation, memoryless
from tests.engine.learners.test_op_lstm_head import head
from tests.probes.questions.test_diversity import ensemble


def alone(learner: Learner, params: dict, distribution: TaskDistribution | None = None) -> Ensemble:
    """One run with the given meta-parameters."""
    return Ensemble((Run(Path(learner.name), learner, distribution or Sine(shots=7), params, {"seed": 0}),))


def asked(learner: Learner, params: dict, distribution: TaskDistribution | None = None, **config) -> updates.ByLearner:
    settings = {"tasks": 4, "tasks_along": 0, **config}
    return asking.ask("updates", [alone(learner, params, distribution)], settings).answers[0]


@pytest.mark.parametrize("gamma", [0.025, -0.025])
def test_the_memoryless_cell_of_backpropagation_points_down_the_gradient(gamma: float):
    """S1 and S2: cosine 1 in every layer, pass by pass, whatever the sign that gamma and the cell agree on."""
    learner, params = backpropagation(1e-3 if gamma > 0 else -1e-3, steps=3)
    params["step_length"] = {"gamma": torch.tensor(gamma, dtype=torch.float64)}
    if gamma < 0:  # messages carry the sign of h on: the body must not turn it again
        assert float(params["output_lstm"]["weight_ih1"][2, 0]) < 0
    found = asked(learner, params)
    assert found.parts == ["all layers", "layer 1", "layer 2", "output layer"]
    assert found.moved == ["weight1", "weight2", "weight3"]
    np.testing.assert_allclose(found.trained.passes[GRADIENT].cosine, 1, rtol=0, atol=1e-6)
    assert found.gamma == pytest.approx([gamma])


def test_without_gamma_the_displacement_is_that_of_gradient_descent_at_its_rate():
    """h = epsilon (y - y_hat) is a rate of epsilon / 2 on the mean squared error; distances are relative to that."""
    learner, params = backpropagation(1e-3, normalise=False, steps=3)
    found = asked(learner, params, rate=0.5e-3)
    whole = found.trained.whole[GRADIENT]
    np.testing.assert_allclose(whole.cosine, 1, rtol=0, atol=1e-6)
    other = asked(learner, params, rate=1e-3).trained.whole[GRADIENT]
    assert np.all(whole.distance < 1e-3 * other.distance)


def test_a_cell_that_reads_the_label_alone_writes_the_prototypes():
    """S4: from H_0 = 0 the update, the displacement and the head itself have the direction of the class means."""
    ways, distribution = 5, GaussianClasses(ways=5, shots=4, dimensions=16)
    learner, params = head(16, ways, memoryless((1.0, 0.0)))
    found = asked(learner, params, distribution).trained
    np.testing.assert_allclose(found.passes[PROTOTYPES].cosine, 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.whole[PROTOTYPES].cosine, 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.head[PROTOTYPES].cosine[..., 1:], 1, rtol=0, atol=1e-12)
    assert np.isnan(found.head[PROTOTYPES].cosine[..., 0]).all(), "a head of zeros has no direction"


def test_the_error_driven_cell_leaves_the_prototypes_where_the_labels_are_predicted():
    learner, params = backpropagation(1e-3, steps=1)
    found = asked(learner, params).trained
    assert np.abs(found.passes[PROTOTYPES].cosine).mean() < 0.99
    assert np.all(found.passes[GRADIENT].cosine > 0.999)


def test_a_learner_that_jumps_to_the_least_squares_head_is_found_out():
    class Jump(MAML):
        name = "jump"

        def step(self, params, state, support_x, support_y):
            last = "weight3"
            task = updates.Task(support_x, support_y, support_x, support_y)
            net = state["net"]
            nearest = updates.heads(Acting(self.network, net), task, net[last], 1e-3)[LEAST_SQUARES]
            return {"net": {**net, last: nearest}}

    learner = Jump(network=MLP((20, 20)), steps=1, test_steps=1)
    params = double(learner.init(stream("init", 3), Sine.spec))
    found = asked(learner, params, smallest=1e-3)
    assert found.moved == ["weight3"]
    np.testing.assert_allclose(found.trained.passes[LEAST_SQUARES].cosine, 1, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.trained.head[LEAST_SQUARES].distance[..., 1], 0, rtol=0, atol=1e-9)


def test_maml_is_gradient_descent_and_random_directions_are_not():
    learner = MAML(inner_lr=0.01, test_steps=4)
    found = asked(learner, double(learner.init(stream("init", 1), Sine.spec)), tasks=50, rate=0.01)
    np.testing.assert_allclose(found.trained.passes[GRADIENT].cosine, 1, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.trained.whole[GRADIENT].distance, 0, rtol=0, atol=1e-9)
    whole = found.random[..., 0]
    assert abs(float(whole.mean())) < 0.1
    assert 0 < float(whole.std()) < 0.3


def test_the_control_and_the_kept_copies_are_other_weights(tmp_path: Path):
    """The last kept copy holds the run's own weights here, the first another seed's."""
    from safetensors.torch import save_file

    made = ensemble("op-lstm", seeds=1, steps=2)
    run = made.runs[0]
    trained = tree_map(lambda leaf: leaf + 0.05, run.params)
    (tmp_path / KEPT).mkdir()
    for iteration, params in ((0, run.params), (100, trained)):
        save_file(dict(named_leaves(params)), tmp_path / KEPT / f"{iteration:08d}.safetensors")
    made = Ensemble((Run(tmp_path, run.learner, run.distribution, trained, run.record),))
    found = asking.ask("updates", [made], {"tasks": 3, "tasks_along": 3}).answers[0]
    first, last = found.along
    assert (first.iteration, last.iteration) == (0, 100)
    cosines = [m.passes[GRADIENT].cosine for m in (found.untrained, first, last, found.trained)]
    np.testing.assert_array_equal(cosines[0], cosines[1])
    np.testing.assert_array_equal(cosines[2], cosines[3])
    assert not np.allclose(cosines[1], cosines[2])


def test_it_says_whom_it_does_not_apply_to():
    learner = PooledLSTM()
    params = double(learner.init(stream("init"), Sine.spec))
    assert "adapts no network whose weights" in (updates.PROBE.applies(alone(learner, params)) or "")
    fine = OPLSTM(steps=1)
    assert updates.PROBE.applies(alone(fine, double(fine.init(stream("init"), Sine.spec)))) is None
