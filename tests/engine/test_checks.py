"""The checks find what is wrong: for each there is a class that breaks it, and the sentence says how."""

import json
from dataclasses import dataclass, replace
from typing import Annotated

import pytest
import torch
from pydantic import Field
from torch.nn import functional

from engine.checks import CheckFailed, check_learner, check_network, check_task, outcomes
from engine.checks.learners import short
from engine.cli.main import main
from engine.learners import MAML, FirstOrderSAP
from engine.networks import MLP, Conv4
from engine.tasks import TASKS, GaussianClasses, Sine
from engine.trees import tree_map


class Nameless(MAML):
    title = ""


class DrawsOutside(MAML):
    def init(self, generator, spec):
        return tree_map(lambda leaf: leaf + torch.rand(()), super().init(generator, spec))


class DrawsNothing(MAML):
    def init(self, generator, spec):
        return tree_map(torch.ones_like, super().init(generator, spec))


class OneStateLess(MAML):
    def adapt(self, params, support_x, support_y, steps=None):
        return super().adapt(params, support_x, support_y, steps)[1:]


class Flat(MAML):
    def predict(self, params, state, x):
        return super().predict(params, state, x)[:, 0]


class Infinite(MAML):
    def predict(self, params, state, x):
        return super().predict(params, state, x) / 0


class ReadsValues(MAML):
    def step(self, params, state, support_x, support_y):
        return super().step(params, state, support_x, support_y) if float(support_y.sum()) > -1e9 else state


class OwnMeta(MAML):
    def meta_gradient(self, params, task):
        gradient, loss = super().meta_gradient(params, task)
        return tree_map(lambda g: g / 0, gradient), loss


class SumsOverSeeds(MAML):
    def predict(self, params, state, x):
        said = super().predict(params, state, x)
        return said - said.mean(0) if said.ndim > 2 else said


class FirstCounts(MAML):
    def step(self, params, state, support_x, support_y):
        return super().step(params, state, support_x[:4], support_y[:4])


class Forward(FirstOrderSAP):
    def step(self, params, state, support_x, support_y):
        return super().step(params, state, support_x * (2 if self.first_order else 1), support_y)


class Rounds(MAML):
    def predict(self, params, state, x):
        return super().predict(params, state, x) + (0.1 if x.dtype == torch.float32 else 0)


class Doubles(MAML):
    def predict(self, params, state, x):
        return super().predict(params, state, x).double()


class Climbs(MAML):
    def meta_gradient(self, params, task):
        gradient, loss = super().meta_gradient(params, task)
        return tree_map(torch.neg, gradient), loss


class NotTrained(MAML):
    meta_trained = False


LEARNERS = {
    Nameless: "Nameless must say its title, a text that is not empty.",
    DrawsOutside: "must draw from the generator that it is given and from nothing else: two that are alike",
    DrawsNothing: "nothing else: different ones gave the same parameters.",
    OneStateLess: "adapt must give the states before and after every step, 6; it gave 5.",
    Flat: r"predict must give (queries, outputs), (20, 1); after 0 steps it gave (20,).",
    Infinite: "predict must give finite numbers; after 0 steps some are not.",
    OwnMeta: "The meta-gradient must be finite.",
    SumsOverSeeds: "Predictions of a stack of seeds, parameters with a leading axis, are not those of each seed",
    FirstCounts: "permutation_invariant says True, but another order of the support changes predictions by",
    Forward: "A first-order learner must arrive where a second-order one does",
    Rounds: "Predictions in float32 are not those in float64",
    Doubles: "Predictions for float32 must be float32; torch.float64 was given.",
    Climbs: "not down.",
    NotTrained: "meta_trained is False, but a training changed the error",
}


@pytest.fixture(autouse=True)
def documented(monkeypatch):
    """Each breaks one thing only."""
    for cls in (*LEARNERS, ReadsValues, *NETWORKS, *DISTRIBUTIONS):
        monkeypatch.setattr(cls, "__doc__", "Broken.")


@pytest.mark.parametrize("cls", LEARNERS)
def test_what_is_wrong_with_a_learner_is_one_sentence(cls, monkeypatch):
    from engine import learners

    monkeypatch.setitem(learners.LEARNERS._builtin, cls.name, cls)
    with pytest.raises(CheckFailed) as failed:
        check_learner(short(cls))
    assert LEARNERS[cls] in str(failed.value)
    assert "\n" not in str(failed.value)


def test_what_fails_in_torch_is_one_sentence_too():
    from engine.checks.learners import batches_are_loops

    ((title, said),) = outcomes([batches_are_loops], short(ReadsValues), Sine(shots=7, queries=20))
    assert title == "Many tasks by vmap are each alone"
    assert said.startswith("It failed with RuntimeError: vmap: ") and "\n" not in said


class Undrawn(MLP):
    def init(self, generator, spec):
        return tree_map(lambda leaf: leaf + torch.rand(()), super().init(generator, spec))


class Deaf(MLP):
    def body(self, net, x, at=lambda point, value: value):
        def half(point, value):
            at(point, value)
            return value

        return super().body(net, x, half)


class Unnamed(MLP):
    def points(self, spec):
        return super().points(spec)[1:]


class Headless(MLP):
    @property
    def layers(self):
        return super().layers[1:]


class Crowd(MLP):
    def body(self, net, x, at=lambda point, value: value):
        z = super().body(net, x, at)
        return z - z.mean(-2, keepdim=True)


class Wrong(MLP):
    def pullback(self, net, x, at=lambda point, value: value):
        output, back = super().pullback(net, x, at)
        return output, lambda delta: {key: g * 1.01 for key, g in back(delta).items()}


@dataclass(frozen=True)
class Torchs(Conv4):
    def normed(self, net, place, z):
        return functional.batch_norm(z, None, None, net[f"scale{place}"], net[f"shift{place}"], training=True)


NETWORKS = {
    Undrawn: "two that are alike gave different weights.",
    Deaf: "What a hook gives back at input must be gone on with; it changed nothing.",
    Unnamed: "points must name what forward passes, input, layer1.weight,",
    Headless: "layers must name every tensor once",
    Crowd: "rowwise says True, but asking one by one changes predictions by",
    Wrong: "Second-order meta-gradients by vmap are off by",
}


@pytest.mark.parametrize("cls", NETWORKS)
def test_what_is_wrong_with_a_network_is_one_sentence(cls):
    with pytest.raises(CheckFailed) as failed:
        check_network(cls((6, 5)))
    assert NETWORKS[cls] in str(failed.value)


def test_norms_of_torch_are_found():
    with pytest.raises(CheckFailed, match=r"Second-order meta-gradients by vmap are off by .*: write norms out"):
        check_network(Torchs(channels=4, blocks=2))


class AlwaysNew(Sine):
    def draw(self, generator, tasks):
        return super().draw(torch.Generator().manual_seed(generator.initial_seed() + int(torch.rand(()) * 1e9)), tasks)


class OneForAll(Sine):
    def draw(self, generator, tasks):
        drawn = super().draw(generator, 1)
        return drawn._replace(task=tree_map(lambda v: v.expand(tasks, *v.shape[1:]), drawn.task))


class Short(Sine):
    def draw(self, generator, tasks):
        drawn = super().draw(generator, tasks)
        return drawn._replace(task=drawn.task._replace(support_x=drawn.task.support_x[:, 1:]))


class Noisy(Sine):
    def draw(self, generator, tasks):
        drawn = super().draw(generator, tasks)
        return drawn._replace(task=drawn.task._replace(query_y=drawn.task.query_y + 1))


class Unbalanced(GaussianClasses):
    def draw(self, generator, tasks):
        drawn = super().draw(generator, tasks)
        return drawn._replace(task=drawn.task._replace(support_y=drawn.task.support_y * 0))


@dataclass(frozen=True)
class Unlimited(Sine):
    shots: Annotated[int, Field(ge=0)] = 10


DISTRIBUTIONS = {
    AlwaysNew: "nothing else: two that are alike gave different tasks.",
    OneForAll: "Tasks of a batch must differ from each other.",
    Short: "support_x of 4 tasks must have shape (4, 10, 1); it has (4, 9, 1).",
    Noisy: "The truth at query_x must be query_y: queries have no noise.",
    Unbalanced: "Each of the 5 classes must have 5 support points; one has 25.",
    Unlimited: "shots = 0 must be refused",
}


@pytest.mark.parametrize("cls", DISTRIBUTIONS)
def test_what_is_wrong_with_a_task_is_one_sentence(cls):
    with pytest.raises(CheckFailed) as failed:
        check_task(replace(cls(), queries=12))
    assert DISTRIBUTIONS[cls] in str(failed.value)


@pytest.mark.parametrize("name", [name for name, cls in TASKS.items() if cls().missing is None])
def test_our_tasks_pass(name):
    check_task(TASKS[name]())


def test_the_command_line_says_each_outcome(capsys, tmp_path, monkeypatch):
    assert main(["check", "task", "sine"]) == 0
    assert all(line.startswith("ok      ") for line in capsys.readouterr().out.splitlines())
    broken = "from dataclasses import dataclass\nfrom engine.networks import MLP\n@dataclass(frozen=True)\n"
    broken += "class Mine(MLP):\n    name = 'mine'\n    title = 'Mine'\n    rowwise = False\n"
    (tmp_path / "mine.py").write_text(broken)
    monkeypatch.setenv("INNERLOOP_PLUGINS", str(tmp_path))
    assert main(["check", "network", "mine", "--set", "widths=[4]", "--task", "sine", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [list(row) for row in rows] == [["check", "ok", "said"]] * len(rows)
    wrong = {row["said"].split(":")[0].split(",")[0] for row in rows if not row["ok"]}
    assert wrong == {"rowwise says False"}
    assert main(["check", "learner", "nobody"]) == 2
