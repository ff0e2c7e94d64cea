"""Reptile's update is epsilon times the mean displacement that a torch optimiser makes on the same mini-batches."""

import copy

import pytest
import torch

from engine.learners import Reptile
from engine.runs.budget import Training
from engine.tasks import Sine
from engine.training.trainer import Trainer
from engine.trees import leaves, tree_map
from tests.engine.learners.test_maml import sequential

DISTRIBUTION = Sine(shots=5, queries=10)  # 15 points: batches of 6 wrap around in the third


def torch_optimiser(learner: Reptile, module: torch.nn.Module) -> torch.optim.Optimizer:
    if learner.inner_optimiser == "adam":
        return torch.optim.Adam(module.parameters(), lr=learner.inner_lr, betas=(0.0, 0.999))
    return torch.optim.SGD(module.parameters(), lr=learner.inner_lr)


def work_through(learner: Reptile, task, module, optimiser) -> None:
    """The learner's mini-batches of support and query merged, by torch.optim."""
    x, y = torch.cat([task.support_x, task.query_x]), torch.cat([task.support_y, task.query_y])
    order = torch.arange(learner.steps * learner.inner_batch) % len(x)
    for batch in order.split(learner.inner_batch):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(module(x[batch]), y[batch]).backward()
        optimiser.step()


def weights(net) -> list[torch.Tensor]:
    """Weight and bias of each layer, the order of a module's parameters."""
    return [net[f"{kind}{layer}"] for layer in (1, 2, 3) for kind in ("weight", "bias")]


@pytest.mark.parametrize("inner_optimiser", ["sgd", "adam"])
def test_update_is_epsilon_times_the_mean_displacement(float64, inner_optimiser):
    learner = Reptile(steps=4, inner_batch=6, inner_lr=0.01, inner_optimiser=inner_optimiser)
    training = Training(iterations=10, meta_batch=3, optimiser="sgd", lr=0.3, validation_tasks=2)
    trainer = Trainer(learner, DISTRIBUTION, training, (0,))
    net, tasks = (tree_map(lambda p: p[0].clone(), t) for t in (trainer.params["net"], trainer.tasks(0)))
    expected = [w.clone() for w in weights(net)]
    for i in range(3):
        module = sequential(net)
        work_through(learner, tree_map(lambda v: v[i], tasks), module, torch_optimiser(learner, module))  # noqa: B023
        for total, start, end in zip(expected, weights(net), module.parameters(), strict=True):
            total += 0.3 * (end.detach() - start) / 3
    trainer.update()
    for got, value in zip(weights(trainer.params["net"]), expected, strict=True):
        torch.testing.assert_close(got[0], value, rtol=1e-10, atol=1e-13)


def test_adams_state_is_carried_from_task_to_task(float64):
    """Three meta-updates of one task each: one torch Adam sees all mini-batches, its weights are set back each time."""
    learner = Reptile(steps=4, inner_batch=6, inner_lr=0.01)
    training = Training(iterations=4, meta_batch=1, optimiser="sgd", lr=1.0, schedule="linear", validation_tasks=2)
    trainer = Trainer(learner, DISTRIBUTION, training, (0,))
    module = sequential(tree_map(lambda p: p[0], trainer.params["net"]))
    optimiser = torch_optimiser(learner, module)
    for epsilon in (1.0, 0.75, 0.5):
        before = copy.deepcopy(list(module.parameters()))
        work_through(learner, tree_map(lambda v: v[0, 0], trainer.tasks(trainer.iteration)), module, optimiser)
        with torch.no_grad():
            for parameter, start in zip(module.parameters(), before, strict=True):
                parameter.copy_(start + epsilon * (parameter - start))
        trainer.update()
    for got, value in zip(weights(trainer.params["net"]), module.parameters(), strict=True):
        torch.testing.assert_close(got[0], value.detach(), rtol=1e-9, atol=1e-12)
    assert trainer.params["moments"]["count"].tolist() == [3 * 4]


def test_adams_state_is_fresh_at_test_and_its_mean_is_carried(float64):
    learner = Reptile(steps=2, test_steps=2)
    trainer = Trainer(learner, DISTRIBUTION, Training(iterations=2, meta_batch=2, optimiser="sgd", lr=0.1), (0,))
    params, tasks = (tree_map(lambda p: p[0], t) for t in (trainer.params, trainer.tasks(0)))
    ends = [learner.displaced(params, tree_map(lambda v: v[i], tasks))["moments"]["second"] for i in (0, 1)]  # noqa: B023
    mean = tree_map(lambda a, b: (a + b) / 2, *ends)
    assert float(mean["weight1"].max()) > 0
    trainer.update()
    carried = tree_map(lambda p: p[0], trainer.params)
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-12, atol=0), carried["moments"]["second"], mean)
    fresh = learner.start(carried, tasks.support_x[0], tasks.support_y[0])["moments"]
    assert all(float(leaf.abs().max()) == 0 for leaf in leaves(fresh))


@pytest.mark.parametrize("clip", [1e-3, 1e3])
def test_clipping_shortens_the_step_but_not_adams_state(float64, clip):
    learner = Reptile(steps=3, inner_batch=6)
    ends = []
    for limit in (None, clip):
        training = Training(iterations=10, meta_batch=2, optimiser="sgd", lr=1.0, clip=limit, validation_tasks=2)
        trainer = Trainer(learner, DISTRIBUTION, training, (0,))
        start = tree_map(torch.clone, trainer.params["net"])
        trainer.update()
        step = tree_map(lambda after, before: after - before, trainer.params["net"], start)
        ends.append((torch.cat([leaf.flatten() for leaf in leaves(step)]), trainer.params["moments"]))
    (free, carried), (clipped, same) = ends
    torch.testing.assert_close(clipped, free * min(1.0, clip / float(free.norm())), rtol=1e-9, atol=1e-12)
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), carried, same)


def test_epsilon_falls_linearly_to_zero():
    training = Training(iterations=100, optimiser="sgd", lr=1.0, schedule="linear")
    assert [training.lr_at(i) for i in (0, 50, 100)] == [1.0, 0.5, 0.0]
