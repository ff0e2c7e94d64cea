"""A trace computes what it was made of, to the bit, for every learner; a training cannot tell where it began."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace

import pytest
import torch

from engine.configure import configure
from engine.execution import capture, traces
from engine.execution.capture import Captured
from engine.execution.gradients import flat_meta_gradient
from engine.execution.traces import TraceRecording, faithful
from engine.learners import LEARNERS, Learner
from engine.runs.budget import Training
from engine.tasks import NoisyTask, Sine, stream
from engine.training import recipes
from engine.training.trainer import Trainer
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


SHIPPED = [name for name, cls in LEARNERS.items() if cls.meta_trained and "regression" in cls.kinds]


def shipped(name: str, most: int = 2) -> Learner:
    """The learner at the size that ships for sine waves, with as many inner steps, but no more than `most`."""
    learner = configure(LEARNERS[name], recipes.recipe("sine", "default", name, 5).hyper_parameters, name)
    if "steps" in {field.name for field in fields(learner)}:
        return replace(learner, steps=min(learner.train_steps, most))
    return learner


ON_CLASSES = ("protonet", "centroid-finetuning", "maml", "lstm", "mt-net")  # on others another loss changes nothing


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name, kind in CASES
        if LEARNERS[name].meta_trained and (kind == "regression" or name in ON_CLASSES)
    ],
)
def test_a_trace_of_several_seeds_is_the_eager_meta_gradient_to_the_bit(name: str, kind: str):
    as_eager(short(name, steps=2), few(kind, shots=4, queries=6), seeds=2)


@pytest.mark.parametrize("name", SHIPPED)
def test_at_the_shipped_size_a_trace_of_one_seed_is_the_eager_meta_gradient_to_the_bit(name: str):
    """One seed has no axis of seeds: its matrix products are others, which TorchScript would add up otherwise."""
    as_eager(shipped(name), Sine(shots=5), seeds=1)


def as_eager(learner: Learner, distribution, seeds: int):
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


def test_a_trace_that_ends_with_other_bits_is_not_used(monkeypatch: pytest.MonkeyPatch):
    """Sums of matrix products are what TorchScript rewrites once it has run them."""

    def function(x, tasks):
        return (tasks[0] @ x + tasks[1] @ x) + (tasks[2] @ x + tasks[3] @ x), x.sum().reshape(1)

    drawn = torch.randn(5, 8, 8, generator=stream("noise", 0))
    x, tasks = drawn[0], list(drawn[1:])
    assert torch.equal(faithful(function, (x, tasks))(x, tasks)[0], function(x, tasks)[0])
    monkeypatch.setattr(traces, "PLAIN", {})
    with pytest.raises(RuntimeError, match="other bits"):
        faithful(function, (x, tasks))
    captured = Captured.on("cpu", function, after=0)
    with pytest.warns(UserWarning, match=r"not recorded .*other bits"):
        found = captured(x, tasks)
    assert torch.equal(found[0], function(x, tasks)[0])


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


@pytest.mark.parametrize(("name", "seeds"), [("lstm", 1), ("t-net", 1), ("reptile", 2), ("mt-net", 2)])
def test_a_training_ends_with_the_same_bits_whenever_recording_begins(
    name: str, seeds: int, monkeypatch: pytest.MonkeyPatch
):
    """So that an interrupted training, which records anew, ends as if it had not been."""
    ends = []
    for after in (0, 3, 100):
        monkeypatch.setattr(capture, "WORTHWHILE", after)
        one = Trainer(shipped(name), Sine(shots=5), SMALL, tuple(range(seeds)))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            one.run()
        assert len(one._gradient._recordings) == (after < SMALL.iterations)
        ends.append(one.flat.clone())
    start = Trainer(shipped(name), Sine(shots=5), SMALL, tuple(range(seeds))).flat
    assert not torch.equal(ends[0], start)
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])
