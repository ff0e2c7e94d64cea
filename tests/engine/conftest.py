"""Shared material of the engine's tests: float64 parameters, one task, a batch of tasks."""

import pytest
import torch

from engine.checks import learners
from engine.checks.checking import double
from engine.checks.learners import few
from engine.learners import LEARNERS, Learner
from engine.tasks import TASKS, Sine, Task, TaskDistribution, stream
from engine.trees import tree_map

__all__ = ["double", "few"]  # what tests import from here
REGRESSORS = [name for name, cls in LEARNERS.items() if "regression" in cls.kinds]
# SAP's gates enter a step squared: at its published inner rate, a short training on classes shows nothing.
SHORT = {name: {"inner_lr": 0.3} for name in ("sap", "sap-first-order")}
CASES = [(name, kind) for name, cls in LEARNERS.items() for kind in cls.kinds]  # every learner on all that it can learn


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
    return learners.short(LEARNERS[name], steps, test_steps, **SHORT.get(name, {}))


@pytest.fixture(params=REGRESSORS)
def learner(request) -> Learner:
    """Every registered learner that learns sine waves, with short adaptations."""
    return short(request.param)


def init(learner: Learner, seed: int = 0, distribution: TaskDistribution | None = None):
    """Float64 meta-parameters of a seed, for sine waves unless said otherwise."""
    return double(learner.init(stream("init", seed), (distribution or Sine()).spec))


@pytest.fixture
def float64(monkeypatch) -> None:
    """Whatever is trained is drawn, and therefore trained, in float64."""

    def widened(draw):
        return lambda *arguments: double(draw(*arguments))

    for cls, draw in [(cls, cls.sample) for cls in TASKS.values()]:
        monkeypatch.setattr(cls, "sample", widened(draw))
    for cls, draw in [(cls, cls.init) for cls in LEARNERS.values()]:
        monkeypatch.setattr(cls, "init", widened(draw))


@pytest.fixture
def few_test_tasks(monkeypatch) -> None:
    """What is trained is tested on ten tasks."""
    monkeypatch.setattr(TaskDistribution, "test_tasks", 10)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
