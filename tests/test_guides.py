"""The examples of docs/add-a-....md are complete: what stands there runs as it is, and does what the text says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from engine.errors import BadInput
from engine.learners import MAML
from engine.learners.scratch import Scratch
from engine.networks import MLP
from engine.runs.budget import Training
from engine.runs.ensembles import Ensemble
from engine.runs.run import describe, load, save
from engine.tasks import Sine, stream
from engine.training.trainer import Trainer
from engine.trees import tree_map
from probes import asking

DOCS = Path(__file__).resolve().parents[1] / "docs"


def block(kind: str) -> str:
    """The one block of Python of a guide."""
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / f"add-a-{kind}.md").read_text(), flags=re.S)
    return code


def example(kind: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The one block of Python of a guide, as a module."""
    code = block(kind)
    module = ModuleType(f"example_{kind}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where dataclasses look for their types
    exec(compile(code, f"add-a-{kind}.md", "exec"), module.__dict__)
    return module


def trained(learner, distribution) -> tuple[float, float]:
    """The validation error before and after a short training."""
    training = Training(iterations=60, meta_batch=8, lr=0.01, validation_tasks=40, validate_every=1000)
    seen: list[float] = []
    trainer = Trainer(learner, distribution, training, (0,))
    trainer.run(report=lambda progress: seen.extend(progress.validation or []))
    return seen[0], seen[-1]


def test_the_learner_moves_every_weight_equally_far_and_learns(monkeypatch: pytest.MonkeyPatch):
    learner = example("learner", monkeypatch).SignMAML(steps=1, inner_lr=0.01)
    task = tree_map(lambda v: v[0].double(), Sine(shots=7).sample(stream("page"), 1))
    params = tree_map(torch.Tensor.double, learner.init(stream("init"), Sine().spec))
    trajectory = learner.adapt(params, task.support_x, task.support_y)
    # finite differences say which way the loss falls
    for key, at in (("weight1", (3, 0)), ("bias2", (5,)), ("bias3", (0,))):
        nudge = torch.zeros_like(params["net"][key])
        nudge[at] = 1e-6
        sides = [{**params["net"], key: params["net"][key] + side * nudge} for side in (1, -1)]
        up, down = (learner.loss(learner.network.forward(net, task.support_x), task.support_y) for net in sides)
        expected = params["net"][key][at] - 0.01 * torch.sign(up - down)
        torch.testing.assert_close(trajectory[1]["net"][key][at], expected, rtol=0, atol=1e-15)
    before, after = trained(learner, Sine())
    assert after < 0.9 * before


def test_the_network_is_one_that_learners_adapt(monkeypatch: pytest.MonkeyPatch):
    network = example("network", monkeypatch).Tanh(width=16)
    spec = Sine().spec
    net = tree_map(torch.Tensor.double, network.init(stream("init"), spec))
    x = torch.linspace(-3, 3, 5, dtype=torch.float64)[:, None]
    seen: dict[str, torch.Size] = {}

    def listen(point: str, value: torch.Tensor) -> torch.Tensor:
        seen[point] = value.shape
        return value

    output = network.forward(net, x, listen)
    assert [(point.name, point.shape) for point in network.points(spec)] == [
        (name, tuple(shape) if name.endswith("weight") else tuple(shape[1:])) for name, shape in seen.items()
    ]
    assert torch.equal(network.features(net, x)["hidden 1"] @ net["head_weight"].T + net["head_bias"], output)
    before, after = trained(MAML(network=network, steps=1, test_steps=1), Sine())
    assert after < 0.9 * before


def test_the_task_is_one_that_learners_learn(monkeypatch: pytest.MonkeyPatch):
    distribution = example("task", monkeypatch).Steps(shots=6, queries=30)
    task, hidden, truth = distribution.draw(stream("page"), 50)
    x, y = torch.cat([task.support_x, task.query_x], 1), torch.cat([task.support_y, task.query_y], 1)
    assert torch.equal(y.abs(), hidden["height"][:, None, None].expand_as(y))
    assert torch.equal(y > 0, x > hidden["place"][:, None, None])
    assert torch.equal(truth(x), y) and truth(x.double()).dtype == torch.float64
    assert 0.5 <= hidden["height"].min() <= hidden["height"].max() <= 3 and hidden["place"].abs().max() <= 3
    before, after = trained(MAML(network=MLP((20,)), steps=1, test_steps=1), distribution)
    assert after < 0.9 * before


def test_the_probe_answers_and_says_whom_it_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "moved.py").write_text(block("probe"))
    monkeypatch.setenv("INNERLOOP_PLUGINS", str(tmp_path / "moved.py"))
    for name, learner in (("still", MAML(steps=1, test_steps=1, inner_lr=1e-9)), ("moves", MAML())):
        params = learner.init(stream("init"), Sine().spec)
        save(tmp_path / name, params, {**describe(learner, Sine(), 0), "status": "done"})
    answers = [
        asking.ask("moved", [Ensemble((load(tmp_path / name),))], {"tasks": 3}).by_learner["maml"]
        for name in ("still", "moves")
    ]
    assert [answer.shape for answer in answers] == [(1, 3)] * 2
    assert answers[0].max() < 1e-6 < answers[1].min()
    params = Scratch().init(stream("init"), Sine().spec)
    save(tmp_path / "scratch", params, {**describe(Scratch(), Sine(), 0), "status": "done"})
    with pytest.raises(BadInput, match=r"From scratch has learned nothing to start from\."):
        asking.ask("moved", [Ensemble((load(tmp_path / "scratch"),))], {})
