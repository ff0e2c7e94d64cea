"""FiLM against its formula written out, and as a restriction of SAP."""

import pytest
import torch
from torch.func import grad

from engine.learners import MAML, SAP, FiLM
from engine.networks import MLP, perceptron
from engine.tasks import Numbers, Sine, TaskSpec, Values, stream
from engine.trees import count, tree_map
from tests.engine.conftest import double, init

SMALL = {"network": MLP((6, 5)), "steps": 2, "inner_lr": 0.05}
SEVERAL = TaskSpec(Numbers(3), Values(2))


def anywhere(learner, seed: int = 0, spec: TaskSpec = Sine.spec) -> dict:
    """Float64 meta-parameters in general position: no scale is 1, no shift is 0."""
    noise = stream("page", seed)
    params = double(learner.init(stream("init", seed), spec))
    return tree_map(lambda p: p + 0.3 * torch.randn(p.shape, generator=noise, dtype=p.dtype), params)


def oracle(net, film, x):
    """The network of the formula on rows x (Q, d)."""
    depth = perceptron.depth(net)
    h = x * film["gamma0"] + film["beta0"]
    for layer in range(1, depth + 1):
        a = h @ net[f"weight{layer}"].T + net[f"bias{layer}"]
        a = torch.relu(a) if layer < depth else a
        h = a * film[f"gamma{layer}"] + film[f"beta{layer}"]
    return h


def descended(net, film, x, y, lr: float, steps: int, hide=lambda g: g):
    """phi after `steps` steps of automatic differentiation through the oracle."""
    for _ in range(steps):
        g = grad(lambda f: torch.nn.functional.mse_loss(oracle(net, f, x), y))(film)
        film = {name: value - lr * hide(g[name]) for name, value in film.items()}
    return film


def close(a, b, tolerance=1e-11):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


def several():
    """Support and query with three inputs and two outputs."""
    noise = stream("page", 9)
    return (torch.randn(n, d, generator=noise, dtype=torch.float64) for n, d in ((6, 3), (6, 2), (9, 3)))


def test_steps_are_gradient_descent_on_scales_and_shifts(task):
    learner = FiLM(**SMALL)
    params = anywhere(learner)
    last = learner.adapt(params, task.support_x, task.support_y, 3)[-1]
    close(last["film"], descended(params["net"], params["film"], task.support_x, task.support_y, 0.05, 3))
    close(learner.predict(params, last, task.query_x), oracle(params["net"], last["film"], task.query_x))


def test_inputs_and_outputs_of_several_dimensions_share_one_scalar_each():
    learner = FiLM(**SMALL)
    params = anywhere(learner, 0, SEVERAL)
    x, y, query = several()
    last = learner.adapt(params, x, y, 2)[-1]
    assert all(last["film"][name].shape == (1,) for name in ("gamma0", "beta0", "gamma3", "beta3"))
    close(last["film"], descended(params["net"], params["film"], x, y, 0.05, 2))
    close(learner.predict(params, last, query), oracle(params["net"], last["film"], query))


@pytest.mark.parametrize("first_order", [False, True])
def test_meta_gradient_equals_autograd_through_the_oracle(first_order, task):
    """First order: with the inner gradients detached by hand."""
    learner = FiLM(**SMALL, first_order=first_order)
    params = anywhere(learner)
    hide = torch.Tensor.detach if first_order else lambda g: g

    def loss(p):
        film = descended(p["net"], p["film"], task.support_x, task.support_y, 0.05, 2, hide)
        return torch.nn.functional.mse_loss(oracle(p["net"], film, task.query_x), task.query_y)

    close(learner.meta_gradient(params, task)[0], grad(loss)(params))


def test_first_order_differs_from_second_order(task):
    params = anywhere(FiLM(**SMALL))
    both = [
        FiLM(**SMALL, first_order=order).meta_gradient(params, task)[0]["net"]["weight2"] for order in (False, True)
    ]
    assert float((both[0] - both[1]).abs().max()) > 1e-3


def as_sap(film: FiLM, params) -> tuple[SAP, dict, dict[str, str]]:
    """SAP with full strength on vector scale and vector shift, and where each of its operations is found in FiLM."""
    sap = SAP(network=film.network, ranks=(2, 3), inner_lr=film.inner_lr, skip_first_tensor=False)
    last = len(film.network.widths) + 1
    same = {"input.scale": "gamma0", "input.shift": "beta0"}
    for layer in range(1, last):
        same |= {f"hidden{layer}.vector-scale": f"gamma{layer}", f"hidden{layer}.vector-shift": f"beta{layer}"}
    same |= {"output.scale": f"gamma{last}", "output.shift": f"beta{last}"}
    spec = TaskSpec(Numbers(params["net"]["weight1"].shape[1]), Values(params["net"][f"bias{last}"].shape[0]))
    theirs = anywhere(sap, 5, spec)  # whatever the other operations are, at strength 0 they do not matter
    theirs["net"] = params["net"]
    for name, key in same.items():
        theirs["operations"][name] = params["film"][key].reshape(theirs["operations"][name].shape)
    for group, names in sap.groups().items():
        full = torch.tensor([1000.0 if name in same else -1000.0 for name in names], dtype=torch.float64)
        theirs["strengths"][group] = full.reshape(theirs["strengths"][group].shape)
    assert {name for name, w in sap.strengths(theirs).items() if w == 1} == set(same)
    return sap, theirs, same


@pytest.mark.parametrize("spec", [Sine.spec, SEVERAL], ids=["sine", "several"])
def test_film_is_sap_restricted_to_vector_scale_and_shift(spec, task):
    """Equal states and equal outputs before every step and after the last."""
    film = FiLM(**SMALL)
    params = anywhere(film, 0, spec)
    sap, theirs, same = as_sap(film, params)
    x, y, query = several() if spec is SEVERAL else (task.support_x, task.support_y, task.query_x)
    ours = film.adapt(params, x, y, 5)
    for state, other in zip(ours, sap.adapt(theirs, x, y, 5), strict=True):
        close(film.predict(params, state, query), sap.predict(theirs, other, query), 1e-12)
        for name, key in same.items():
            close(state["film"][key].flatten(), sap.named(theirs, other)[name].flatten(), 1e-12)
    moved = film.predict(params, ours[-1], query) - film.predict(params, ours[0], query)
    assert float(moved.abs().max()) > 0.01


def test_film_and_sap_at_half_strength_are_not_the_same(task):
    """The equality above is one of full strengths."""
    film = FiLM(**SMALL)
    params = anywhere(film)
    sap, theirs, _ = as_sap(film, params)
    theirs["strengths"]["output.shift"].zero_()
    both = (
        film.adapt(params, task.support_x, task.support_y, 1)[-1],
        sap.adapt(theirs, task.support_x, task.support_y, 1)[-1],
    )
    gap = film.predict(params, both[0], task.query_x) - sap.predict(theirs, both[1], task.query_x)
    assert float(gap.abs().max()) > 1e-3


def test_it_starts_as_its_base_network(task):
    learner = FiLM()
    params = init(learner, 2)
    start = learner.start(params, task.support_x, task.support_y)
    close(learner.predict(params, start, task.query_x), perceptron.forward(params["net"], task.query_x), 0)
    close(params["net"], init(MAML(), 2)["net"], 0)


def test_parameter_counts():
    """Two for every feature and two at each end; a task changes nothing else."""
    params = FiLM().init(stream("init"), Sine.spec)
    assert (count(params["net"]), count(params["film"])) == (1761, 2 * (1 + 40 + 40 + 1))


def test_inner_clip_clamps_each_entry_of_the_inner_gradient(task):
    clamped = FiLM(**SMALL, inner_clip=0.02)
    params = anywhere(clamped)
    x, y = task.support_x, task.support_y
    free = grad(lambda f: torch.nn.functional.mse_loss(oracle(params["net"], f, x), y))(params["film"])
    assert max(float(g.abs().max()) for g in free.values()) > 0.02
    expected = descended(params["net"], params["film"], x, y, 0.05, 1, lambda g: g.clamp(-0.02, 0.02))
    close(clamped.adapt(params, x, y, 1)[-1]["film"], expected)
