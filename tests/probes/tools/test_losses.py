"""Task loss and meta-loss as functions of a vector: the run's own losses, finite differences, the exact Hessian."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.func import hessian

from engine import Sine, make
from engine.errors import BadInput
from engine.learners import LEARNERS
from engine.networks import MLP
from engine.tasks import stream
from engine.trees import tree_map
from probes.tools.losses import double, exact, flat, gradient, hessian_vector, look_ahead, meta_surface, task_surface
from probes.tools.surfaces import META, TASK, adapted, meta_loss, one_task, task_loss, why_not
from tests.probes.questions.test_diversity import REGRESSORS, ensemble

DEPRECATED = "ignore:`torch.jit.script`:DeprecationWarning"  # PyTorch's own, at its first hessian
WALKERS = ("maml", "turtle", "meta-lstm", "op-lstm", "sap", "t-net", "warp-maml", "film", "reptile")


def slope_by_differences(surface, v: torch.Tensor, step: float = 1e-6) -> float:
    ends = [float(surface.loss(surface.centre + sign * step * v)) for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)


def some(surface, count: int = 3) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(surface.size, generator=rng, dtype=torch.float64) for _ in range(count)]


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("points", ["support", "query"])
def test_the_centre_of_the_task_loss_is_what_the_learner_says_there(name: str, points: str):
    made = ensemble(name, 1)
    if why_not(made, TASK):
        pytest.skip(f"{name} has no task loss")
    learner, params = made.learner, double(made.runs[0].params)
    task = double(one_task(made.distribution, 3))
    state = adapted(learner, params, task, 2)[-1]
    surface = task_loss(learner, params, state, task, points)
    x, y = (task.support_x, task.support_y) if points == "support" else (task.query_x, task.query_y)
    said = learner.loss(learner.predict(params, state, x), y)
    assert float(surface.loss(surface.centre)) == pytest.approx(float(said), rel=1e-12)


@pytest.mark.parametrize("name", REGRESSORS)
def test_the_centre_of_the_meta_loss_is_the_query_loss_after_t_steps(name: str):
    made = ensemble(name, 1)
    if why_not(made, META):
        pytest.skip(f"{name} has no meta-loss")
    learner, params = made.learner, double(made.runs[0].params)
    tasks = double(made.distribution.sample(stream("test"), 2))
    expected = []
    for i in range(2):
        task = tree_map(lambda v: v[i], tasks)  # noqa: B023
        final = learner.adapt(params, task.support_x, task.support_y, learner.train_steps)[-1]
        expected.append(float(learner.loss(learner.predict(params, final, task.query_x), task.query_y)))
    surface = meta_loss(learner, params, tasks)
    with torch.no_grad():
        assert float(surface.loss(surface.centre)) == pytest.approx(sum(expected) / 2, rel=1e-10)


@pytest.mark.parametrize("name", WALKERS)
def test_both_gradients_are_the_slopes_of_their_losses(name: str):
    own = {"network": MLP((6, 5))} | ({"ranks": (2, 4)} if name == "sap" else {})
    learner = make(name, **own)
    params = double(learner.init(stream("init"), Sine.spec))
    tasks = double(Sine(shots=6, queries=9).sample(stream("page", 4), 3))
    x, y = tasks.support_x[0], tasks.support_y[0]
    of_task = task_surface(learner, params, learner.adapt(params, x, y, 2)[-1], x, y)
    of_all = meta_surface(learner, params, tasks, fixed=learner.running)
    for surface in (of_task, of_all):
        found = gradient(surface, surface.centre)
        for v in some(surface):
            assert float(found @ v) == pytest.approx(slope_by_differences(surface, v), rel=1e-5, abs=1e-7)


@pytest.mark.filterwarnings(DEPRECATED)
def test_a_product_is_that_of_the_written_out_hessian_of_two_thousand_parameters():
    """The task loss of the 1-40-40-1 network, N = 1,761."""
    learner = make("maml")
    params = double(learner.init(stream("init"), Sine.spec))
    task = double(one_task(Sine(), 0))
    surface = task_loss(learner, params, adapted(learner, params, task, 5)[-1], task, "support")
    assert surface.size == 1761
    matrix, product = hessian(surface.loss)(surface.centre), hessian_vector(surface, surface.centre)
    for v in some(surface):
        torch.testing.assert_close(product(v), matrix @ v, rtol=1e-9, atol=1e-11)


@pytest.mark.filterwarnings(DEPRECATED)
@pytest.mark.parametrize("name", ["maml", "turtle", "op-lstm"])
def test_products_of_the_meta_loss_are_those_of_its_written_out_hessian(name: str):
    own = {"maml": {"steps": 3}, "turtle": {"hidden": (4,), "steps": 2}, "op-lstm": {"steps": 2}}[name]
    learner = make(name, network=MLP((5, 4)), **own)
    params = double(learner.init(stream("init"), Sine.spec))
    surface = meta_surface(learner, params, double(Sine(shots=5, queries=6).sample(stream("page", 4), 2)))
    matrix, product = hessian(surface.loss)(surface.centre), hessian_vector(surface, surface.centre)
    for v in some(surface):
        torch.testing.assert_close(product(v), matrix @ v, rtol=1e-8, atol=1e-10)


def test_a_first_order_learner_has_the_meta_loss_of_its_exact_form():
    first = make("fomaml", network=MLP((5,)))
    params = double(first.init(stream("init"), Sine.spec))
    tasks = double(Sine(shots=5, queries=6).sample(stream("page", 4), 2))
    pair = [meta_surface(learner, params, tasks) for learner in (first, make("maml", network=MLP((5,))))]
    slopes = [gradient(surface, surface.centre) for surface in pair]
    assert torch.equal(*slopes)
    assert exact(first).first_order is False
    detached = torch.func.grad(lambda p: look_ahead(first, p, tree_map(lambda v: v[0], tasks)))(params)
    kept = torch.func.grad(lambda p: look_ahead(exact(first), p, tree_map(lambda v: v[0], tasks)))(params)
    assert not torch.allclose(flat(detached)[0], flat(kept)[0])


def test_what_is_fixed_is_no_part_of_the_vector():
    learner = make("turtle", network=MLP((5,)), hidden=(4,))
    params = double(learner.init(stream("init"), Sine.spec))
    tasks = double(Sine(shots=5, queries=6).sample(stream("page", 4), 2))
    whole, part = meta_surface(learner, params, tasks), meta_surface(learner, params, tasks, fixed=("optimiser",))
    assert part.size == whole.size - flat(params["optimiser"])[1].size
    assert set(part.tree(part.centre)) == {"net", "learning_rates"}
    assert float(part.loss(part.centre)) == pytest.approx(float(whole.loss(whole.centre)), rel=1e-14)


def test_who_has_which_loss_is_said_in_a_sentence():
    assert "adapts no network" in str(why_not(ensemble("lstm", 1), TASK))
    assert why_not(ensemble("lstm", 1), META) is None
    assert "straight-through" in str(why_not(ensemble("mt-net", 1), META))
    assert why_not(ensemble("mt-net", 1), TASK) is None
    assert "nothing across tasks" in str(why_not(ensemble("scratch", 1), META))
    for name in LEARNERS:
        if name in REGRESSORS:
            assert why_not(ensemble(name, 1), TASK) is None or why_not(ensemble(name, 1), META) is None


def test_a_learner_without_a_network_has_no_task_loss():
    learner = make("lstm")
    params = learner.init(stream("init"), Sine.spec)
    x = torch.zeros(3, 1)
    with pytest.raises(BadInput, match="no adapted network"):
        task_surface(learner, params, learner.start(params, x, x), x, x)


def test_running_averages_are_not_looked_around():
    """Reptile carries its optimiser's averages along; a plane that bent them would show nothing that is descended."""
    learner = replace(make("reptile"), network=MLP((5,)))
    params = double(learner.init(stream("init"), Sine.spec))
    tasks = double(Sine(shots=5, queries=6).sample(stream("page", 4), 2))
    surface = meta_loss(learner, params, tasks)
    assert set(surface.tree(surface.centre)) == set(params) - set(learner.running)
