"""A training whose memory would not fit is refused before it starts, and the bound holds where it is measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.learners import make
from engine.networks import Conv4
from engine.runs.budget import Training
from engine.tasks import Sine
from engine.training import memory, plans
from tests.images import Bars

ROOT = Path(__file__).resolve().parents[3]
LARGE = Conv4(channels=64, blocks=3, norm="batch")

STEP = """
import sys, torch
torch.set_num_threads(1)
from engine.execution.gradients import meta_gradient
from engine.learners import make
from engine.networks import Conv4
from engine.processes import peak_memory
from engine.tasks import Classes, Image, Task, TaskSpec, stream
from engine.trees import stack
side, channels, tasks, steps = map(int, sys.argv[2:])
learner = make(sys.argv[1], network=Conv4(channels=channels), steps=steps)
params = stack([learner.init(stream("init"), TaskSpec(Image(3, side, side), Classes(5)))])
def points(of_each):
    return torch.randn(1, tasks, 5 * of_each, 3, side, side), torch.arange(5).repeat(1, tasks, of_each)
before = peak_memory()
meta_gradient(learner)(params, Task(*points(1), *points(15)))
print(before, peak_memory())
"""


MOVES = """
import sys
sys.path.insert(0, "tests/benchmarks")
from coordinates import measured
print(*measured(sys.argv[1], 140, 2, 2, False))
"""


class Coloured(Bars):
    """Bars of three colours and any size: only its spec is asked for."""

    name = "coloured"

    @property
    def spec(self):
        from engine.tasks import Classes, Image, TaskSpec

        return TaskSpec(Image(3, 84, 84), Classes(5))


@pytest.mark.parametrize(("name", "steps"), [("maml", 2), ("sap", 1), ("warp-maml", 2)])
def test_a_second_order_step_stays_under_the_bound(name, steps):
    """In a process of its own: what it holds at most is known there."""
    distribution = Coloured(shots=1, queries=15)
    learner = make(name, network=Conv4(channels=16), steps=steps)
    stated = memory.bound(learner, distribution, Training(meta_batch=2), 1, "cpu")
    done = subprocess.run(
        [sys.executable, "-c", STEP, name, "84", "16", "2", str(steps)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    before, most = map(int, done.stdout.split())
    assert before < most < stated
    assert stated - memory.BASE < 6 * (most - before), "a bound that says nothing"


@pytest.mark.parametrize("name", ["turtle", "meta-lstm-enhanced"])
def test_a_step_of_a_rule_for_every_weight_stays_under_the_bound(name):
    """With 20,161 coordinates, and so in chunks; what all of them take at once is above the bound."""
    done = subprocess.run([sys.executable, "-c", MOVES, name], cwd=ROOT, capture_output=True, text=True, check=True)
    most, _, stated = done.stdout.split()
    assert 0 < int(most) < int(stated) < 8 * int(most)


def test_what_does_not_fit_is_refused_and_the_setting_to_change_is_named(tmp_path, monkeypatch):
    learner, distribution = make("maml", network=LARGE), Bars(shots=5, queries=15)
    one = memory.bytes_of_task(learner, distribution)
    monkeypatch.setattr("engine.training.plans.physical_memory", lambda: memory.BASE + 3 * one)
    monkeypatch.setattr("engine.execution.policy.LARGE", 10**18)  # all tasks at once
    training = Training(meta_batch=4)
    with pytest.raises(
        BadInput, match=r"maml on bars may need .* GB of memory, and there are .* GB: set training.tasks_at_once to 3\."
    ):
        plans.plan(learner, distribution, training, (0,), tmp_path)
    assert list(tmp_path.iterdir()) == []
    plans.plan(learner, distribution, Training(meta_batch=4, tasks_at_once=3), (0,), tmp_path)
    monkeypatch.setattr("engine.training.plans.physical_memory", lambda: memory.BASE)
    with pytest.raises(BadInput, match="take a smaller network or fewer inner steps"):
        plans.plan(learner, distribution, training, (1,), tmp_path)
    plans.plan(make("lstm"), Sine(), training, (0,), tmp_path)


def test_large_tasks_are_held_one_by_one():
    learner = make("maml", network=LARGE)
    assert memory.tasks_held(learner, Coloured(), Training(meta_batch=4), 2, "cpu") == 1
    assert memory.tasks_held(learner, Coloured(), Training(meta_batch=4), 2, "cuda") == 8
    assert memory.tasks_held(make("maml"), Sine(), Training(meta_batch=4, tasks_at_once=3), 2, "cpu") == 6
