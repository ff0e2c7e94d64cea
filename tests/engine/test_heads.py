"""Fresh output layers at test time: new for every task, nothing else touched, refused where there is none."""

import math
from dataclasses import replace

import pytest
import torch

from engine.errors import BadInput
from engine.evaluation import held_out_tasks, step_scores
from engine.heads import fresh_heads, with_head
from engine.learners import make
from engine.networks import Conv4
from engine.tasks import GaussianClasses, Sine, stream
from engine.trees import leaves
from tests.engine.conftest import short
from tests.images import Bars

WAVES, CLASSES = Sine(shots=4, queries=6), GaussianClasses(ways=3, shots=2, queries=2)
CONV = Conv4(channels=8, blocks=2, norm="group")
HEADED = ("maml", "fomaml", "reptile", "finetuning", "scratch", "op-lstm")


def made(name, distribution=WAVES, **settings):
    learner = replace(short(name, steps=2, test_steps=3), **settings)
    return learner, learner.init(stream("init"), distribution.spec)


def test_weights_are_drawn_as_at_the_start_and_biases_are_zero():
    heads = fresh_heads(*made("maml"), stream("head"), 500)
    assert (heads["weight"].shape, heads["bias"].shape) == ((500, 1, 40), (500, 1))
    bound = 1 / math.sqrt(40)
    assert float(heads["weight"].abs().max()) == pytest.approx(bound, rel=1e-3)
    assert float(heads["weight"].abs().max()) <= bound
    assert float(heads["weight"].std()) == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert float(heads["bias"].abs().max()) == 0


def test_every_task_has_its_own_and_the_generator_decides_which():
    learner, params = made("maml")
    one, same, other = (fresh_heads(learner, params, stream("head", seed), 3)["weight"] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


def test_only_the_head_changes():
    learner, params = made("reptile")
    before = [leaf.clone() for leaf in leaves(params)]
    head = {name: part[0] for name, part in fresh_heads(learner, params, stream("head"), 1).items()}
    changed = with_head(learner, params, head)
    assert torch.equal(changed["net"]["weight3"], head["weight"])
    assert torch.equal(changed["net"]["bias3"], head["bias"])
    for name in ("weight1", "bias1", "weight2", "bias2"):
        assert changed["net"][name] is params["net"][name]
    assert changed.keys() == params.keys()
    assert all(torch.equal(a, b) for a, b in zip(before, leaves(params), strict=True))


def test_the_head_of_any_network_is_replaced():
    """Conv4's, under its own names; all else stays, and there is no bias where there was none."""
    learner, params = made("maml", Bars(), network=CONV)
    heads = fresh_heads(learner, params, stream("head"), 2)
    weight, bias = learner.network.head.keys
    assert heads["weight"].shape == (2, *params["net"][weight].shape)
    changed = with_head(learner, params, {key: part[1] for key, part in heads.items()})
    assert {key for key in params["net"] if changed["net"][key] is not params["net"][key]} == {weight, bias}
    assert torch.equal(changed["net"][weight], heads["weight"][1])


@pytest.mark.parametrize(
    ("name", "distribution", "settings"),
    [(name, tasks, {}) for tasks in (WAVES, CLASSES) for name in HEADED]
    + [(name, Bars(queries=2), {"network": CONV}) for name in ("maml", "sap", "finetuning")],
)
def test_scores_are_those_of_each_task_with_its_own_head(name, distribution, settings, monkeypatch):
    monkeypatch.setattr("engine.evaluation.CHUNK", 3)  # the last chunk is smaller
    learner, params = made(name, distribution, **settings)
    tasks, heads = held_out_tasks(distribution, 7), fresh_heads(learner, params, stream("head"), 7)
    losses = step_scores(learner, params, tasks, 2, heads).losses
    for i in (0, 5):
        start = with_head(learner, params, {key: part[i] for key, part in heads.items()})
        trajectory = learner.adapt(start, tasks.support_x[i], tasks.support_y[i], 2)
        by_hand = [learner.loss(learner.predict(start, s, tasks.query_x[i]), tasks.query_y[i]) for s in trajectory]
        torch.testing.assert_close(losses[i], torch.stack(by_hand), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(losses, step_scores(learner, params, tasks, 2).losses)


@pytest.mark.parametrize("name", ["lstm", "protonet", "centroid-finetuning"])
def test_learners_without_an_output_layer_say_so(name):
    learner = make(name)
    params = learner.init(stream("init"), GaussianClasses().spec)
    with pytest.raises(BadInput, match=f"{name} has no learned output layer that a fresh one could replace"):
        fresh_heads(learner, params, stream("head"), 1)
