"""Reptile's update is epsilon times the mean displacement that a torch optimiser makes on the same mini-batches."""

import pytest
import torch

from engine.learners import Reptile
from engine.tasks import Sine, stream
from engine.training import Trainer, Training
from engine.trees import tree_map
from tests.engine.learners.test_maml import sequential


def displaced(learner: Reptile, net, x, y, moments=None):
    """The network after the learner's mini-batches, by torch.optim; and the optimiser."""
    module = sequential(net)
    if learner.inner_optimiser == "adam":
        optimiser = torch.optim.Adam(module.parameters(), lr=learner.inner_lr, betas=(0.0, 0.999))
    else:
        optimiser = torch.optim.SGD(module.parameters(), lr=learner.inner_lr)
    order = torch.arange(learner.steps * learner.inner_batch) % len(x)
    for batch in order.split(learner.inner_batch):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(module(x[batch]), y[batch]).backward()
        optimiser.step()
    return module, optimiser


@pytest.mark.parametrize("inner_optimiser", ["sgd", "adam"])
def test_update_is_epsilon_times_the_mean_displacement(inner_optimiser):
    learner = Reptile(steps=4, inner_batch=6, inner_lr=0.01, inner_optimiser=inner_optimiser)
    distribution = Sine(shots=5, queries=10)  # 15 points: the third batch wraps around
    training = Training(iterations=10, meta_batch=3, optimiser="sgd", lr=0.3, validation_tasks=2)
    trainer = Trainer(learner, distribution, training, (0,))
    trainer.params = tree_map(torch.Tensor.double, trainer.params)
    trainer._optimised = {"net": trainer.params["net"]}
    trainer.optimiser = trainer._make_optimiser()
    start = tree_map(lambda p: p[0].clone(), trainer.params["net"])
    drawn = tree_map(torch.Tensor.double, distribution.sample(stream("train", 0, 0), 3 * 50))
    trainer._block = (0, tree_map(lambda v: v[None], drawn))
    trainer.update()
    moved = {key: torch.zeros_like(value) for key, value in start.items()}
    for i in range(3):
        x = torch.cat([drawn.support_x[i], drawn.query_x[i]])
        y = torch.cat([drawn.support_y[i], drawn.query_y[i]])
        module, _ = displaced(learner, start, x, y)
        for layer, linear in enumerate(m for m in module if isinstance(m, torch.nn.Linear)):
            moved[f"weight{layer + 1}"] += (linear.weight.detach() - start[f"weight{layer + 1}"]) / 3
            moved[f"bias{layer + 1}"] += (linear.bias.detach() - start[f"bias{layer + 1}"]) / 3
    for key, value in moved.items():
        torch.testing.assert_close(trainer.params["net"][key][0], start[key] + 0.3 * value, rtol=1e-9, atol=1e-12)


def test_optimiser_state_is_carried_in_training_and_fresh_at_test(task):
    learner = Reptile(steps=2, test_steps=2)
    params = tree_map(torch.Tensor.double, learner.init(stream("init"), Sine.spec))
    gradient, _ = learner.meta_gradient(params, task)
    carried = tree_map(lambda p, g: p - g, params["moments"], gradient["moments"])
    assert carried["count"] == 2
    assert float(carried["second"]["weight1"].max()) > 0
    warm = {**params, "moments": carried}
    fresh_start = learner.start(warm, task.support_x, task.support_y)["moments"]
    assert fresh_start["count"] == 0
    assert float(fresh_start["second"]["weight1"].max()) == 0


def test_epsilon_falls_linearly_to_zero():
    training = Training(iterations=100, optimiser="sgd", lr=1.0, schedule="linear")
    assert [training.lr_at(i) for i in (0, 50, 100)] == [1.0, 0.5, 0.0]
