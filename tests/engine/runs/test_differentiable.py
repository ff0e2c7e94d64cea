"""With `grad=True`, runs can be built upon: derivatives and vmap pass through adapting and predicting."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import grad, jacrev, vmap

import engine
from engine.errors import BadInput
from engine.runs.run import describe, load, save
from engine.tasks import GaussianClasses, Sine, stream
from engine.trees import tree_map

SHIPPED = Path(__file__).resolve().parents[3] / "checkpoints" / "sine"
NAMES = ("maml", "fomaml", "reptile", "turtle", "lstm", "op-lstm", "sap", "finetuning")
# Rectified units have kinks, and Adam's root a steep place: steps of 1e-6 in float64 are rarely near one.
STEP = 1e-6


def task(index: int = 0, shots: int = 5):
    """Support and query of one sine wave, float64."""
    return tree_map(lambda v: v[0].double(), Sine(shots=shots, queries=8).sample(stream("page", 11, index), 1))


def query_loss(run, x, y, query_x, query_y, steps=None):
    predicted = run.predict(run.adapt(x, y, steps, grad=True), query_x, grad=True)
    return run.learner.loss(predicted, query_y)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_for_the_support_is_that_of_finite_differences(name):
    run = engine.load(SHIPPED / f"{name}-k5-s0")
    x, y, query_x, query_y = task()
    steps = 3 if name == "finetuning" else None
    for argument in (0, 1):
        found = grad(lambda *given: query_loss(run, *given, query_x, query_y, steps), argument)(x, y)
        assert found.dtype == torch.float64
        for point in range(len(x)):
            nudge = torch.zeros_like(x)
            nudge[point] = STEP
            sides = [[x, y], [x, y]]
            sides[0][argument], sides[1][argument] = (sides[0][argument] + side * nudge for side in (1, -1))
            up, down = (query_loss(run, *side, query_x, query_y, steps) for side in sides)
            expected = (up - down) / (2 * STEP)
            torch.testing.assert_close(found[point, 0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_vmap_over_support_sets_is_a_loop(name):
    run = engine.load(SHIPPED / f"{name}-k5-s0")
    tasks = [task(index) for index in range(3)]
    x, y, query_x, query_y = (torch.stack(parts) for parts in zip(*tasks, strict=True))
    steps = 3 if name == "finetuning" else None
    together = vmap(lambda *given: query_loss(run, *given, steps))(x, y, query_x, query_y)
    alone = torch.stack([query_loss(run, *one, steps) for one in tasks])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)
    per_task = vmap(grad(lambda *given: query_loss(run, *given, steps)))(x, y, query_x, query_y)
    torch.testing.assert_close(
        per_task[1], grad(lambda *g: query_loss(run, *g, steps))(*tasks[1]), rtol=1e-7, atol=1e-9
    )


def test_the_same_numbers_as_without():
    run = engine.load(SHIPPED / "maml-k5-s0")
    x, y, query_x, _ = task()
    plain = run.predict(run.adapt(x, y), query_x)
    lists = run.predict(run.adapt(x.float().tolist(), y.float().tolist(), grad=True), np.float32(query_x), grad=True)
    assert torch.equal(plain, lists)
    assert not plain.requires_grad
    leaf = x.float().requires_grad_()
    run.predict(run.adapt(leaf, y, grad=True), query_x.float(), grad=True).sum().backward()
    assert float(leaf.grad.abs().max()) > 0


def test_classes_pass_too(tmp_path):
    distribution = GaussianClasses(shots=2, queries=3, ways=3)
    learner = engine.make("protonet")
    save(tmp_path, learner.init(stream("init"), distribution.spec), describe(learner, distribution, 0))
    run = load(tmp_path)
    x, y, query_x, _ = (v[0] for v in distribution.sample(stream("page"), 1))
    slopes = jacrev(lambda given: run.predict(run.adapt(given, y, grad=True), query_x, grad=True))(x)
    assert slopes.shape == (9, 3, *x.shape)
    assert float(slopes.abs().max()) > 0
    with pytest.raises(
        BadInput, match=r"support_y must be class indices of shape \(points,\); a Tensor of shape \(6,\)"
    ):
        run.adapt(x, y.float(), grad=True)


def test_shapes_are_still_checked():
    run = engine.load(SHIPPED / "maml-k5-s0")
    x, y, query_x, _ = task()
    with pytest.raises(BadInput, match=r"support_x must have shape \(points, 1\); \(5,\) was given"):
        run.adapt(x[:, 0], y, grad=True)
    with pytest.raises(BadInput, match="as many inputs as targets, at least one: 5 and 4"):
        run.adapt(x, y[:4], grad=True)
    with pytest.raises(BadInput, match=r"query_x must have shape \(points, 1\); \(8, 2\) was given"):
        vmap(lambda q: run.predict(run.adapt(x, y, grad=True), q, grad=True))(torch.ones(3, 8, 2))
    with pytest.raises(BadInput, match=r"support_x must be numbers of shape \(points, 1\)\."):
        run.adapt("no", y, grad=True)
    with pytest.raises(BadInput, match="steps 0 to 10; step 11"):
        run.predict(run.adapt(x, y, grad=True), query_x, step=11, grad=True)
