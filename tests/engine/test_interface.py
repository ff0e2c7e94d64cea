"""What every learner must satisfy on every kind of task that it learns: shapes, vmap, seeds, order, learning, files."""

from dataclasses import replace

import pytest
import torch

from engine.checks import LEARNER_CHECKS
from engine.checks.checking import single
from engine.checks.learners import short_training_helps
from engine.execution.gradients import meta_gradient, stepwise_meta_gradient
from engine.learners import LEARNERS, Learner
from engine.runs.budget import Training
from engine.runs.ensembles import Ensemble
from engine.runs.run import describe, load, save
from engine.tasks import Task, TaskDistribution, stream
from engine.training.trainer import Trainer
from engine.trees import leaves, stack, tree_map
from tests.engine.conftest import CASES, double, few, init, short

QUICK = [check for check in LEARNER_CHECKS if check is not short_training_helps]
# A training takes seconds: one for each learner, on the first kind of task that it learns. Labels of Gaussian classes
# mean something within one task only, so that a learner of all tasks pooled has nothing to learn from them.
TRAINED = [(name, cls.kinds[0]) for name, cls in LEARNERS.items() if name != "centroid-finetuning"]


@pytest.fixture(params=CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def case(request) -> tuple[str, str]:
    """A learner and a kind of task that it learns."""
    return request.param


@pytest.fixture
def learner(case):
    return short(case[0])


@pytest.fixture
def distribution(case) -> TaskDistribution:
    return few(case[1])


@pytest.fixture
def task(distribution) -> Task:
    """One task, float64."""
    return tree_map(lambda v: v[0], double(distribution.sample(stream("page", 3), 1)))


@pytest.fixture
def tasks(distribution) -> Task:
    """Four tasks, float64."""
    return double(distribution.sample(stream("page", 4), 4))


def close(a, b, tolerance=1e-10):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.__name__)
def test_what_anybodys_learner_must_satisfy(check, learner, distribution):
    check(learner, distribution)


@pytest.mark.parametrize("case", TRAINED, ids=[name for name, _ in TRAINED], indirect=True)
def test_a_short_training_helps(learner, distribution):
    network = getattr(learner, "network", None)  # a small one: what it costs goes with its weights
    small = learner if network is None else replace(learner, network=replace(network, widths=(20, 20)))
    short_training_helps(small, distribution)


@pytest.mark.parametrize("case", [("protonet", "classification"), ("maml", "classification")], indirect=True)
def test_a_short_training_on_classes_helps(learner, distribution):
    short_training_helps(learner, distribution)


def looped(name: str) -> bool:
    """Whether the meta-gradient is the default one, through an inner loop: what `stepwise_meta_gradient` computes."""
    cls = LEARNERS[name]
    return cls.meta_gradient is Learner.meta_gradient and cls.meta_loss is Learner.meta_loss


def test_loss_gradient_is_the_derivative_of_the_loss(learner, case):
    """And the loss is torch's own: the mean squared error, or the cross-entropy of class indices."""
    prediction = torch.randn(2, 7, 3, generator=stream("page"), dtype=torch.float64)  # two seeds
    regression = case[1] == "regression"
    target = torch.randn(7, 3, generator=stream("page", 1), dtype=torch.float64)
    target = target if regression else target.argmax(-1)
    torchs = torch.nn.functional.mse_loss if regression else torch.nn.functional.cross_entropy
    leaf = prediction.clone().requires_grad_()
    losses = torch.stack([torchs(leaf[seed], target) for seed in range(2)])
    (expected,) = torch.autograd.grad(losses.sum(), leaf)
    close(learner.loss(prediction, target), losses.detach(), 1e-14)
    close(learner.loss_gradient(prediction, target), expected, 1e-14)


@pytest.mark.parametrize("case", [case for case in CASES if looped(case[0])], indirect=True)
def test_inner_loop_in_python_gives_the_same_meta_gradient(learner, distribution, tasks):
    params = stack([init(learner, 0, distribution), init(learner, 1, distribution)])
    batch = stack([tasks, tasks])
    whole, loss = meta_gradient(learner)(params, batch)
    stepwise, same_loss = stepwise_meta_gradient(learner)(params, batch)
    close(whole, stepwise)
    close(loss, same_loss)


def test_several_seeds_at_once_equal_each_alone(learner, case, float64):
    training = Training(iterations=3, meta_batch=2, lr=0.01, clip=1.0, validation_tasks=3, validate_every=1)
    distribution = few(case[1], shots=4, queries=6)
    together = Trainer(learner, distribution, training, (0, 1, 2))
    together.run()
    for index in range(3):
        alone = Trainer(learner, distribution, training, (index,))
        alone.run()
        mine = tree_map(lambda p: p[index], together.params)  # noqa: B023
        close(mine, tree_map(lambda p: p[0], alone.params), 1e-8)
        close(together.seed_params(index), alone.seed_params(0), 1e-8)
        close(together.best_error[index], alone.best_error[0], 1e-8)
        moved = tree_map(lambda a, b: (a - b).abs().max(), mine, init(learner, index, distribution))
        largest = max(float(leaf) for leaf in leaves(moved))
        assert largest > 1e-3 if learner.meta_trained else largest == 0


def test_an_ensemble_equals_its_runs(learner, distribution, tmp_path, task):
    runs = []
    for seed in range(2):
        params = learner.init(stream("init", seed), distribution.spec)
        save(tmp_path / str(seed), params, describe(learner, distribution, seed))
        runs.append(load(tmp_path / str(seed)))
    ensemble, last = Ensemble(tuple(runs)), learner.evaluation_steps
    x, y, query, _ = single(task)
    got = ensemble.predict(ensemble.adapt(x, y), query, [0, 1, last, last + 5])
    assert got.shape == (4, 2, len(query), distribution.spec.output_dim)
    torch.testing.assert_close(got[2], got[3], rtol=0, atol=0)
    for seed, run in enumerate(runs):
        trajectory = run.adapt(x, y)
        for row, step in enumerate((0, 1, last)):
            close(got[row, seed], run.predict(trajectory, query, step), 2e-4)
