"""The pooled LSTM against its published protocol, run with torch.nn.LSTM."""

import torch

from engine.learners import PooledLSTM
from engine.tasks import Sine, stream
from engine.trees import count, tree_map
from tests.engine.networks.test_lstm_cell import reference


def test_passes_and_query_follow_the_published_protocol(task):
    """Label slot 0 in the first pass; hidden states pooled per layer, cells not; the query starts with cell 0."""
    learner = PooledLSTM(steps=3)
    params = tree_map(torch.Tensor.double, learner.init(stream("init", 1), Sine.spec))
    module, rows = reference(params["lstm"]), len(task.support_x)
    h = c = torch.zeros(2, rows, 40, dtype=torch.float64)
    for t in range(3):
        u = torch.cat([task.support_x, task.support_y if t else torch.zeros_like(task.support_y)], -1)
        _, (h, c) = module(u[None], (h, c))
        h = h.mean(1, keepdim=True).expand(-1, rows, -1).contiguous()
    queries = len(task.query_x)
    u = torch.cat([task.query_x, torch.zeros_like(task.query_x)], -1)
    memory = h[:, :1].expand(-1, queries, -1).contiguous()
    top, _ = module(u[None], (memory, torch.zeros_like(memory)))
    expected = top[0] @ params["readout"]["weight1"].T + params["readout"]["bias1"]
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    got = learner.predict(params, state, task.query_x)
    torch.testing.assert_close(got, expected.detach(), rtol=1e-10, atol=1e-12)


def test_parameter_count():
    assert count(PooledLSTM().init(stream("init"), Sine.spec)) == 20_201


def test_labels_in_the_first_pass_are_a_switch(task):
    plain, told = PooledLSTM(steps=1), PooledLSTM(steps=1, label_in_first_pass=True)
    params = tree_map(torch.Tensor.double, plain.init(stream("init", 1), Sine.spec))
    blind = [plain.adapt(params, task.support_x, scale * task.support_y)[-1]["h1"] for scale in (1, 2)]
    seeing = [told.adapt(params, task.support_x, scale * task.support_y)[-1]["h1"] for scale in (1, 2)]
    torch.testing.assert_close(blind[0], blind[1], rtol=0, atol=0)
    assert not torch.allclose(seeing[0], seeing[1])
