"""A trace computes what it was made of, to the bit, for every learner; a training cannot tell where it began."""

from __future__ import annotations

import warnings

import pytest
import torch

from engine import capture
from engine.capture import Captured
from engine.gradients import flat_meta_gradient
from engine.tasks import NoisyTask, stream
from engine.traces import TraceRecording
from engine.training import Trainer, Training
from engine.trees import Layout, stack, tree_map
from tests.engine.conftest import CASES, few, short

SMALL = Training(iterations=7, meta_batch=3, validation_tasks=4, validate_every=3)


def given(learner, distribution, index: int, tasks: int = 3, seeds: int = 2):
    """The parameters of some seeds as one tensor, their layout, and a batch of tasks."""
    params = stack([learner.init(stream("init", seed + 2 * index), distribution.spec) for seed in range(seeds)])
    drawn = stack([distribution.sample(stream("train", seed, index), tasks) for seed in range(seeds)])
    if size := learner.noise_size(distribution.spec):
        drawn = NoisyTask(*drawn, torch.rand(seeds, tasks, size, generator=stream("noise", 0, index)))
    layout = Layout(params)
    return layout, (layout.pack(params), drawn)


ALONE = [("maml", "regression"), ("sap", "regression"), ("mt-net", "classification"), ("lstm", "regression")]


@pytest.mark.parametrize(("name", "kind", "seeds"), [(*c, 2) for c in CASES] + [(*c, 1) for c in ALONE])
def test_a_trace_is_the_eager_meta_gradient_to_the_bit(name: str, kind: str, seeds: int):
    learner, distribution = short(name, steps=2), few(kind, shots=4, queries=6)
    if not learner.meta_trained:
        pytest.skip("learns nothing across tasks")
    layout, first = given(learner, distribution, 0, seeds=seeds)
    function = flat_meta_gradient(learner, layout, compiled=False)
    trace = TraceRecording(function, first)
    before = tree_map(torch.clone, first)
    for index in (0, 1, 2, 0):  # other numbers than it was made of, and those again
        _, other = given(learner, distribution, index, seeds=seeds)
        gradient, loss = trace(*other)
        right, error = function(*other)
        assert torch.equal(gradient, right)
        assert torch.equal(loss, error)
        assert float(gradient.abs().sum()) > 0
    tree_map(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), first, before)


def test_results_are_handed_over_for_good():
    learner, distribution = short("maml"), few("regression")
    layout, first = given(learner, distribution, 0)
    trace = TraceRecording(flat_meta_gradient(learner, layout, compiled=False), first)
    gradient, loss = trace(*first)
    kept = gradient.clone(), loss.clone()
    _, second = given(learner, distribution, 1)
    later, _ = trace(*second)
    assert not torch.equal(later, gradient)
    assert torch.equal(gradient, kept[0])
    assert torch.equal(loss, kept[1])


def test_what_is_computed_twice_is_kept_apart_where_it_is_written_over():
    def function(x, tasks):
        one, two = torch.zeros_like(x), torch.zeros_like(x)
        one.add_(x)
        return one + 10 * two, (x.view(2) + x.view(2)).sum().reshape(1)

    x, y = torch.tensor([1.0, 2.0]), torch.tensor([5.0])
    gradient, loss = TraceRecording(function, (x, [y]))(x + 1, [y])
    assert gradient.tolist() == [2.0, 3.0]
    assert loss.tolist() == [10.0]


def test_what_depends_on_shapes_alone_is_computed_once_and_what_is_drawn_every_time():
    def function(x, tasks):
        return x * (2 * torch.ones_like(x)).sum() + torch.arange(2) / 4, torch.rand(1) + x.sum()

    x, y = torch.tensor([1.0, 2.0]), torch.tensor([5.0])
    trace = TraceRecording(function, (x, [y]))
    assert "ones_like" not in str(trace._script.graph)
    assert "rand" in str(trace._script.graph)
    (first, one), (second, other) = trace(x, [y]), trace(x + 1, [y])
    assert first.tolist() == [4.0, 8.25]
    assert second.tolist() == [8.0, 12.25]
    assert float(other - one) != 2.0


def test_a_result_may_be_the_same_whatever_is_given():
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([5.0])
    trace = TraceRecording(lambda x, tasks: (torch.zeros_like(x), tasks[0] * 2), (x, [y]))
    gradient, loss = trace(x, [y + 1])
    assert gradient.tolist() == [0.0, 0.0]
    assert loss.tolist() == [12.0]


def test_what_looks_at_values_is_computed_as_before():
    def function(x, tasks):
        return (x if float(x.sum()) > 0 else -x), x.sum().reshape(1)

    x = torch.tensor([1.0, 2.0])
    captured = Captured.on("cpu", function, after=0)
    with pytest.warns(UserWarning, match="Meta-steps are not recorded"):
        captured(x, [x])
    assert captured(-x, [x])[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["maml", "reptile", "lstm", "mt-net"])
def test_a_training_ends_with_the_same_bits_whenever_recording_begins(name: str, monkeypatch: pytest.MonkeyPatch):
    """So that an interrupted training, which records anew, ends as if it had not been."""
    ends = []
    for after in (0, 3, 100):
        monkeypatch.setattr(capture, "WORTHWHILE", after)
        one = Trainer(short(name, steps=2), few("regression", shots=4, queries=6), SMALL, (0, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            one.run()
        assert len(one._gradient._recordings) == (after < SMALL.iterations)
        ends.append(one.flat.clone())
    start = Trainer(short(name, steps=2), few("regression", shots=4, queries=6), SMALL, (0, 1)).flat
    assert not torch.equal(ends[0], start)
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])
