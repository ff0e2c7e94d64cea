"""Where SAP's operations start: as identity, as published, or uniformly drawn."""

import pytest
import torch

from engine.learners import SAP
from engine.networks import MLP, perceptron
from engine.tasks import Numbers, Sine, TaskSpec, Values, stream
from engine.trees import leaves
from tests.engine.conftest import double, init
from tests.engine.learners.test_sap import close


def start_of(sap: SAP, x):
    """What the untrained learner predicts before any step, and what its base network alone does."""
    params = init(sap)
    return sap.predict(params, sap.start(params, x, x), x), perceptron.forward(params["net"], x)


def test_identity_operations_leave_the_base_network_as_it_is(task):
    close(*start_of(SAP(identity_low_rank=True), task.query_x), 1e-13)
    close(*start_of(SAP(ranks=()), task.query_x), 1e-13)


@pytest.mark.parametrize("form", [SAP(), SAP(ranks=(), uniform_start=True)], ids=["low-rank", "uniform"])
def test_the_published_starts_do_not(form, task):
    got, base = start_of(form, task.query_x)
    assert float((got - base).abs().max()) > 1e-3


def test_the_published_low_rank_start_weakens_all_units_but_the_first():
    """Seven multiplications weigh 1/7 each, and ranks 5, 10 and 15 let the first 5, 10 and 15 units pass."""
    sap = SAP(network=MLP((40,)))
    params = double(sap.init(stream("init"), TaskSpec(Numbers(1), Values(40))))
    params["net"] |= {"weight1": torch.ones_like(params["net"]["weight1"]), "weight2": torch.eye(40).double()}
    x = torch.ones(1, 1, dtype=torch.float64)  # every hidden unit is 1, and every output reads one of them
    factors = sap.predict(params, sap.start(params, x, x), x)[0]
    assert factors.tolist() == pytest.approx([1.0] * 5 + [6 / 7] * 5 + [5 / 7] * 5 + [4 / 7] * 25, abs=1e-12)


def test_the_uniform_start_draws_operations_after_the_network():
    plain, uniform = (SAP(ranks=(), uniform_start=u).init(stream("init"), Sine.spec) for u in (False, True))
    close(plain["net"], uniform["net"], 0)
    values = torch.cat([leaf.flatten() for leaf in leaves(uniform["operations"])])
    assert 0 <= float(values.min()) < 0.01
    assert 0.99 < float(values.max()) < 1
