"""SAP on convolutional networks, against its published form written out operation by operation with F.conv2d."""

from dataclasses import replace

import pytest
import torch
from torch.func import grad
from torch.nn import functional as F

from engine.errors import BadConfig
from engine.learners import SAP, make
from engine.networks import Conv4, ResNet12
from engine.tasks import Classes, Image, Task, TaskSpec, stream
from engine.trees import count, tree_map
from tests.engine.conftest import double

SPEC, CHANNELS, BLOCKS = TaskSpec(Image(2, 8, 8), Classes(3)), 4, 2
SMALL = SAP(network=Conv4(channels=CHANNELS, blocks=BLOCKS), inner_lr=0.05)
FORMS = {
    "published": SMALL,
    "head fixed": replace(SMALL, head_adapts=False),
    "clipped": replace(SMALL, inner_clip=0.01),
    "ends": replace(SMALL, hidden_operations=False),
    "frozen": replace(SMALL, frozen=("hidden1.kernel", "weight2.kernel-scale", "output.affine")),
}
forms = pytest.mark.parametrize("sap", FORMS.values(), ids=FORMS)


@pytest.fixture
def task() -> Task:
    """Images of three classes, float64."""
    noise = stream("page", 5)
    x = [torch.randn(k, 2, 8, 8, generator=noise, dtype=torch.float64) for k in (6, 9)]
    y = [torch.arange(len(images)) % 3 for images in x]
    return Task(x[0], y[0], x[1], y[1])


def drawn(sap: SAP, seed: int = 0) -> dict:
    return double(sap.init(stream("init", seed), SPEC))


def anywhere(sap: SAP, seed: int = 0) -> dict:
    """Float64 meta-parameters in general position: nothing is zero, one or equal."""
    noise = stream("page", seed)
    return tree_map(lambda p: p + 0.3 * torch.randn(p.shape, generator=noise, dtype=p.dtype), drawn(sap, seed))


def base(net, x, at_image=lambda site, z: z, at_kernel=lambda block, w: w):
    """The published network: 3x3 convolution, batch norm, ReLU, pooling; and a linear head."""
    z = at_image("input", x)
    for block in range(1, BLOCKS + 1):
        z = F.conv2d(z, at_kernel(block, net[f"weight{block}"]), net[f"bias{block}"], padding=1)
        z = F.batch_norm(z, None, None, net[f"scale{block}"], net[f"shift{block}"], training=True)
        z = F.max_pool2d(at_image(f"hidden{block}", F.relu(z)), 2)
    return z.flatten(1) @ net[f"weight{BLOCKS + 1}"].T + net[f"bias{BLOCKS + 1}"]


def oracle(sap: SAP, params, phi, head, x):
    """Every operation of every site applied on its own."""
    logits = params["strengths"]

    def weighed(group, values):
        return sum(w * value for w, value in zip(torch.softmax(logits[group], 0), values, strict=True))

    def at_image(site, z):
        if site != "input" and not sap.hidden_operations:
            return z
        u, s, v = phi[f"{site}.rank1-kernel"].split([3, 1, 3], -1)
        rank1 = torch.einsum("oia,oi,oib->oiab", u, s[..., 0], v)
        wide = F.pad(z, (0, 2, 0, 2))  # zeros on the right and below
        scaled = [F.conv2d(wide, phi[f"{site}.kernel"]), F.conv2d(wide, rank1)]
        z = weighed(f"{site}.scale", [z, F.conv2d(z, phi[f"{site}.pointwise"][:, :, None, None]), *scaled])
        shifts = [phi[f"{site}.scalar-shift"], phi[f"{site}.vector-shift"][:, None, None]]
        return weighed(f"{site}.shift", [z, *(z + shift for shift in shifts)])

    def at_kernel(block, w):
        if not sap.hidden_operations:
            return w
        factors = [phi[f"weight{block}.kernel-scale"][:, :, None, None]]
        factors += [phi[f"weight{block}.channel-scale"][:, None, None, None]]
        return weighed(f"weight{block}.scale", [w, *(factor * w for factor in factors)])

    z = base({**params["net"], **head}, x, at_image, at_kernel)
    gate, affine = torch.sigmoid(logits["output.gate"]), phi["output.affine"]
    return (1 - gate) * z + gate * (z @ affine[:-1].T + affine[-1])


def descended(sap: SAP, params, task, steps: int, hide=lambda g: g):
    """phi and the head after `steps` steps of automatic differentiation through the oracle."""
    now = params["operations"], {key: params["net"][key] for key in sap.network.head.keys}

    def stepped(value, g, still):
        g = g if sap.inner_clip is None else g.clamp(-sap.inner_clip, sap.inner_clip)
        return value if still else value - sap.inner_lr * hide(g)

    for _ in range(steps):

        def loss(now):
            return F.cross_entropy(oracle(sap, params, *now, task.support_x), task.support_y)

        g = grad(loss)(now)
        phi = {name: stepped(value, g[0][name], name in sap.frozen) for name, value in now[0].items()}
        now = phi, {name: stepped(value, g[1][name], not sap.head_adapts) for name, value in now[1].items()}
    return now


def close(a, b, tolerance=1e-11):
    tree_map(lambda x, y: torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance), a, b)


@pytest.mark.parametrize(("channels", "theta", "phi"), [(32, 32_901, 73_247), (64, 121_093, 291_711)])
def test_the_published_numbers_of_parameters(channels, theta, phi):
    sap = SAP(network=Conv4(channels=channels))
    params = sap.init(stream("init"), TaskSpec(Image(3, 84, 84), Classes(5)))
    assert [count(params[group]) for group in ("net", "operations", "strengths")] == [theta, phi, 48]
    head = sum(params["net"][key].numel() for key in sap.network.head.keys)
    assert phi + head == {32: 77_252, 64: 299_716}[channels]
    of_site = {
        site: sum(value.numel() for name, value in params["operations"].items() if name.startswith(site))
        for site in ("input", "weight1", "hidden1", "weight2", "hidden2", "output")
    }
    assert (of_site["input"], of_site["output"]) == (157, 30)
    assert of_site["weight1"] + of_site["hidden1"] == {32: 17_569, 64: 69_953}[channels]
    assert of_site["weight2"] + of_site["hidden2"] == {32: 18_497, 64: 73_857}[channels]


@pytest.mark.parametrize("network", [SMALL.network, ResNet12(width=2)], ids=["conv4", "resnet12"])
def test_the_start_is_the_network_itself(network, task):
    x = torch.cat([task.query_x, task.query_x.flip(-1)], -1).repeat(1, 1, 2, 1)  # 16 x 16 are enough for both
    sap = replace(SMALL, network=network)
    params = double(sap.init(stream("init"), TaskSpec(Image(2, 16, 16), Classes(3))))
    state = sap.start(params, x, task.query_y)
    close(sap.predict(params, state, x), network.forward(params["net"], x), 1e-12)
    if isinstance(network, Conv4):
        close(sap.predict(params, state, x), base(params["net"], x), 1e-12)


@forms
def test_the_mixes_are_the_operations_one_by_one(sap, task):
    params = anywhere(sap)
    state = sap.start(params, task.support_x, task.support_y)
    assert list(params["operations"]) == sap.operations()
    close(sap.named(params, state), params["operations"], 0)
    head = {key: params["net"][key] for key in sap.network.head.keys}
    close(sap.predict(params, state, task.query_x), oracle(sap, params, params["operations"], head, task.query_x))


@forms
def test_three_steps_are_gradient_descent_on_operations_and_head(sap, task):
    params = anywhere(sap)
    last = sap.adapt(params, task.support_x, task.support_y, 3)[-1]
    phi, head = descended(sap, params, task, 3)
    close(sap.named(params, last), phi)
    assert ("head" in last) == sap.head_adapts
    close(last.get("head", head), head)
    close(sap.predict(params, last, task.query_x), oracle(sap, params, phi, head, task.query_x))


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("form", ["published", "clipped", "ends"])
def test_meta_gradient_equals_autograd_through_the_oracle(form, first_order, task):
    """First order: with the inner gradients detached by hand. F.batch_norm is differentiated outside of vmap here."""
    sap = replace(FORMS[form], steps=2, first_order=first_order)
    params = anywhere(sap)
    hide = torch.Tensor.detach if first_order else lambda g: g

    def loss(p):
        return F.cross_entropy(oracle(sap, p, *descended(sap, p, task, 2, hide), task.query_x), task.query_y)

    got, value = sap.meta_gradient(params, task)
    close(got, grad(loss)(params), 1e-9)
    close(value, loss(params))


def test_what_has_no_strength_neither_acts_nor_adapts(task):
    """The others share its part: strengths of a group sum to 1."""
    params = anywhere(SMALL)
    params["strengths"]["hidden1.scale"][3] = -1000.0  # the kernels of rank one
    params["strengths"]["weight2.scale"][1] = -1000.0
    params["strengths"]["output.gate"].fill_(-1000.0)
    strengths = SMALL.strengths(params)
    none = {"hidden1.rank1-kernel", "weight2.kernel-scale", "output.affine"}
    assert {name for name, w in strengths.items() if float(w) == 0} == none
    assert all(
        float(sum(strengths[name] for name in names)) == pytest.approx(1)
        for names in SMALL.groups().values()
        if len(names) > 1
    )
    other = {**params, "operations": {k: v + (k in none) for k, v in params["operations"].items()}}
    state, changed = (SMALL.adapt(p, task.support_x, task.support_y, 2)[-1] for p in (params, other))
    close(SMALL.predict(params, state, task.query_x), SMALL.predict(other, changed, task.query_x))
    final = SMALL.named(params, state)
    close(final, descended(SMALL, params, task, 2)[0])
    assert all(torch.equal(final[name], params["operations"][name]) for name in none)


def test_rank_one_kernels_between_channels_are_dead_as_published(task):
    params = drawn(SMALL)
    final = SMALL.named(params, SMALL.adapt(params, task.support_x, task.support_y, 3)[-1])
    moved = (final["hidden1.rank1-kernel"] - params["operations"]["hidden1.rank1-kernel"]).abs() > 1e-15
    assert bool(moved.any(-1).equal(torch.eye(CHANNELS, dtype=torch.bool)))
    assert int(moved.sum()) == 7 * CHANNELS


def test_only_operations_that_exist_can_be_frozen():
    assert make("sap", network="conv4", frozen=["hidden4.kernel"]).frozen == ("hidden4.kernel",)
    with pytest.raises(BadConfig, match=r"no operation 'hidden1.matrix' to freeze; known are input.pointwise"):
        make("sap", network="conv4", frozen=["hidden1.matrix"])
