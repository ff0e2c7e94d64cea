"""Training from scratch: torch's Adam on a random network, and nothing learned across tasks."""

import torch

from engine.learners import Scratch
from engine.networks import perceptron
from engine.runs.budget import Training
from engine.tasks import Sine, stream
from engine.training.trainer import Trainer
from engine.trees import leaves, tree_map


def made(**config):
    learner = Scratch(**config)
    return learner, tree_map(torch.Tensor.double, learner.init(stream("init", 2), Sine.spec))


def test_adaptation_is_torch_adam_on_every_weight(task):
    learner, params = made(test_steps=7, inner_lr=0.02)
    net = {name: weight.clone().requires_grad_() for name, weight in params["net"].items()}
    optimiser = torch.optim.Adam(net.values(), lr=0.02)
    for _ in range(7):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(perceptron.forward(net, task.support_x), task.support_y).backward()
        optimiser.step()
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    expected = perceptron.forward(net, task.query_x).detach()
    torch.testing.assert_close(learner.predict(params, state, task.query_x), expected, rtol=1e-9, atol=1e-12)


def test_every_task_starts_from_the_same_random_network(task):
    learner, params = made(test_steps=3)
    learner.adapt(params, task.support_x, 100 * task.support_y)
    first = learner.adapt(params, task.support_x, task.support_y)[0]
    assert torch.equal(learner.predict(params, first, task.query_x), perceptron.forward(params["net"], task.query_x))


def test_meta_training_leaves_the_start_as_it_was_drawn():
    learner = Scratch(test_steps=2)
    training = Training(iterations=5, meta_batch=2, lr=1.0, clip=0.1, validation_tasks=2, validate_every=5)
    trainer = Trainer(learner, Sine(), training, (3,))
    trainer.run()
    drawn = learner.init(stream("init", 3), Sine.spec)
    assert all(torch.equal(a[0], b) for a, b in zip(leaves(trainer.params), leaves(drawn), strict=True))
    assert trainer.skipped.tolist() == [0]


def test_the_default_is_the_published_budget():
    assert (Scratch().evaluation_steps, Scratch().inner_lr) == (100, 0.001)
    assert not Scratch().meta_trained
