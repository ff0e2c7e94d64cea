"""Coordinates in chunks: the same values and derivatives as all at once, and less that is kept."""

from dataclasses import replace

import pytest
import torch
from torch.func import grad, jacrev, vmap

from engine.execution.gradients import flat_meta_gradient, meta_gradient, stepwise_meta_gradient
from engine.execution.traces import faithful
from engine.learners import coordinates, make
from engine.learners.coordinates import in_chunks
from engine.networks import MLP, perceptron
from engine.tasks import Sine, stream
from engine.trees import Layout, leaves, stack, tree_map
from tests.engine.conftest import init

SMALL = 25  # coordinates of a chunk; the network has 61, so that the last is shorter
LEARNERS = ("turtle", "turtle-first-order", "meta-lstm", "meta-lstm-enhanced")
MADE = [
    make(name, network=MLP((6, 6)), steps=2, hidden=(5, 4) if name.startswith("turtle") else 5) for name in LEARNERS
]
learners = pytest.mark.parametrize("learner", MADE, ids=LEARNERS)


def close(a, b, tolerance=1e-12):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


def both(monkeypatch, ask):
    """What is said to a question all at once, and in chunks."""
    whole = ask()
    monkeypatch.setattr(coordinates, "CHUNK", SMALL)
    return whole, ask()


@learners
def test_an_adaptation_is_the_same_for_one_seed_and_a_stack(learner, task, monkeypatch):
    seeds = stack([init(learner, seed) for seed in range(2)])

    def ask():
        of_each = [learner.adapt(init(learner, seed), task.support_x, task.support_y) for seed in range(2)]
        return [*of_each, learner.adapt(seeds, task.support_x, task.support_y)]

    close(*both(monkeypatch, ask))


@learners
def test_meta_gradients_are_the_same_for_seeds_and_tasks_at_once(learner, tasks, monkeypatch):
    """Through vmap over tasks and over seeds, by torch.func and by autograd around single steps."""
    params, many = stack([init(learner, seed) for seed in range(2)]), stack([tasks, tasks])
    asked = meta_gradient(learner), stepwise_meta_gradient(learner)
    whole, chunked = both(monkeypatch, lambda: [ask(params, many) for ask in asked])
    close(whole, chunked)
    assert all(float(leaf.abs().max()) > 0 for leaf in leaves(chunked[0][0]))


@pytest.mark.parametrize("name", ["turtle", "meta-lstm-enhanced"])
def test_a_replay_ends_with_the_same_bits(name, monkeypatch):
    monkeypatch.setattr(coordinates, "CHUNK", 40)
    learner = replace(MADE[LEARNERS.index(name)], steps=1)
    params = stack([learner.init(stream("init"), Sine.spec)])
    layout = Layout(params)
    given = layout.pack(params), stack([Sine(shots=4, queries=3).sample(stream("page"), 2)])
    faithful(flat_meta_gradient(learner, layout, compiled=False), given)  # raises if it ends with other bits


def of_perceptron(net, seen):
    """A rule with one answer, of one coordinate each."""
    return (perceptron.forward(net, seen).squeeze(-1),)


def test_derivatives_of_derivatives_pass(monkeypatch):
    net = tree_map(torch.Tensor.double, perceptron.init(stream("init"), (2, 3, 1)))
    seen = torch.randn(2, 35, 2, generator=stream("page"), dtype=torch.float64)

    def said(net, seen):
        return in_chunks(of_perceptron, net, 35, seen)[0].square().sum()

    def ask():
        return jacrev(jacrev(said))(net, seen[0]), vmap(grad(said, (0, 1)), in_dims=(None, 0))(net, seen)

    close(*both(monkeypatch, ask))


def test_only_what_the_rule_reads_is_kept(monkeypatch):
    """Counted by autograd itself: with chunks, the parameters and what is seen, whose chunks are parts of it."""
    net = {key: value.requires_grad_() for key, value in perceptron.init(stream("init"), (2, 20, 20, 1)).items()}
    seen = torch.randn(50, 2, generator=stream("page"), requires_grad=True)

    def ask():
        kept = {}

        def pack(value):
            kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes() // 4
            return value

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            (said,) = in_chunks(of_perceptron, net, 50, seen)
        del said
        return sum(kept.values())

    whole, chunked = both(monkeypatch, ask)
    assert chunked == seen.numel() + sum(leaf.numel() for leaf in net.values())
    assert whole > chunked + 50 * 2 * 20 - sum(leaf.numel() for leaf in net.values())
