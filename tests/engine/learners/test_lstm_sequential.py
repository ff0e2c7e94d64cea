"""The sequential LSTM against torch.nn.LSTM run over the same sequence."""

import pytest
import torch

from engine.execution.gradients import stepwise_meta_gradient
from engine.execution.policy import chunk
from engine.learners.lstm_sequential import SequentialLSTM
from engine.tasks import Sine, stream
from engine.trees import count, stack, tree_map
from tests.engine.conftest import init
from tests.engine.networks.test_lstm_cell import reference


def read(params, task, passes):
    """h and c (layers, 1, hidden) after torch's LSTM has read [x; y] of all examples, `passes` times in a row."""
    module = reference(params["lstm"])
    sequence = torch.cat([task.support_x, task.support_y], -1).repeat(passes, 1)
    return module, module(sequence[:, None])[1]  # (time, 1 row, in)


@pytest.mark.parametrize("passes", [1, 3])
def test_passes_are_one_long_sequence_through_torchs_lstm(task, passes):
    learner = SequentialLSTM(steps=passes)
    params = init(learner)
    _, (h, c) = read(params, task, passes)
    trajectory = learner.adapt(params, task.support_x, task.support_y)
    assert len(trajectory) == passes + 1
    for layer in (1, 2):
        torch.testing.assert_close(trajectory[-1][f"h{layer}"], h[layer - 1].detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(trajectory[-1][f"c{layer}"], c[layer - 1].detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("carry_cell", [False, True])
def test_a_query_starts_from_h_and_from_c_only_if_told(task, carry_cell):
    learner = SequentialLSTM(steps=2, carry_cell=carry_cell)
    params = init(learner)
    module, (h, c) = read(params, task, 2)
    queries = torch.cat([task.query_x, torch.zeros_like(task.query_x)], -1)[None]
    h, c = (memory.expand(-1, queries.shape[1], -1).contiguous() for memory in (h, c if carry_cell else 0 * c))
    top, _ = module(queries, (h, c))
    expected = top[0] @ params["readout"]["weight1"].T + params["readout"]["bias1"]
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    got = learner.predict(params, state, task.query_x)
    torch.testing.assert_close(got, expected.detach(), rtol=1e-10, atol=1e-12)


def test_the_order_of_the_examples_matters(task):
    learner = SequentialLSTM()
    params = init(learner)
    first, last = (
        learner.predict(params, learner.adapt(params, x, y)[-1], task.query_x)
        for x, y in [(task.support_x, task.support_y), (task.support_x.flip(0), task.support_y.flip(0))]
    )
    assert float((first - last).abs().max()) > 1e-4


def test_every_pass_is_told_the_labels(task):
    learner = SequentialLSTM(steps=1)
    params = init(learner)
    a, b = (learner.adapt(params, task.support_x, scale * task.support_y)[-1]["h1"] for scale in (1, 2))
    assert not torch.allclose(a, b)


def test_a_pass_in_chunks_is_a_pass(tasks):
    """The training loop reads the support set chunk by chunk: 7 examples as 5 and 2 give the meta-gradient of 7."""

    class Whole(SequentialLSTM):
        name = "whole"  # known to no table

    learner = SequentialLSTM(steps=2)
    assert chunk(learner) == 5
    params, batch = stack([init(learner)]), stack([tasks])
    ours, expected = (stepwise_meta_gradient(each)(params, batch) for each in (learner, Whole(steps=2)))
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12), ours, expected)


def test_parameter_count():
    assert count(SequentialLSTM().init(stream("init"), Sine.spec)) == 20_201
