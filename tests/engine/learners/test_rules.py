"""The parts of learned rules: all of them pass the hook, and what stands in their place is what adapts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.func import grad

from engine.learners import LEARNERS, make
from engine.learners.rules import LearnedRule, own
from engine.networks import MLP, perceptron
from engine.tasks import Sine, Task, stream
from engine.trees import named_leaves, tree_map

NETWORK = MLP((6, 5), output_bias=True)
RATE = 0.01
RULES = [name for name, cls in LEARNERS.items() if issubclass(cls, LearnedRule)]
SETTINGS: dict[str, dict[str, Any]] = {  # so that each can be gradient descent
    "turtle": {"param_lr": False, "inner_clip": None},
    "op-lstm": {"normalise": False},
}


def made(name: str) -> tuple[LearnedRule, dict[str, Any], Task]:
    settings = next((more for start, more in SETTINGS.items() if name.startswith(start)), {})
    learner = make(name, network=NETWORK, **settings)
    params = tree_map(torch.Tensor.double, learner.init(stream("init"), Sine.spec))
    task = tree_map(lambda leaf: leaf[0].double(), Sine(shots=7).sample(stream("page"), 1))
    assert isinstance(learner, LearnedRule)
    return learner, params, task


@pytest.mark.parametrize("name", RULES)
def test_listening_hears_every_part_in_every_step_and_changes_nothing(name: str):
    learner, params, task = made(name)
    heard: list[str] = []

    def listen(name: str, part: Any) -> Any:
        def called(*seen: Any) -> Any:
            heard.append(name)
            return part(*seen)

        return called

    state = learner.start(params, task.support_x, task.support_y)
    for _ in range(2):
        heard.clear()
        ends = [learner.step(params, state, task.support_x, task.support_y, *hook) for hook in ((), (own,), (listen,))]
        assert set(heard) == set(learner.parts)
        first, *others = (dict(named_leaves(end)) for end in ends)
        for other in others:
            assert list(first) == list(other)
            assert all(torch.equal(first[key], other[key]) for key in first)
        state = ends[0]


def descending(name: str, part: Any) -> Any:
    """In the place of a part: what gradient descent would say."""
    return {
        "optimiser": lambda params, seen: -RATE * seen[..., 0],
        "gates": lambda params, state, z, theta: {
            "i": torch.full_like(theta, RATE),
            "f": torch.ones_like(theta),
            "h1": state["h1"],
            "c1": state["c1"],
        },
        "output_lstm": lambda params, cells, pairs, memory: (memory, 2 * RATE * (pairs[:, 0] - pairs[:, 1])),
        "body_lstm": lambda params, cells, pairs, memory: (memory, pairs[:, 1] * (pairs[:, 0] > 0)),
    }[name]


@pytest.mark.parametrize("name", RULES)
def test_with_gradient_descent_in_its_place_every_rule_is_gradient_descent(name: str):
    learner, params, task = made(name)
    state = learner.start(params, task.support_x, task.support_y)
    net = dict(params["net"])
    for _ in range(3):
        state = learner.step(params, state, task.support_x, task.support_y, descending)
        g = grad(lambda n: (perceptron.forward(n, task.support_x) - task.support_y).square().mean())(net)
        frozen = name.startswith("op-lstm")  # its biases
        net = {k: v if frozen and k.startswith("bias") else v - RATE * g[k] for k, v in net.items()}
    found = learner.acting(params, state)
    assert found is not None
    for key, value in net.items():
        torch.testing.assert_close(found.weights[key], value, rtol=1e-10, atol=1e-13)
