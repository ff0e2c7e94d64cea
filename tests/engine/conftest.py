"""Shared material of the engine's tests: float64 parameters, one task, a batch of tasks."""

from dataclasses import fields

import pytest
import torch

from engine.learners import LEARNERS, Learner
from engine.tasks import Sine, Task, stream
from engine.trees import tree_map


def double(tree):
    """The same tree in float64."""
    return tree_map(lambda leaf: leaf.double(), tree)


@pytest.fixture
def task() -> Task:
    """One sine task with 7 support and 20 query points, float64."""
    batch = Sine(shots=7, queries=20).sample(stream("page", 3), 1)
    return tree_map(lambda v: v[0].double(), batch)


@pytest.fixture
def tasks() -> Task:
    """Four sine tasks, float64."""
    return double(Sine(shots=7, queries=20).sample(stream("page", 4), 4))


def short(name: str, steps: int = 3, test_steps: int = 5) -> Learner:
    """The learner `name` with few inner steps, where it has them."""
    own = {field.name for field in fields(LEARNERS[name])}
    return LEARNERS[name](**{key: v for key, v in {"steps": steps, "test_steps": test_steps}.items() if key in own})


@pytest.fixture(params=list(LEARNERS))
def learner(request) -> Learner:
    """Every registered learner, with short adaptations."""
    return short(request.param)


def init(learner: Learner, seed: int = 0):
    """Float64 meta-parameters of a seed."""
    return double(learner.init(stream("init", seed), Sine.spec))


@pytest.fixture
def float64(monkeypatch) -> None:
    """Whatever is trained is drawn, and therefore trained, in float64."""

    def widened(draw):
        return lambda *arguments: double(draw(*arguments))

    monkeypatch.setattr(Sine, "sample", widened(Sine.sample))
    for cls, draw in [(cls, cls.init) for cls in LEARNERS.values()]:
        monkeypatch.setattr(cls, "init", widened(draw))


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
