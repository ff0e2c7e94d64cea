"""Meta-gradients and their curvature in float64: finite differences, graphs cut by hand, quadratics, exact Hessians."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian

from engine import Run, Sine, make
from engine.learners import LEARNERS, Learner, Params, State
from engine.networks import MLP, perceptron
from engine.runs.ensembles import Ensemble
from engine.runs.run import KEPT as FOLDER
from engine.tasks import Task, stream
from engine.trees import tree_map
from probes import asking
from probes.questions import meta_gradients
from probes.questions.meta_gradients import ALL, INITIALISATION, KEPT, RULE, TRAINED, UNTRAINED, compare, meta_gradient
from probes.tools.losses import double, flat, gradient, hessian_vector, meta_surface
from probes.tools.meta_curvature import curvatures, hutchinson, top_eigenvalue
from tests.probes.questions.test_diversity import ensemble

SMALL = {
    "maml": {"network": MLP((5, 4)), "steps": 3, "inner_lr": 0.05},
    "turtle": {"network": MLP((5,)), "steps": 2, "hidden": (4,), "inner_clip": None},
    "meta-lstm": {"network": MLP((5,)), "steps": 2, "hidden": 3},
    "meta-lstm-enhanced": {"network": MLP((5,)), "steps": 2, "hidden": 3},
    "sap": {"network": MLP((6,)), "steps": 1, "ranks": (2, 4)},
}
RADIUS = 0.03


@dataclass(frozen=True)
class Bowl(Learner):
    """A quadratic in place of a network: loss sum of c_i (theta_i - y_i)^2, one tensor for each theta_i."""

    name = "bowl"
    title = "Bowl"
    curvatures: tuple[float, ...] = (1.0, 3.0)
    steps: int = 2
    inner_lr: float = 0.1
    scale: float = 1.0  # theta is kept divided by it
    first_order: bool = False

    def init(self, generator: torch.Generator, spec: object) -> Params:
        values = torch.randn(len(self.curvatures), generator=generator, dtype=torch.float64)
        return {"net": {f"theta{i}": v[None] / self.scale for i, v in enumerate(values)}}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"theta": torch.cat([leaf * self.scale for leaf in params["net"].values()])}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        g = 2 * torch.tensor(self.curvatures, dtype=torch.float64) * (state["theta"] - support_y)
        return {"theta": state["theta"] - self.inner_lr * (g.detach() if self.first_order else g)}

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return state["theta"]

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (torch.tensor(self.curvatures, dtype=torch.float64) * (prediction - target) ** 2).sum(-1)


def bowl_tasks(size: int = 2, tasks: int = 3) -> Task:
    """Support and query have the same targets (tasks, size)."""
    y = torch.randn(tasks, size, generator=stream("page", 5), dtype=torch.float64)
    return Task(y, y, y, y)


def sines(tasks: int = 3) -> Task:
    return double(Sine(shots=6, queries=9).sample(stream("page", 4), tasks))


def drawn(name: str) -> tuple[Learner, Params]:
    learner = make(name, **SMALL[name])
    return learner, double(learner.init(stream("init"), Sine.spec))


@pytest.mark.parametrize("name", list(SMALL))
def test_the_exact_meta_gradient_is_the_slope_of_the_meta_loss(name: str):
    learner, params = drawn(name)
    surface = meta_surface(learner, params, sines())
    found = meta_gradient(learner, params, sines(), first_order=False)
    rng = torch.Generator().manual_seed(0)
    for _ in range(3):
        v = torch.randn(surface.size, generator=rng, dtype=torch.float64)
        ends = [float(surface.loss(surface.centre + step * v)) for step in (1e-6, -1e-6)]
        assert float(found @ v) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_first_order_maml_is_the_query_gradient_where_the_inner_loop_ends():
    learner, params = drawn("maml")
    tasks, expected = sines(), []
    for i in range(3):
        x, y, query_x, query_y = (part[i] for part in tasks)
        net = params["net"]
        for _ in range(learner.train_steps):
            g = grad(lambda n: (perceptron.forward(n, x) - y).square().mean())(net)  # noqa: B023
            net = {key: net[key] - 0.05 * g[key] for key in net}
        expected.append(flat(grad(lambda n: (perceptron.forward(n, query_x) - query_y).square().mean())(net))[0])  # noqa: B023
    found = meta_gradient(learner, params, tasks, first_order=True)
    torch.testing.assert_close(found, torch.stack(expected).mean(0), rtol=1e-10, atol=1e-12)


def test_first_order_turtle_is_the_gradient_with_the_inner_gradients_put_in_as_numbers():
    learner, params = drawn("turtle")
    tasks, expected = sines(), []

    def walk(
        params: Params, numbers: list[perceptron.Net] | None, x: Tensor, y: Tensor
    ) -> tuple[perceptron.Net, list[perceptron.Net]]:
        """TURTLE written out; gradients are computed, or taken from `numbers`."""
        net, seen, H = params["net"], [], None
        for t in range(learner.train_steps):
            g = numbers[t] if numbers else grad(lambda n: (perceptron.forward(n, x) - y).square().mean())(net)
            H = g if H is None else {key: 0.9 * H[key] + 0.1 * g[key] for key in g}
            seen.append(g)
            move = {
                key: perceptron.forward(params["optimiser"], torch.stack([g[key], H[key]], -1).reshape(-1, 2)).reshape(
                    g[key].shape
                )
                for key in g
            }
            net = {key: net[key] + params["learning_rates"][key] * move[key] for key in net}
        return net, seen

    for i in range(3):
        x, y, query_x, query_y = (part[i] for part in tasks)
        _, numbers = walk(params, None, x, y)

        def cut(p: Params, numbers=numbers, x=x, y=y, query_x=query_x, query_y=query_y) -> Tensor:
            return (perceptron.forward(walk(p, numbers, x, y)[0], query_x) - query_y).square().mean()

        expected.append(flat(grad(cut)(params))[0])
    found = meta_gradient(learner, params, tasks, first_order=True)
    torch.testing.assert_close(found, torch.stack(expected).mean(0), rtol=1e-9, atol=1e-12)


def test_without_inner_steps_nothing_is_left_out():
    learner = Bowl(steps=0)
    params = learner.init(stream("init"), None)
    pair = [meta_gradient(learner, params, bowl_tasks(), first_order=first) for first in (True, False)]
    assert compare(*pair) == (pytest.approx(1, abs=1e-15), pytest.approx(1, abs=1e-15))


@pytest.mark.parametrize("name", ["maml", "turtle"])
def test_a_first_order_form_is_exact_where_the_rule_reads_no_curvature(name: str):
    """With a learning rate (a lambda) of about 0, the inner loop goes nowhere and its gradients do not matter."""
    learner, params = drawn(name)
    if name == "maml":
        learner = make(name, **SMALL[name] | {"inner_lr": 1e-9})
    else:
        params["learning_rates"] = tree_map(lambda leaf: 1e-9 * leaf, params["learning_rates"])
    masks = meta_gradients.blocks(learner, params)
    pair = [meta_gradient(learner, params, sines(), first_order=f)[masks[INITIALISATION]] for f in (True, False)]
    assert compare(*pair) == (pytest.approx(1, abs=1e-6), pytest.approx(1, abs=1e-6))


def test_one_dimension_by_hand():
    """g = (1 - 2 alpha c)^(2T) 2c (theta - y), and the first-order form lacks one factor (1 - 2 alpha c)^T."""
    learner = Bowl(curvatures=(1.5,), steps=3, inner_lr=0.2)
    params = learner.init(stream("init"), None)
    tasks = bowl_tasks(1)
    theta, shrink = params["net"]["theta0"], 1 - 2 * 0.2 * 1.5
    exact = (shrink**6 * 3 * (theta - tasks.query_y)).mean()
    pair = [meta_gradient(learner, params, tasks, first_order=first) for first in (True, False)]
    assert float(pair[1]) == pytest.approx(float(exact), rel=1e-12)
    cosine, ratio = compare(*pair)
    assert (cosine, ratio) == (pytest.approx(1), pytest.approx(shrink**-3, rel=1e-12))


def test_two_curvatures_turn_the_first_order_gradient_by_a_known_angle():
    learner = Bowl(curvatures=(1.0, 3.0), steps=2, inner_lr=0.1)
    params = learner.init(stream("init"), None)
    tasks = bowl_tasks()
    theta, c = torch.cat(list(params["net"].values())), torch.tensor([1.0, 3.0], dtype=torch.float64)
    shrink = (1 - 0.2 * c) ** 2
    first = (shrink * 2 * c * (theta - tasks.query_y)).mean(0)
    exact = shrink * first
    expected = float(first @ exact / (first.norm() * exact.norm()))
    pair = [meta_gradient(learner, params, tasks, first_order=f) for f in (True, False)]
    assert compare(*pair) == (pytest.approx(expected, rel=1e-12), pytest.approx(float(first.norm() / exact.norm())))
    assert expected < 0.999


def test_a_gradient_of_zero_has_no_direction():
    assert all(np.isnan(value) for value in compare(torch.zeros(3), torch.ones(3)))


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # PyTorch's own, at its first hessian
@pytest.mark.parametrize("name", ["maml", "turtle", "meta-lstm-enhanced"])
def test_eigenvalues_and_traces_are_those_of_the_written_out_hessian(name: str):
    learner, params = drawn(name)
    surface = meta_surface(learner, params, sines())
    matrix, product = hessian(surface.loss)(surface.centre), hessian_vector(surface, surface.centre)
    masks = meta_gradients.blocks(learner, params)
    traces = hutchinson(product, surface.size, masks, stream("page"), 200)
    for block, mask in masks.items():
        part = matrix[mask][:, mask]
        values = torch.linalg.eigvalsh(part)
        assert top_eigenvalue(product, mask) == pytest.approx(float(values[values.abs().argmax()]), rel=1e-3)
        mean, error = traces[block]
        assert abs(mean - float(part.trace())) < 4 * error + 1e-9


def test_curvature_of_a_quadratic_by_hand():
    learner, tasks = Bowl(curvatures=(1.0, 3.0), steps=1, inner_lr=0.05), bowl_tasks()
    params = learner.init(stream("init"), None)
    theta, c = torch.cat(list(params["net"].values())), torch.tensor([1.0, 3.0], dtype=torch.float64)
    h = 2 * c * (1 - 0.1 * c) ** 2  # the Hessian is diagonal
    found = measured(learner, params, tasks)
    slope = (h * (theta - tasks.query_y)).mean(0)
    assert found.eigenvalue == pytest.approx(float(h.max()), rel=1e-9)
    assert (found.trace, found.trace_error) == (pytest.approx(float(h.sum())), pytest.approx(0, abs=1e-12))
    assert found.along == pytest.approx(float((h * slope**2).sum() / slope.square().sum()), rel=1e-9)
    assert found.scaled == pytest.approx(float(h.max() * theta.square().sum()), rel=1e-9)
    assert found.rise == pytest.approx(float(RADIUS**2 / 2 * (h * theta**2).sum()), rel=1e-6)


def measured(learner: Learner, params: Params, tasks: Task):
    surface = meta_surface(learner, params, tasks)
    product, masks = hessian_vector(surface, surface.centre), meta_gradients.blocks(learner, params)
    slope = gradient(surface, surface.centre)
    return curvatures(surface, product, slope, masks, stream("page"), vectors=2, radius=RADIUS)[ALL]


def test_what_does_not_depend_on_the_scale_of_the_parameters():
    """The same function of theta / 10: raw curvature is a hundred times as large, the scaled forms are the same."""
    plain, tenth = Bowl(), Bowl(scale=10.0)
    a, b = (measured(one, one.init(stream("init"), None), bowl_tasks()) for one in (plain, tenth))
    assert b.eigenvalue == pytest.approx(100 * a.eigenvalue)
    assert b.along == pytest.approx(100 * a.along)
    assert (b.scaled, b.rise, b.loss) == (pytest.approx(a.scaled), pytest.approx(a.rise), pytest.approx(a.loss))


def test_blocks_lie_where_the_surface_keeps_them():
    learner, params = drawn("turtle")
    masks = meta_gradients.blocks(learner, params)
    marked = flat({key: tree_map(lambda v: torch.full_like(v, float(key == "net")), params[key]) for key in params})[0]  # noqa: B023
    assert torch.equal(masks[INITIALISATION], marked.bool())
    assert torch.equal(masks[RULE], ~marked.bool())
    assert bool(masks[ALL].all())
    assert set(meta_gradients.blocks(*drawn("maml"))) == {ALL, INITIALISATION}


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_is_asked_or_says_why_not(name: str):
    if "regression" not in LEARNERS[name].kinds:
        pytest.skip("not for sine waves")
    reason = meta_gradients.PROBE.applies(ensemble(name, 1))
    asked = {"maml", "fomaml", "turtle", "turtle-first-order", "meta-lstm", "meta-lstm-enhanced", "op-lstm", "sap"}
    assert reason is None or name not in asked
    assert reason is None or LEARNERS[name].title in reason


def test_the_probe_looks_at_each_seed_untrained_along_the_way_and_trained(tmp_path):
    from safetensors.torch import save_file

    from engine.trees import named_leaves

    made = ensemble("turtle", 2, **SMALL["turtle"])
    moved = []
    for index, run in enumerate(made.runs):
        folder = tmp_path / f"run{index}"
        (folder / FOLDER).mkdir(parents=True)
        half, whole = (tree_map(lambda leaf: leaf + by, run.params) for by in (0.01, 0.02))  # noqa: B023
        save_file({name: leaf.contiguous() for name, leaf in named_leaves(half)}, folder / FOLDER / "100.safetensors")
        moved.append(Run(folder, run.learner, run.distribution, whole, run.record))
    settings = {"groups": 3, "batch": 2, "curved": 2, "groups_kept": 2, "curved_kept": 1, "vectors": 2}
    shares: list[float] = []
    found = asking.ask("meta-gradients", [Ensemble(tuple(moved))], settings, shares.append)
    assert [(m.moment, m.iteration, m.block) for m in found.measured] == [
        (moment, iteration, block)
        for moment, iteration in ((UNTRAINED, 0), (KEPT, 100), (TRAINED, -1))
        for block in (ALL, INITIALISATION, RULE)
    ]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    last = found.measured[-3]
    assert (last.cosine.shape, last.cosine_mean.shape, last.rise.shape) == ((2, 3), (2,), (2, 2))
    second = made.distribution.sample(stream("test"), 6)
    tasks = tree_map(lambda v: v[2:4], second)
    pair = [meta_gradient(moved[1].learner, moved[1].params, tasks, first_order=first) for first in (True, False)]
    assert (last.cosine[1, 1], last.ratio[1, 1]) == pytest.approx(compare(*pair), rel=1e-9)
    surface = meta_surface(moved[1].learner, moved[1].params, tasks)
    assert last.loss[1, 1] == pytest.approx(float(surface.loss(surface.centre)), rel=1e-12)


def test_a_first_order_learner_is_measured_against_its_exact_form():
    """FOMAML and MAML with the same weights have the same answer: how they were trained plays no part."""
    answers = []
    for name in ("maml", "fomaml"):
        made = ensemble(name, 1, **SMALL["maml"])
        settings = {"groups": 2, "batch": 2, "curved": 1, "vectors": 2}
        answers.append(asking.ask("meta-gradients", [made], settings).measured[0])
    for field in ("cosine", "ratio", "eigenvalue", "rise"):
        assert getattr(answers[0], field) == pytest.approx(getattr(answers[1], field), rel=1e-9)
