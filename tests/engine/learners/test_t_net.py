"""T-Net and MT-net against their formulas written out, against MAML, and what masks let adapt."""

from dataclasses import replace

import pytest
import torch
from torch.func import grad, vmap

from engine.execution.gradients import meta_gradient
from engine.learners import MAML, MTNet, TNet
from engine.networks import MLP, perceptron
from engine.tasks import Classes, NoisyTask, Numbers, Sine, TaskSpec, stream
from engine.trees import count, leaves, stack, tree_map
from tests.engine.conftest import init

SMALL = {"network": MLP((6, 5)), "steps": 2, "inner_lr": 0.05}


def anywhere(learner: TNet, seed: int = 0) -> dict:
    """Float64 meta-parameters in general position: no matrix is the identity, no logit is 0."""
    noise = stream("page", seed)
    return tree_map(lambda p: p + 0.3 * torch.randn(p.shape, generator=noise, dtype=p.dtype), init(learner, seed))


def oracle(transforms, net, x):
    """The network of the formula on rows x (Q, d)."""
    depth = len(transforms)
    for layer in range(1, depth + 1):
        x = (x @ net[f"weight{layer}"].T + net[f"bias{layer}"]) @ transforms[f"T{layer}"].T
        x = torch.relu(x) if layer < depth else x
    return x


def descended(learner: TNet, params, task, masks=None, hide=lambda g: g):
    """theta after the learner's training steps, by automatic differentiation of the oracle."""
    net = params["net"]
    for _ in range(learner.steps):
        g = grad(
            lambda n: torch.nn.functional.mse_loss(oracle(params["transforms"], n, task.support_x), task.support_y)
        )(net)
        for name in net:
            m = (masks or {}).get(f"zeta{name[-1]}", torch.ones((), dtype=torch.float64))
            moved = net[name] - learner.inner_lr * (m[:, None] if m.ndim and name[0] == "w" else m) * hide(g[name])
            net = {**net, name: net[name] if learner.skip_first_tensor and name == "weight1" else moved}
    return net


def close(a, b, tolerance=1e-11):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


def noisy(task, learner: MTNet, seed: int = 0) -> NoisyTask:
    size = learner.noise_size(Sine.spec)
    return NoisyTask(*task, torch.rand(size, generator=stream("noise", seed), dtype=torch.float64))


@pytest.mark.parametrize("skip", [False, True])
def test_steps_are_gradient_descent_behind_the_matrices(skip, task):
    learner = TNet(**SMALL, skip_first_tensor=skip)
    params = anywhere(learner)
    first, *_, last = learner.adapt(params, task.support_x, task.support_y, 2)
    close(last["net"], descended(learner, params, task))
    close(learner.predict(params, last, task.query_x), oracle(params["transforms"], last["net"], task.query_x))
    assert torch.equal(first["net"]["weight1"], last["net"]["weight1"]) == skip


def test_with_identity_matrices_it_is_maml(task):
    """From its start, over the whole trajectory."""
    learner, maml = TNet(), MAML()
    params, theirs = init(learner, 3), init(maml, 3)
    ours = learner.adapt(params, task.support_x, task.support_y)
    for state, their in zip(ours, maml.adapt(theirs, task.support_x, task.support_y), strict=True):
        close(state["net"], their["net"], 1e-13)
        close(learner.predict(params, state, task.query_x), maml.predict(theirs, their, task.query_x), 1e-13)


def test_a_step_of_the_product_is_preconditioned(task):
    """T W moves by -alpha T T^T times its own gradient."""
    learner = TNet(**SMALL)
    params = anywhere(learner)
    before, after = (
        learner.acting(params, s).weights for s in learner.adapt(params, task.support_x, task.support_y, 1)
    )
    g = grad(lambda n: learner.loss(perceptron.forward(n, task.support_x), task.support_y))(before)
    for layer in (1, 2, 3):
        t, name = params["transforms"][f"T{layer}"], f"weight{layer}"
        close(after[name] - before[name], -0.05 * t @ t.T @ g[name])


@pytest.mark.parametrize("first_order", [False, True])
def test_t_net_meta_gradient_equals_autograd_through_the_oracle(first_order, task):
    """First order: with the inner gradients detached by hand."""
    learner = TNet(**SMALL, first_order=first_order)
    params = anywhere(learner)
    hide = torch.Tensor.detach if first_order else lambda g: g

    def loss(p):
        adapted = descended(learner, p, task, hide=hide)
        return torch.nn.functional.mse_loss(oracle(p["transforms"], adapted, task.query_x), task.query_y)

    close(learner.meta_gradient(params, task)[0], grad(loss)(params))


def straight_through(params, noise):
    """Masks s = sigmoid(zeta + log u - log(1 - u)), rounded forwards and left alone backwards."""
    masks, taken = {}, 0
    for name, zeta in params["masks"].items():
        u = noise[taken : taken + len(zeta)]
        taken += len(zeta)
        s = torch.sigmoid(zeta + torch.log(u) - torch.log(1 - u))
        masks[name] = s + (torch.round(s) - s).detach()
    return masks


@pytest.mark.parametrize("mask_head", [True, False])
@pytest.mark.parametrize("first_order", [False, True])
def test_mt_net_meta_gradient_equals_autograd_with_straight_through_masks(first_order, mask_head, task):
    learner = MTNet(**SMALL, first_order=first_order, mask_head=mask_head)
    params, task = anywhere(learner), noisy(task, learner)
    hide = torch.Tensor.detach if first_order else lambda g: g

    def loss(p):
        adapted = descended(learner, p, task, straight_through(p, task.noise), hide)
        return torch.nn.functional.mse_loss(oracle(p["transforms"], adapted, task.query_x), task.query_y)

    got, value = learner.meta_gradient(params, task)
    close(got, grad(loss)(params))
    close(value, loss(params))
    assert all(float(g.abs().min()) > 0 for g in leaves(got["masks"])), "every logit learns, also in first order"


@pytest.mark.parametrize("cls", [TNet, MTNet])
def test_first_order_differs_from_second_order(cls, task):
    second = cls(**SMALL)
    params = anywhere(second)
    given = noisy(task, second) if cls is MTNet else task
    gradients = [learner.meta_gradient(params, given)[0] for learner in (second, replace(second, first_order=True))]
    assert float((gradients[0]["net"]["weight2"] - gradients[1]["net"]["weight2"]).abs().max()) > 1e-3
    assert float((gradients[0]["transforms"]["T2"] - gradients[1]["transforms"]["T2"]).abs().max()) > 1e-3


def test_parameter_counts():
    """Of the published sine networks; the logits of the output layer are one for each output."""
    t_net, mt_net = (cls().init(stream("init"), Sine.spec) for cls in (TNet, MTNet))
    assert (count(t_net["transforms"]), count(t_net)) == (3201, 4962)
    assert (count(mt_net["masks"]), count(mt_net)) == (81, 4962 + 81)
    assert MTNet().noise_size(Sine.spec) == 81
    headless = MTNet(mask_head=False)
    assert count(headless.init(stream("init"), Sine.spec)["masks"]) == headless.noise_size(Sine.spec) == 80
    ways = TaskSpec(Numbers(2), Classes(5))
    assert count(MTNet().init(stream("init"), ways)["masks"]) == MTNet().noise_size(ways) == 85


def masked(value: float, **fields):
    """An MT-net whose logits all have one value, and its parameters."""
    learner = MTNet(**SMALL, **fields)
    params = anywhere(learner)
    params["masks"] = tree_map(lambda zeta: torch.full_like(zeta, value), params["masks"])
    return learner, params


@pytest.mark.parametrize("drawn", [False, True], ids=["test", "training"])
def test_with_all_masks_on_it_is_the_t_net(drawn, task):
    learner, params = masked(60.0 if drawn else 1e-9)
    t_net, theirs = TNet(**SMALL), {key: params[key] for key in ("net", "transforms")}
    if drawn:
        close(learner.meta_loss(params, noisy(task, learner)), t_net.meta_loss(theirs, task))
    trajectories = [one.adapt(p, task.support_x, task.support_y, 4) for one, p in ((learner, params), (t_net, theirs))]
    for ours, expected in zip(*trajectories, strict=True):
        close(ours["net"], expected["net"], 0)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_with_all_masks_off_nothing_adapts(value, task):
    """Also where a logit is exactly 0, as all are before meta-training."""
    learner, params = masked(value)
    for state in learner.adapt(params, task.support_x, task.support_y, 3):
        close(state["net"], params["net"], 0)


def test_an_unmasked_head_adapts_alone(task):
    learner, params = masked(-1.0, mask_head=False)
    first, last = learner.adapt(params, task.support_x, task.support_y, 1)
    moved = {name for name in first["net"] if not torch.equal(first["net"][name], last["net"][name])}
    assert moved == {"weight3", "bias3"}


def test_a_mask_keeps_its_rows_and_the_others_step_as_in_a_t_net(task):
    learner = MTNet(**SMALL)
    params = anywhere(learner)
    free = TNet(**SMALL).step(params, {"net": params["net"]}, task.support_x, task.support_y)["net"]
    after = learner.adapt(params, task.support_x, task.support_y, 1)[-1]["net"]
    kept = 0
    for layer in (1, 2, 3):
        on = params["masks"][f"zeta{layer}"] > 0
        for name in (f"weight{layer}", f"bias{layer}"):
            close(after[name][on], free[name][on], 0)
            close(after[name][~on], params["net"][name][~on], 0)
        kept += int((~on).sum())
    assert 0 < kept < 12


def test_masks_are_on_with_the_probability_of_their_logits():
    """The draw is monotone in u: on an even grid of u, the share that is on is sigmoid(zeta)."""
    learner = MTNet(network=MLP((1,)), mask_head=False)
    grid = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    for zeta in (-2.0, 0.0, 1.5):
        logit = torch.tensor([zeta], dtype=torch.float64)
        on = vmap(lambda u: learner.drawn({"masks": {"zeta1": logit}}, u)["zeta1"])(grid[:, None])  # noqa: B023
        assert set(on.unique().tolist()) == {0.0, 1.0}
        assert float(on.mean()) == pytest.approx(float(torch.sigmoid(logit)), abs=1e-4)


def test_a_uniform_number_of_zero_gives_finite_gradients(task):
    learner = MTNet(**SMALL)
    params = anywhere(learner)
    given = noisy(task, learner)._replace(noise=torch.zeros(12, dtype=torch.float64))
    gradient, loss = learner.meta_gradient(params, given)
    assert bool(loss.isfinite())
    assert all(bool(g.isfinite().all()) for g in leaves(gradient))


def test_without_noise_the_masks_of_the_test_train(task):
    learner = MTNet(**SMALL)
    params = anywhere(learner)
    final = learner.adapt(params, task.support_x, task.support_y, 2)[-1]
    close(learner.meta_loss(params, task), learner.loss(learner.predict(params, final, task.query_x), task.query_y))


def test_a_batch_with_noise_is_the_mean_of_its_tasks(tasks):
    """Through the functions that meta-training uses: each task meets its own noise."""
    learner = MTNet(**SMALL)
    params = anywhere(learner)
    noise = torch.rand(4, 12, generator=stream("noise"), dtype=torch.float64)
    batch = NoisyTask(*tasks, noise)
    together, _ = meta_gradient(learner)(stack([params]), tree_map(lambda v: v[None], batch))
    alone = [learner.meta_gradient(params, tree_map(lambda v: v[i], batch))[0] for i in range(4)]  # noqa: B023
    close(tree_map(lambda g: g[0], together), tree_map(lambda *g: torch.stack(g).mean(0), *alone))
    assert not torch.equal(alone[0]["masks"]["zeta1"], alone[1]["masks"]["zeta1"])
