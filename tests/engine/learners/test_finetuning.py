"""Finetuning: the direct loss in pre-training, Adam on the head alone afterwards."""

import torch

from engine.learners import Finetuning
from engine.networks import perceptron
from engine.tasks import Sine, stream
from engine.trees import tree_map


def made(**config):
    learner = Finetuning(**config)
    return learner, tree_map(torch.Tensor.double, learner.init(stream("init", 2), Sine.spec))


def test_pre_training_minimises_the_direct_loss_of_all_points(task):
    learner, params = made()
    x, y = torch.cat([task.support_x, task.query_x]), torch.cat([task.support_y, task.query_y])
    expected = torch.nn.functional.mse_loss(perceptron.forward(params["net"], x), y)
    torch.testing.assert_close(learner.meta_loss(params, task), expected)


def test_adaptation_is_torch_adam_on_the_head(task):
    learner, params = made(test_steps=7, inner_lr=0.02)
    features = perceptron.features(params["net"], task.support_x)
    head = torch.nn.Linear(40, 1, dtype=torch.float64)
    with torch.no_grad():
        head.weight.copy_(params["net"]["weight3"])
        head.bias.copy_(params["net"]["bias3"])
    optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(7):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(head(features), task.support_y).backward()
        optimiser.step()
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    expected = head(perceptron.features(params["net"], task.query_x)).detach()
    torch.testing.assert_close(learner.predict(params, state, task.query_x), expected, rtol=1e-9, atol=1e-12)


def test_head_is_reset_for_every_task(task):
    """Before its first step the learner is the pre-trained network, whatever it adapted to before."""
    learner, params = made(test_steps=3)
    learner.adapt(params, task.support_x, 100 * task.support_y)
    first = learner.adapt(params, task.support_x, task.support_y)[0]
    expected = perceptron.forward(params["net"], task.query_x)
    torch.testing.assert_close(learner.predict(params, first, task.query_x), expected)
