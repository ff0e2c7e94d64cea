"""Every learner on every kind of network: an MLP and small convolutions, on images; and a sentence where it cannot."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch.func import vmap

from engine.evaluation import step_scores
from engine.execution import policy
from engine.execution.gradients import flat_meta_gradient, meta_gradient
from engine.execution.traces import faithful
from engine.learners import LEARNERS, Learner
from engine.networks import MLP, Conv4, Network
from engine.operations import convolve
from engine.runs.run import describe, load, save
from engine.tasks import Classes, Image, Task, TaskSpec, stream
from engine.trees import Layout, leaves, named_leaves, stack, tree_map
from tests.engine.conftest import SHORT, double

SIDE, WAYS = 14, 3
SPEC = TaskSpec(Image(1, SIDE, SIDE), Classes(WAYS))
CONVS = {
    f"conv4, norm {norm}": Conv4(channels=8, blocks=3, norm=norm) for norm in ("batch", "support", "group", "none")
}
NETWORKS: dict[str, Network] = {"mlp": MLP((8,)), **CONVS}
SMALL = {"steps": 2, "test_steps": 3, "hidden": 4, "embedding": 6, "inner_batch": 4}


def made(name: str, network: Network) -> Learner:
    """The learner `name` with few steps on a network, which is its encoder where it has no other use for one."""
    known = {field.name for field in fields(LEARNERS[name])}
    place = "network" if "network" in known else "encoder"
    small = {key: value for key, value in SMALL.items() if key in known}
    if name.startswith("turtle"):
        small["hidden"] = (4,)
    if name.startswith("sap") and isinstance(network, MLP):
        small["ranks"] = (2,)
    if name.startswith("op-lstm") and not isinstance(network, MLP):
        small["writes"] = "head"
    return LEARNERS[name](**{place: network, **small, **SHORT.get(name, {})})


def images(tasks: int, seed: int = 0) -> Task:
    """Tasks of three classes: a pattern each, drawn anew for every task, with noise. Float64."""
    generator = stream("page", seed)
    patterns = torch.randn(tasks, WAYS, 1, SIDE, SIDE, generator=generator, dtype=torch.float64)

    def points(of_each: int) -> tuple[torch.Tensor, torch.Tensor]:
        y = torch.arange(WAYS).repeat(tasks, of_each)
        noise = torch.randn(tasks, WAYS * of_each, 1, SIDE, SIDE, generator=generator, dtype=torch.float64)
        return patterns[torch.arange(tasks)[:, None], y] + 0.5 * noise, y

    return Task(*points(2), *points(3))


CASES = [
    (name, kind)
    for name, cls in LEARNERS.items()
    if "classification" in cls.kinds
    for kind, network in NETWORKS.items()
    if made(name, network).refused(SPEC) is None
    and (kind == "conv4, norm support" or name in ("maml", "protonet", "lstm", "sap"))
]


@pytest.fixture(params=CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def learner(request) -> Learner:
    """Every learner with every network that it can have."""
    name, kind = request.param
    return made(name, NETWORKS[kind])


def drawn(learner: Learner, seed: int = 0):
    return double(learner.init(stream("init", seed), SPEC))


def close(a, b, tolerance=1e-10):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


def test_every_learner_learns_images_with_convolutions():
    assert [name for name in LEARNERS if made(name, CONVS["conv4, norm batch"]).refused(SPEC)] == []
    said = LEARNERS["op-lstm"](network=CONVS["conv4, norm batch"]).refused(SPEC)
    assert said == "it cannot write into convolutions; on Conv4 it needs writes = head."


def test_every_adaptation_has_its_shapes_and_tasks_at_once_are_each_alone(learner):
    params, tasks = drawn(learner), images(3)

    def path(x, y, query):
        return torch.stack([learner.predict(params, state, query) for state in learner.adapt(params, x, y)])

    alone = [path(*one) for one in zip(tasks.support_x, tasks.support_y, tasks.query_x, strict=True)]
    assert alone[0].shape == (learner.evaluation_steps + 1, WAYS * 3, WAYS)
    assert all(bool(one.isfinite().all()) for one in alone)
    close(vmap(path)(tasks.support_x, tasks.support_y, tasks.query_x), torch.stack(alone))


def test_meta_gradients_of_seeds_and_tasks_at_once_are_those_of_each(learner):
    params, tasks = [drawn(learner, seed) for seed in range(2)], images(2)
    together, _ = meta_gradient(learner)(stack(params), stack([tasks, tasks]))
    for seed, one in enumerate(params):
        each = [learner.meta_gradient(one, tree_map(lambda v: v[i], tasks))[0] for i in range(2)]  # noqa: B023
        mean = tree_map(lambda *g: torch.stack(g).mean(0), *each)
        close(tree_map(lambda g: g[seed], together), mean, 1e-9)  # noqa: B023


@pytest.mark.parametrize("name", ["maml", "reptile", "mt-net", "protonet"])
def test_tasks_one_by_one_are_tasks_all_at_once(name, monkeypatch):
    """Large tasks with convolutions go one after the other: meta-gradients and evaluations are the same."""
    learner = made(name, CONVS["conv4, norm support"])
    params, tasks = drawn(learner), images(3)
    found = []
    for large in (1e9, 0):
        monkeypatch.setattr(policy, "LARGE", large)
        assert policy.one_by_one(learner, tasks) == (large == 0)
        batch = stack([params]), tree_map(lambda v: v[None], tasks)
        found.append([*meta_gradient(learner)(*batch), *step_scores(learner, params, tasks)])
    close(*found, 1e-9)


@pytest.mark.parametrize("many", [convolve.MANY, 0])
def test_convolutions_are_replayed_with_the_same_bits(many, monkeypatch):
    """TorchScript takes matrix products, but no derivatives of convolutions: such a graph is then run from Python."""
    monkeypatch.setattr(convolve, "MANY", many)
    learner = made("maml", CONVS["conv4, norm support"])
    params, tasks = stack([learner.init(stream("init"), SPEC)]), stack([images(2)])
    tasks = tree_map(lambda v: v.float() if v.is_floating_point() else v, tasks)
    layout = Layout(params)
    function, given = flat_meta_gradient(learner, layout, compiled=False), (layout.pack(params), tasks)
    replay = faithful(function, given)  # raises if it ends with other bits
    assert isinstance(replay._script, torch.jit.ScriptFunction) == bool(many)
    other = given[0] + 0.1, tree_map(lambda v: v.flip(1), tasks)
    assert all(map(torch.equal, replay(*other), function(*other)))


def test_a_query_stands_for_itself_unless_norms_look_at_the_batch(learner):
    network = next(v for f in fields(learner) if isinstance(v := getattr(learner, f.name), Network))
    params, task = drawn(learner), tree_map(lambda v: v[0], images(1))
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    whole = learner.predict(params, state, task.query_x)
    single = torch.cat([learner.predict(params, state, one[None]) for one in task.query_x])
    assert (float((whole - single).abs().max()) < 1e-10) == network.rowwise


def test_acting_is_what_predicts(learner):
    params, task = drawn(learner), tree_map(lambda v: v[0], images(1))
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    if (acting := learner.acting(params, state)) is not None:
        close(acting(task.query_x), learner.predict(params, state, task.query_x))
        hidden = acting.network.features(acting.weights, task.query_x, acting.at)
        assert all(value.shape[0] == len(task.query_x) and value.ndim == 2 for value in hidden.values())


def test_files_keep_it(learner, tmp_path):
    from engine.tasks import GaussianClasses

    params = learner.init(stream("init"), GaussianClasses(dimensions=4).spec) if _rows(learner) else None
    if params is None:
        assert load_described(learner) == learner
        return
    save(tmp_path, params, {**describe(learner, GaussianClasses(dimensions=4), 0), "status": "done"})
    run = load(tmp_path)
    assert run.learner == learner
    assert all(torch.equal(a, b) for a, b in zip(leaves(run.params), leaves(params), strict=True))
    assert [name for name, _ in named_leaves(run.params)] == [name for name, _ in named_leaves(params)]


def _rows(learner: Learner) -> bool:
    from engine.tasks import GaussianClasses

    return learner.refused(GaussianClasses(dimensions=4).spec) is None


def load_described(learner: Learner) -> Learner:
    """A learner from the plain values that a record would hold, through JSON."""
    import json

    from engine.configure import plain_values
    from engine.learners import make

    return make(learner.name, **json.loads(json.dumps(plain_values(learner))))


def test_a_gradient_in_another_order_of_keys_trains_the_same(monkeypatch):
    """Parameters lie in one flat tensor; what belongs where is decided by name."""
    from engine.runs.budget import Training
    from engine.tasks import Sine
    from engine.training.trainer import Trainer

    training = Training(iterations=3, meta_batch=2, validation_tasks=2)
    plain = Trainer(LEARNERS["maml"](), Sine(shots=3), training, (0,))
    plain.run()
    whole = Learner.meta_gradient

    def backwards(learner, params, task):
        gradient, loss = whole(learner, params, task)
        return {"net": dict(reversed(gradient["net"].items()))}, loss

    class Backwards(LEARNERS["maml"]):
        meta_gradient = backwards

    other = Trainer(Backwards(), Sine(shots=3), training, (0,))
    other.run()
    close(other.params, plain.params, 1e-6)
