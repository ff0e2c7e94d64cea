"""What OP-LSTM can express (S1, S2, S4 of the notes on arXiv 2310.14139), and what it can never do."""

import itertools
import math

import pytest
import torch
from torch.func import functional_call, grad

from engine.learners import OPLSTM
from engine.learners.op_lstm import FirstOrderOPLSTM
from engine.networks import MLP, perceptron
from engine.tasks import Numbers, Sine, TaskSpec, Values, stream
from engine.trees import count, leaves, tree_map

OPEN, SHUT = 40.0, -40.0


def memoryless(
    candidate: tuple[float, float], input_gate: tuple[float, float] = (0.0, OPEN)
) -> dict[str, torch.Tensor]:
    """A cell of size 1 that forgets at once: h = tanh(i tanh(candidate . u)), i = sigmoid(k u_0 + bias)."""
    k, bias = input_gate
    weight = torch.zeros(4, 2, dtype=torch.float64)  # gates i, f, g, o
    weight[0, 0] = k
    weight[2] = torch.tensor(candidate)
    zeros = torch.zeros(4, 1, dtype=torch.float64)
    return {
        "weight_ih1": weight,
        "weight_hh1": zeros,
        "bias_ih1": torch.tensor([bias, SHUT, 0.0, OPEN], dtype=torch.float64),
        "bias_hh1": torch.zeros(4, dtype=torch.float64),
    }


def backpropagation(epsilon: float, **config) -> tuple[OPLSTM, dict]:
    """OP-LSTM whose cells compute epsilon (y - y_hat) and pass messages only through active units."""
    learner = OPLSTM(cell_sizes=(), **config)
    params = tree_map(torch.Tensor.double, learner.init(stream("init", 5), Sine.spec))
    gate = 1e6
    params["output_lstm"] = memoryless((epsilon, -epsilon))
    params["body_lstm"] = memoryless((0.0, 1.0), (gate, -gate * 2e-5))
    return learner, params


def gradient_descent(params, task, lr: float, steps: int):
    """Weights after gradient descent on half the mean squared error, biases frozen; the independent oracle."""
    net = dict(params["net"])
    for _ in range(steps):
        g = grad(lambda n: 0.5 * (perceptron.forward(n, task.support_x) - task.support_y).square().mean())(net)
        net = {key: value - lr * g[key] if key.startswith("weight") else value for key, value in net.items()}
    return net


def relative(state, net, start) -> float:
    """|displacement - oracle's| / |oracle's| over all weights."""
    keys = [key for key in net if key.startswith("weight")]
    gap = torch.stack([(state["H" + key[6:]] - net[key]).square().sum() for key in keys]).sum().sqrt()
    return float(gap / torch.stack([(net[key] - start[key]).square().sum() for key in keys]).sum().sqrt())


def test_last_layer_follows_gradient_descent_with_an_error_that_shrinks_with_epsilon_squared(task):
    gaps = []
    for epsilon in (1e-1, 1e-2, 1e-3):
        learner, params = backpropagation(epsilon, normalise=False, steps=1)
        state = learner.adapt(params, task.support_x, task.support_y)[-1]
        net = gradient_descent(params, task, epsilon, 1)
        moved = net["weight3"] - params["net"]["weight3"]
        gaps.append(float((state["H3"] - net["weight3"]).norm() / moved.norm()))
    assert gaps[-1] < 1e-4
    assert gaps[1] / gaps[2] == pytest.approx(100, rel=0.1)  # O(epsilon^3) against a step of O(epsilon)


@pytest.mark.parametrize("steps", [1, 4])
def test_all_relu_layers_follow_gradient_descent(task, steps):
    learner, params = backpropagation(1e-3, normalise=False, steps=steps)
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    assert relative(state, gradient_descent(params, task, 1e-3, steps), params["net"]) < 1e-4


def test_with_gamma_it_is_normalised_gradient_descent(task):
    learner, params = backpropagation(1e-3, steps=1)
    before, after = learner.adapt(params, task.support_x, task.support_y)
    net = gradient_descent(params, task, 1.0, 1)
    step = {k: net[k] - params["net"][k] for k in net if k.startswith("weight")}
    length = torch.cat([v.flatten() for v in step.values()]).norm()
    for key, value in step.items():
        moved = after["H" + key[6:]] - before["H" + key[6:]]
        torch.testing.assert_close(moved, params["step_length"]["gamma"] * value / length, rtol=1e-3, atol=1e-8)


def test_prototype_rule(task):
    """With H_0 = 0 and a candidate that reads the label only, one pass writes the class means into the head."""
    ways, shots, d = 4, 3, 6
    learner = OPLSTM(network=MLP((d,), output_bias=True), cell_sizes=(), normalise=False, steps=1)
    spec = TaskSpec(Numbers(5), Values(ways))
    params = tree_map(torch.Tensor.double, learner.init(stream("init", 8), spec))
    params["net"]["weight2"].zero_()
    params["output_lstm"], params["body_lstm"] = memoryless((1.0, 0.0)), memoryless((0.0, 1.0))
    x = torch.randn(ways * shots, 5, generator=stream("page", 8), dtype=torch.float64)
    labels = torch.arange(ways).repeat_interleave(shots)
    state = learner.adapt(params, x, torch.nn.functional.one_hot(labels).double())[-1]
    features = perceptron.features(params["net"], x)
    prototypes = torch.stack([features[labels == way].mean(0) for way in range(ways)])
    c = math.tanh(math.tanh(1.0))
    assert c == pytest.approx(0.64201, abs=1e-5)
    torch.testing.assert_close(state["H2"], c / ways * prototypes, rtol=0, atol=1e-15)
    # with gamma, and a body that writes nothing, the head is the prototypes at length gamma
    scaled, params["body_lstm"] = (
        OPLSTM(network=MLP((d,), output_bias=True), cell_sizes=(), steps=1),
        memoryless((0.0, 0.0)),
    )
    params["step_length"] = {"gamma": torch.tensor(0.3, dtype=torch.float64)}
    state = scaled.adapt(params, x, torch.nn.functional.one_hot(labels).double())[-1]
    torch.testing.assert_close(state["H2"], 0.3 * prototypes / prototypes.norm(), rtol=1e-12, atol=1e-15)


def displacement(before, after) -> float:
    return float(torch.cat([(after[k] - before[k]).flatten() for k in before if k.startswith("H")]).norm())


@pytest.mark.parametrize("gamma", [0.025, -0.7])
def test_with_gamma_every_pass_moves_by_exactly_its_length(task, gamma):
    learner = OPLSTM(gamma=gamma, steps=6)
    params = tree_map(torch.Tensor.double, learner.init(stream("init", 1), Sine.spec))
    trajectory = learner.adapt(params, task.support_x, task.support_y)
    for before, after in itertools.pairwise(trajectory):
        assert displacement(before, after) == pytest.approx(abs(params["step_length"]["gamma"].item()), rel=1e-9)
    assert displacement(trajectory[0], trajectory[-1]) <= 6 * abs(gamma) + 1e-9


def test_without_gamma_an_update_is_bounded_by_its_inputs(task):
    learner = OPLSTM(normalise=False, steps=1)
    params = tree_map(torch.Tensor.double, learner.init(stream("init", 1), Sine.spec))
    start = learner.start(params, task.support_x, task.support_y)
    _, delta = learner.signals(params, start, task.support_x, 1e6 * task.support_y)
    a = perceptron.activations(params["net"], task.support_x)
    for layer in range(1, 4):
        assert bool((delta[f"H{layer}"].abs() <= a[layer - 1].abs().mean(0) + 1e-15).all())
        assert float(delta[f"H{layer}"].abs().max()) > 0


def test_silent_cells_leave_the_weights_and_finite_gradients(task):
    learner = OPLSTM(cell_sizes=(), steps=2)
    params = tree_map(torch.Tensor.double, learner.init(stream("init", 1), Sine.spec))
    params["output_lstm"] = params["body_lstm"] = memoryless((0.0, 0.0))
    trajectory = learner.adapt(params, task.support_x, task.support_y)
    assert displacement(trajectory[0], trajectory[-1]) == 0
    gradient, loss = learner.meta_gradient(params, task)
    assert bool(loss.isfinite())
    assert all(bool(g.isfinite().all()) for g in leaves(gradient))


def test_parameter_counts():
    params = OPLSTM(network=MLP((91, 91, 91), output_bias=True)).init(stream("init"), Sine.spec)
    assert count(params["net"]) == 17_018
    assert count(params["output_lstm"]) == count(params["body_lstm"]) == 452
    assert count(params) == 17_018 + 2 * 452 + 1


def test_first_order_hides_activations_from_the_cells(task):
    """Detached inputs change the meta-gradient, not the adaptation."""
    plain, detached = OPLSTM(steps=2), OPLSTM(steps=2, first_order=True)
    params = tree_map(torch.Tensor.double, plain.init(stream("init", 1), Sine.spec))
    same = [learner.adapt(params, task.support_x, task.support_y)[-1]["H3"] for learner in (plain, detached)]
    torch.testing.assert_close(same[0], same[1], rtol=0, atol=0)
    gradients = [learner.meta_gradient(params, task)[0]["net"]["weight1"] for learner in (plain, detached)]
    assert not torch.allclose(gradients[0], gradients[1])


def stacked(net, u, memory):
    """One step of torch's LSTM cells in a row; returns the top h and the new (h, c) of every cell."""
    new = []
    for layer, state in enumerate(memory, start=1):
        weights = {name: net[f"{name}{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        module = torch.nn.LSTMCell(u.shape[-1], state[0].shape[-1], dtype=torch.float64)
        new.append(functional_call(module, weights, (u, state)))
        u = new[-1][0]
    return u, new


def by_hand(params, task, passes, first_order):
    """The meta-gradient by autograd, layer by layer as in the paper; of first order, what the cells see is detached."""
    params = tree_map(lambda leaf: leaf.clone().requires_grad_(), params)
    net, rows, sizes = params["net"], len(task.support_x), (5, 5, 1)
    H = [net["weight1"], net["weight2"], net["weight3"]]
    memory = [
        [(torch.zeros(rows * len(h), n).double(), torch.zeros(rows * len(h), n).double()) for n in sizes] for h in H
    ]

    def forward(x):
        a = [x]
        for layer in range(3):
            z = torch.nn.functional.linear(a[-1], H[layer], net[f"bias{layer + 1}"])
            a.append(torch.relu(z) if layer < 2 else z)
        return a

    for _ in range(passes):
        a, deltas, h = forward(task.support_x), [None] * 3, None
        for layer in (2, 1, 0):
            first, second = (task.support_y, a[3]) if layer == 2 else (a[layer + 1], h @ H[layer + 1])
            seen = torch.stack([first, second], -1).reshape(-1, 2)
            cells = params["output_lstm" if layer == 2 else "body_lstm"]
            top, memory[layer] = stacked(cells, seen.detach() if first_order else seen, memory[layer])
            h = top.reshape(rows, -1)
            deltas[layer] = torch.einsum("ij,im->jm", h, a[layer]) / rows
        length = torch.cat([delta.flatten() for delta in deltas]).norm()
        H = [old + params["step_length"]["gamma"] * delta / length for old, delta in zip(H, deltas, strict=True)]
    loss = torch.nn.functional.mse_loss(forward(task.query_x)[-1], task.query_y)
    return torch.autograd.grad(loss, list(leaves(params)))


@pytest.mark.parametrize("cls", [OPLSTM, FirstOrderOPLSTM])
def test_meta_gradient_equals_one_by_hand_with_what_the_cells_see_detached_in_first_order(task, cls):
    learner = cls(network=MLP((6, 5), output_bias=True), steps=3)
    params = tree_map(torch.Tensor.double, learner.init(stream("init", 1), Sine.spec))
    expected = by_hand(params, task, 3, learner.first_order)
    for ours, theirs in zip(leaves(learner.meta_gradient(params, task)[0]), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)
