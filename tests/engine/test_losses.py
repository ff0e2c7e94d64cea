"""Typed inputs and targets: what follows from them, and losses against PyTorch's own in float64."""

import math

import pytest
import torch

from engine import losses
from engine.learners import make
from engine.tasks import LINE, TASKS, Classes, Image, Numbers, TaskSpec, Values, stream


@pytest.mark.parametrize(
    ("spec", "shape", "size", "outputs", "kind"),
    [
        (LINE, (1,), 1, 1, "regression"),
        (TaskSpec(Numbers(3), Values(2)), (3,), 3, 2, "regression"),
        (TaskSpec(Image(3, 5, 7), Classes(4)), (3, 5, 7), 105, 4, "classification"),
    ],
)
def test_shapes_and_kinds_follow_from_the_types(spec, shape, size, outputs, kind):
    assert (spec.input_shape, spec.input_size, spec.output_dim, spec.kind) == (shape, size, outputs, kind)
    assert spec == TaskSpec(spec.inputs, spec.targets), "equal parts make equal specs"
    assert hash(spec) == hash(TaskSpec(spec.inputs, spec.targets))


def test_specs_of_different_types_differ_where_their_shapes_agree():
    assert TaskSpec(Numbers(2), Values(3)) != TaskSpec(Numbers(2), Classes(3))


@pytest.mark.parametrize("leading", [(), (2,)], ids=["one", "stack"])
def test_losses_and_their_derivatives_are_those_of_torch(leading):
    generator = stream("test")
    said = torch.randn((*leading, 6, 3), generator=generator, dtype=torch.float64, requires_grad=True)
    values = torch.randn((6, 3), generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (6,), generator=generator)
    for target, torchs in ((values, torch.nn.functional.mse_loss), (labels, torch.nn.functional.cross_entropy)):
        found = losses.loss(said, target)
        rows = said.reshape(-1, 6, 3)
        expected = torch.stack([torchs(row, target) for row in rows]).reshape(leading)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
        (gradient,) = torch.autograd.grad(found.sum(), said)
        torch.testing.assert_close(losses.loss_gradient(said.detach(), target), gradient, rtol=1e-12, atol=1e-14)
        learner = make("maml")
        assert torch.equal(learner.loss(said, target), found)
        assert torch.equal(learner.loss_gradient(said, target), losses.loss_gradient(said, target))


@pytest.mark.parametrize("name", [name for name, cls in TASKS.items() if cls().missing is None])
def test_the_targets_of_every_task_are_what_its_spec_says(name):
    distribution = TASKS[name]()
    task, spec = distribution.sample(stream("test"), 3), distribution.spec
    assert task.query_x.shape[2:] == spec.input_shape
    assert losses.are_values(task.query_y) == isinstance(spec.targets, Values)
    assert losses.as_rows(task.query_y, torch.zeros(spec.output_dim)).shape[2:] == (spec.output_dim,)


def test_what_people_compare_follows_from_the_targets():
    error, accuracy = (losses.measure(TaskSpec(Numbers(1), target)) for target in (Values(1), Classes(5)))
    assert (error.name, error.loss, error.worst) == ("mse", "mean squared error", math.inf)
    assert (accuracy.name, accuracy.loss, accuracy.worst) == ("accuracy", "cross-entropy", 0.0)
    uninformed = losses.uninformed(TaskSpec(Numbers(1), Classes(5)), torch.zeros(3, dtype=torch.int64))
    alike = losses.loss(torch.zeros(3, 5, dtype=torch.float64), torch.tensor([0, 4, 2]))
    assert uninformed == pytest.approx(float(alike), rel=1e-12)
