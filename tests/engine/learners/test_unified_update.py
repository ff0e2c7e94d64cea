"""Finetuning, first-order MAML and Reptile are one update, sum over t of w_t grad L(theta_t), on real networks.

One task is one loss here, as in chapter 4: the query set is the support set. The weights w_0 ... w_T are

    finetuning  (1, 0, ..., 0)        the loss where one stands
    FOMAML      (0, ..., 0, 1)        the loss after T steps
    Reptile     alpha (1, ..., 1, 0)  the start and every step before the last
"""

import pytest
import torch
from torch.func import grad

from engine.learners import LEARNERS
from engine.networks import MLP, perceptron
from engine.tasks import Task, stream
from engine.trees import tree_map
from tests.engine.conftest import double, few

ALPHA, STEPS, WIDTHS = 0.03, 6, (12, 12)
WEIGHTS = {
    "finetuning": [1.0] + [0.0] * STEPS,
    "fomaml": [0.0] * STEPS + [1.0],
    "reptile": [ALPHA] * STEPS + [0.0],
}


@pytest.fixture(params=["regression", "classification"])
def problem(request):
    """One task whose query is its support, and its spec; float64."""
    distribution = few(request.param, shots=9)
    task = tree_map(lambda v: v[0], double(distribution.sample(stream("page", 2), 1)))
    return Task(task.support_x, task.support_y, task.support_x, task.support_y), distribution.spec


def made(name: str, points: int):
    own = {"steps": STEPS, "inner_lr": ALPHA} if name != "finetuning" else {}
    if name == "reptile":  # gradient descent on the whole training set, which is support and query merged
        own |= {"inner_optimiser": "sgd", "inner_batch": 2 * points}
    return LEARNERS[name](network=MLP(WIDTHS), **own)


def loss(net, task: Task) -> torch.Tensor:
    predicted = perceptron.forward(net, task.support_x)
    if task.support_y.is_floating_point():
        return torch.nn.functional.mse_loss(predicted, task.support_y)
    return torch.nn.functional.cross_entropy(predicted, task.support_y)


def gradients(net, task: Task):
    """grad L(theta_t) along gradient descent from theta_0, t = 0 ... T; by autograd, the independent oracle."""
    found = []
    for _ in range(STEPS + 1):
        found.append(grad(loss)(net, task))
        net = tree_map(lambda weight, g: weight - ALPHA * g, net, found[-1])
    return found


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_a_learners_meta_gradient_is_the_weighted_sum(name, problem):
    task, spec = problem
    learner = made(name, len(task.support_x))
    params = double(learner.init(stream("init", 4), spec))
    got = learner.meta_gradient(params, task)[0]["net"]
    along = gradients(params["net"], task)
    expected = tree_map(lambda *g: sum(w * one for w, one in zip(WEIGHTS[name], g, strict=True)), *along)
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12), got, expected)


def test_the_three_directions_differ(problem):
    """The equality above says something: after six steps the gradients have turned."""
    task, spec = problem
    directions = []
    for name in WEIGHTS:
        learner = made(name, len(task.support_x))
        params = double(learner.init(stream("init", 4), spec))
        g = learner.meta_gradient(params, task)[0]["net"]
        directions.append(torch.cat([leaf.flatten() for leaf in g.values()]))
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert float(torch.cosine_similarity(directions[a], directions[b], dim=0)) < 0.9999
