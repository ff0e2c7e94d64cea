"""SAP against its formula written out operation by operation, and what its strengths and switches promise."""

from dataclasses import replace

import pytest
import torch
from torch.func import grad

from engine.errors import BadConfig
from engine.learners import SAP, FirstOrderSAP, make
from engine.networks import MLP, perceptron
from engine.tasks import Numbers, Sine, TaskSpec, Values, stream
from engine.trees import count, leaves, stack, tree_map
from tests.engine.conftest import double, init

SMALL = {"network": MLP((6, 5)), "ranks": (2, 4)}
FORMS = {
    "published": SAP(**SMALL),
    "first tensor": SAP(**SMALL, skip_first_tensor=False),
    "identity": SAP(**SMALL, identity_low_rank=True),
    "toy": SAP(network=MLP((6, 5)), ranks=(), uniform_start=True),
    "ends": SAP(**SMALL, hidden_operations=False),
    "three layers": SAP(network=MLP((4, 3, 5)), ranks=(2,)),
}
forms = pytest.mark.parametrize("sap", FORMS.values(), ids=FORMS)


def anywhere(sap: SAP, seed: int = 0, spec: TaskSpec = Sine.spec) -> dict:
    """Float64 meta-parameters in general position: nothing is zero, one or equal."""
    params = double(sap.init(stream("init", seed), spec))
    noise = stream("page", seed)
    return tree_map(lambda p: p + 0.3 * torch.randn(p.shape, generator=noise, dtype=p.dtype), params)


def oracle(sap: SAP, params, phi, x):
    """The network, every operation of every site applied on its own to rows x (Q, d)."""
    net, logits = params["net"], params["strengths"]

    def end(site, z):
        s, r = torch.sigmoid(logits[f"{site}.scale"]), torch.sigmoid(logits[f"{site}.shift"])
        z = (1 - s) * z + s * (z * phi[f"{site}.scale"])
        return (1 - r) * z + r * (z + phi[f"{site}.shift"])

    def low_rank(op, k, z):
        d = z.shape[1]
        u, s, v = op[:d], op[d], op[d + 1 :]
        cut = torch.diag((torch.arange(d) >= k).to(z.dtype))
        return z @ u @ torch.diag(s) @ v.T + (z @ cut if sap.identity_low_rank else 0)

    def hidden(site, z):
        scaled = [z, z * phi[f"{site}.scalar-scale"], z * phi[f"{site}.vector-scale"], z @ phi[f"{site}.matrix"]]
        scaled += [low_rank(phi[f"{site}.rank{k}"], k, z) for k in sap.ranks]
        z = sum(w * o for w, o in zip(torch.softmax(logits[f"{site}.scale"], 0), scaled, strict=True))
        shifted = [z, z + phi[f"{site}.scalar-shift"], z + phi[f"{site}.vector-shift"]]
        return sum(w * o for w, o in zip(torch.softmax(logits[f"{site}.shift"], 0), shifted, strict=True))

    h = end("input", x)
    for layer in range(1, len(sap.network.widths) + 1):
        h = torch.relu(h @ net[f"weight{layer}"].T + net[f"bias{layer}"])
        h = hidden(f"hidden{layer}", h) if sap.hidden_operations else h
    return end("output", h @ net[f"weight{layer + 1}"].T + net[f"bias{layer + 1}"])


def descended(sap: SAP, params, task, steps: int, hide=lambda g: g):
    """phi after `steps` steps of automatic differentiation through the oracle."""
    phi = params["operations"]
    for _ in range(steps):
        g = grad(lambda p: torch.nn.functional.mse_loss(oracle(sap, params, p, task.support_x), task.support_y))(phi)
        still = {*sap.frozen, *(["input.scale"] if sap.skip_first_tensor else [])}
        phi = {name: p if name in still else p - sap.inner_lr * hide(g[name]) for name, p in phi.items()}
    return phi


def close(a, b, tolerance=1e-11):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


@forms
def test_the_mixes_are_the_operations_one_by_one(sap, task):
    params = anywhere(sap)
    state = sap.start(params, task.support_x, task.support_y)
    close(sap.named(params, state), params["operations"], 0)
    close(sap.predict(params, state, task.query_x), oracle(sap, params, params["operations"], task.query_x))


@forms
@pytest.mark.parametrize("seed", [0, 1])
def test_three_steps_are_gradient_descent_on_the_operations(sap, seed, task):
    sap = replace(sap, inner_lr=0.05)
    params = anywhere(sap, seed)
    final = sap.named(params, sap.adapt(params, task.support_x, task.support_y, 3)[-1])
    assert list(final) == sap.operations()
    close(final, descended(sap, params, task, 3))


def test_inputs_and_outputs_of_several_dimensions_share_one_scalar_each():
    spec = TaskSpec(Numbers(3), Values(2))
    sap = replace(FORMS["first tensor"], inner_lr=0.05)
    params = anywhere(sap, 0, spec)
    assert all(
        params["operations"][f"{end}.{kind}"].shape == () for end in ("input", "output") for kind in ("scale", "shift")
    )
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)

    def loss(phi):
        return torch.nn.functional.mse_loss(oracle(sap, params, phi, x), y)

    g = grad(loss)(params["operations"])
    expected = {name: p - 0.05 * g[name] for name, p in params["operations"].items()}
    close(sap.named(params, sap.adapt(params, x, y, 1)[-1]), expected)


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_meta_gradient_equals_autograd_through_the_oracle(form, first_order, task):
    """First order: with the inner gradients detached by hand."""
    sap = replace(FORMS[form], steps=2, inner_lr=0.05, first_order=first_order)
    params = anywhere(sap)
    hide = torch.Tensor.detach if first_order else lambda g: g

    def loss(p):
        adapted = descended(sap, p, task, 2, hide)
        return torch.nn.functional.mse_loss(oracle(sap, p, adapted, task.query_x), task.query_y)

    got, value = sap.meta_gradient(params, task)
    close(got, grad(loss)(params))
    close(value, loss(params))


def test_first_order_differs_from_second_order(task):
    params = anywhere(FORMS["published"])
    second, first = (replace(FORMS["published"], steps=2, first_order=order) for order in (False, True))
    gaps = [
        float((a - b).abs().max())
        for a, b in zip(*(leaves(sap.meta_gradient(params, task)[0]) for sap in (second, first)), strict=True)
    ]
    assert max(gaps) > 1e-3
    assert (SAP().first_order, FirstOrderSAP().first_order) == (False, True)


def test_parameter_counts():
    """Of the published networks: sine, and synthetic families (without low-rank operations)."""
    params = SAP().init(stream("init"), Sine.spec)
    assert [count(params[group]) for group in ("net", "operations", "strengths")] == [1761, 8228, 24]
    assert count(params) == 10_013
    toy = SAP(ranks=(), uniform_start=True).init(stream("init"), Sine.spec)
    assert [count(toy[group]) for group in ("net", "operations", "strengths")] == [1761, 3368, 18]
    ends = SAP(hidden_operations=False).init(stream("init"), Sine.spec)
    assert [count(ends[group]) for group in ("net", "operations", "strengths")] == [1761, 4, 4]


def test_with_all_strengths_on_identity_nothing_adapts(task):
    sap = SAP(skip_first_tensor=False, inner_lr=1.0, steps=3)
    params = init(sap)
    for logits in params["strengths"].values():
        logits.fill_(-80.0)
        if logits.ndim:
            logits[0] = 80.0  # identity and no-shift come first
    first, *_, last = sap.adapt(params, task.support_x, task.support_y)
    moved = float((last["psi"] - first["psi"]).abs().max())
    assert moved < 1e-30
    close(sap.predict(params, last, task.query_x), perceptron.forward(params["net"], task.query_x), 1e-13)


def test_operations_of_strength_zero_stay_where_they_were(task):
    """A state holds strength times phi, which says nothing of phi there."""
    sap = SAP(**SMALL, inner_lr=0.5)
    params = anywhere(sap)
    params["strengths"]["output.shift"].fill_(-1000.0)
    params["strengths"]["hidden1.scale"][3] = -1000.0  # the matrix
    strengths = sap.strengths(params)
    none = {name for name, w in strengths.items() if float(w) == 0}
    assert none == {"output.shift", "hidden1.matrix"}
    final = sap.named(params, sap.adapt(params, task.support_x, task.support_y, 3)[-1])
    still = {name for name, phi in params["operations"].items() if torch.equal(phi, final[name])}
    assert still == none | {"input.scale"}
    close(final, descended(sap, params, task, 3))


@pytest.mark.parametrize("operation", ["hidden2.scalar-shift", "hidden2.vector-shift", "output.shift"])
def test_one_step_of_a_shift_moves_the_function_by_its_strength_squared(operation, task):
    """Behind these shifts the network is linear, and shifts that start at 0 leave it alone whatever their strength."""
    sap = SAP()
    sap = replace(sap, frozen=tuple(name for name in sap.operations() if name != operation))
    ratios = []
    for logit in (-1.0, 0.0, 2.0):
        params = init(sap)
        site, kind = operation.split(".")
        logits = params["strengths"][f"{site}.shift"]
        index = ("no-shift", "scalar-shift", "vector-shift", "shift").index(kind) if logits.ndim else ()
        logits[index] = logit
        before, after = (
            sap.predict(params, s, task.query_x) for s in sap.adapt(params, task.support_x, task.support_y, 1)
        )
        ratios.append((after - before) / sap.strengths(params)[operation] ** 2)
    assert float(ratios[0].abs().min()) > 1e-6
    close(ratios[1], ratios[0])
    close(ratios[2], ratios[0])


@pytest.mark.parametrize("skip", [True, False])
def test_the_input_scale_adapts_only_without_the_published_quirk(skip, task):
    sap = SAP(skip_first_tensor=skip, steps=3)
    params = init(sap)
    first, *_, last = (sap.named(params, s) for s in sap.adapt(params, task.support_x, task.support_y))
    moved = {name for name in first if not torch.equal(first[name], last[name])}
    assert moved == set(sap.operations()) - ({"input.scale"} if skip else set())


@pytest.mark.parametrize("operation", SAP(**SMALL).operations())
def test_a_frozen_operation_stays_and_the_others_step_as_before(operation, task):
    free = SAP(**SMALL, skip_first_tensor=False)
    params = anywhere(free)
    frozen = replace(free, frozen=(operation,))
    start, one = (free.named(params, s) for s in free.adapt(params, task.support_x, task.support_y, 1))
    final = frozen.named(params, frozen.adapt(params, task.support_x, task.support_y, 1)[-1])
    assert not torch.equal(one[operation], start[operation])
    close(final, {**one, operation: start[operation]}, 0)


def test_operations_and_strengths_are_named_in_network_order():
    sap = SAP(network=MLP((4,)), ranks=(2,))
    params = sap.init(stream("init"), Sine.spec)
    hidden = ["scalar-scale", "vector-scale", "matrix", "rank2", "scalar-shift", "vector-shift"]
    ends = [f"{end}.{kind}" for end in ("input", "output") for kind in ("scale", "shift")]
    assert sap.operations() == [*ends[:2], *(f"hidden1.{name}" for name in hidden), *ends[2:]]
    assert list(params["operations"]) == sap.operations()
    strengths = sap.strengths(params)
    assert set(strengths) == {*sap.operations(), "hidden1.identity", "hidden1.no-shift"}
    assert [name for name in strengths if name in sap.operations()] == sap.operations()
    assert all(float(strengths[name]) == 0.5 for name in ends)
    assert float(strengths["hidden1.matrix"]) == pytest.approx(1 / 5)
    assert float(strengths["hidden1.no-shift"]) == pytest.approx(1 / 3)


def test_strengths_of_a_stack_of_seeds_are_those_of_each():
    sap = FORMS["published"]
    seeds = [anywhere(sap, seed) for seed in range(3)]
    together = sap.strengths(stack(seeds))
    for seed, params in enumerate(seeds):
        alone = sap.strengths(params)
        close({name: value[seed] for name, value in together.items()}, alone)
        for group in sap.groups().values():
            assert len(group) == 1 or float(sum(alone[name] for name in group)) == pytest.approx(1)


@forms
def test_a_stack_of_seeds_adapts_like_each_alone(sap, task):
    seeds = [anywhere(sap, seed) for seed in range(3)]
    together = sap.adapt(stack(seeds), task.support_x, task.support_y, 2)[-1]
    for seed, params in enumerate(seeds):
        alone = sap.adapt(params, task.support_x, task.support_y, 2)[-1]
        close({name: value[seed] for name, value in together.items()}, alone)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (
            {"frozen": ["hidden1.magic"]},
            r"no operation 'hidden1.magic' to freeze; known are input.scale, .*output.shift\.$",
        ),
        ({"frozen": ["hidden1.rank5"], "ranks": []}, "no operation 'hidden1.rank5'"),
        ({"frozen": ["hidden1.matrix"], "hidden_operations": False}, "no operation 'hidden1.matrix'"),
        ({"ranks": [5, 41]}, r"at most 40, the smallest width; \(5, 41\) was given\.$"),
        ({"ranks": [5, 5]}, "ranks must differ"),
    ],
)
def test_operations_that_do_not_exist_are_refused(wrong, what):
    with pytest.raises(BadConfig, match=f"The learner sap is not possible: .*{what}"):
        make("sap", **wrong)
