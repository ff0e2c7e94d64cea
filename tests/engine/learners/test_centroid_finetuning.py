"""Centroid finetuning: cosine scores, a head that follows torch's Adam, and pre-training where labels are shared."""

from dataclasses import dataclass

import pytest
import torch

from engine.learners import CentroidFinetuning
from engine.networks import perceptron
from engine.runs.budget import Training
from engine.tasks import Drawn, GaussianClasses, stream
from engine.training.trainer import Trainer
from engine.trees import tree_map
from tests.engine.conftest import double

DISTRIBUTION = GaussianClasses(ways=4, shots=3)


@pytest.fixture
def task():
    return tree_map(lambda v: v[0], double(DISTRIBUTION.sample(stream("page", 3), 1)))


def made(**config):
    learner = CentroidFinetuning(**config)
    return learner, double(learner.init(stream("init", 2), DISTRIBUTION.spec))


def module(params, lengths: bool) -> torch.nn.Module:
    """The published head: torch's weight normalisation of a linear layer without bias."""
    linear = torch.nn.Linear(40, 4, bias=False, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(params["head"]["v"])
    head = torch.nn.utils.parametrizations.weight_norm(linear, dim=0)
    if not lengths:
        head.parametrizations.weight.original0.data.fill_(1.0)
        head.parametrizations.weight.original0.requires_grad_(False)
    return head


@pytest.mark.parametrize("lengths", [True, False])
def test_adaptation_is_torch_adam_on_a_weight_normalised_head(task, lengths):
    learner, params = made(test_steps=7, inner_lr=0.05, lengths=lengths)
    head = module(params, lengths)

    def scores(x):
        features = perceptron.forward(params["body"], x).relu()
        return 2 * head(torch.nn.functional.normalize(features, dim=-1))

    optimiser = torch.optim.Adam([p for p in head.parameters() if p.requires_grad], lr=0.05)
    for _ in range(7):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(scores(task.support_x), task.support_y).backward()
        optimiser.step()
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    torch.testing.assert_close(
        learner.predict(params, state, task.query_x), scores(task.query_x).detach(), rtol=1e-6, atol=1e-8
    )


def test_scores_are_twice_the_cosine(task):
    learner, params = made(lengths=False)
    state = learner.start(params, task.support_x, task.support_y)
    features = perceptron.forward(params["body"], task.query_x).relu()
    expected = 2 * torch.nn.functional.cosine_similarity(features[:, None], params["head"]["v"], dim=-1)
    torch.testing.assert_close(learner.predict(params, state, task.query_x), expected, rtol=1e-7, atol=1e-9)


def test_an_input_that_no_unit_sees_has_finite_scores_and_gradients(task):
    learner, params = made(test_steps=2)
    params["body"]["bias2"].fill_(-100.0)  # every feature is 0
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    assert float(learner.predict(params, state, task.query_x).abs().max()) == 0
    gradient, loss = learner.meta_gradient(params, task)
    assert bool(loss.isfinite())
    assert all(bool(g.isfinite().all()) for tree in gradient.values() for g in tree.values())


def test_pre_training_minimises_the_direct_loss_of_all_points(task):
    learner, params = made()
    x, y = torch.cat([task.support_x, task.query_x]), torch.cat([task.support_y, task.query_y])
    state = learner.start(params, x, y)
    expected = torch.nn.functional.cross_entropy(learner.predict(params, state, x), y)
    torch.testing.assert_close(learner.meta_loss(params, task), expected)


@dataclass(frozen=True)
class SameClasses(GaussianClasses):
    """Every task has the same class means, so that a label means the same in all of them."""

    def draw(self, generator, tasks):
        task, hidden, _ = super().draw(generator, tasks)
        means = hidden["means"]
        fixed = torch.randn(means.shape[1:], generator=stream("page"))

        def moved(x, y):
            return x - means[torch.arange(tasks)[:, None], y] + fixed[y]

        x = {"support_x": moved(task.support_x, task.support_y), "query_x": moved(task.query_x, task.query_y)}
        return Drawn(task._replace(**x), {"means": fixed.expand_as(means)})


def test_pre_training_learns_where_labels_are_shared():
    """Pooling is no use where labels change their meaning from task to task; here they do not."""
    training = Training(iterations=60, meta_batch=4, lr=0.01, validation_tasks=20, validate_every=60)
    trainer = Trainer(CentroidFinetuning(test_steps=1), SameClasses(ways=3), training, (0,))
    seen = []
    trainer.run(report=lambda progress: seen.append(progress.validation))
    first, last = [validation[0] for validation in seen if validation]
    assert last < 0.7 * first
