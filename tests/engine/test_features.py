"""Features of every learner: the last layer of them explains the prediction, and seeds and tasks batch as elsewhere."""

import pytest
import torch
from torch.func import vmap

from engine.learners import LEARNERS
from engine.networks import keep, perceptron
from engine.tasks import Sine, stream
from engine.trees import stack
from tests.engine.conftest import CASES, double, few, init, short


@pytest.mark.parametrize(("name", "kind"), CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def test_predictions_are_a_function_of_the_last_features(name, kind):
    """Regressing what the adapted learner says on its last features leaves nothing: they are what the head reads."""
    learner, distribution = short(name), few(kind)
    task = double(distribution.sample(stream("page", 3), 1))
    params = init(learner, 0, distribution)
    x = torch.rand((200, *distribution.spec.input_shape), generator=stream("page", 5), dtype=torch.float64) * 8 - 4
    state = learner.adapt(params, task.support_x[0], task.support_y[0])[-1]
    layers = learner.features(params, state, x)
    assert layers, f"{name} has no features"
    assert all(value.ndim == 2 and len(value) == len(x) for value in layers.values())
    said = learner.predict(params, state, x)
    last = list(layers.values())[-1]
    design = torch.cat([last, torch.ones_like(last[:, :1])], -1)
    if name == "protonet":  # squared distances: the length of the embedding is one more regressor
        design = torch.cat([design, last.square().sum(-1, keepdim=True)], -1)
    fitted = design @ torch.linalg.lstsq(design, said, driver="gelsd").solution
    assert float((fitted - said).abs().max()) < 1e-7 * max(1.0, float(said.abs().max()))
    assert float(last.std(0).max()) > 1e-6, "the features depend on the input"


@pytest.mark.parametrize("name", [name for name, cls in LEARNERS.items() if "regression" in cls.kinds])
def test_features_of_seeds_and_tasks_together_are_those_of_each_alone(name):
    learner = short(name)
    tasks = double(Sine(shots=7, queries=20).sample(stream("page", 4), 2))
    seeds = [init(learner, seed) for seed in range(2)]
    x = torch.linspace(-5, 5, 9, dtype=torch.float64).unsqueeze(-1)

    def one(params, support_x, support_y):
        return learner.features(params, learner.adapt(params, support_x, support_y)[-1], x)

    together = vmap(vmap(one, (None, 0, 0)), (0, None, None))(stack(seeds), tasks.support_x, tasks.support_y)
    for seed, params in enumerate(seeds):
        alone = one(params, tasks.support_x[1], tasks.support_y[1])
        for layer, value in alone.items():
            torch.testing.assert_close(together[layer][seed, 1], value, rtol=1e-10, atol=1e-10)
    broadcast = one(stack(seeds), tasks.support_x[0], tasks.support_y[0])
    for layer, value in broadcast.items():
        torch.testing.assert_close(value, together[layer][:, 0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", [name for name, cls in LEARNERS.items() if "regression" in cls.kinds])
def test_the_network_of_a_state_is_what_predicts(name, task):
    learner, params = short(name), init(short(name))
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    acting = learner.acting(params, state)
    if acting is None:
        pytest.skip(f"{name} keeps no ReLU network")
    said = learner.predict(params, state, task.query_x)
    torch.testing.assert_close(acting(task.query_x), said, rtol=1e-12, atol=1e-12)
    assert acting.at is keep, "operations are folded into the weights of an MLP"
    torch.testing.assert_close(perceptron.forward(acting.weights, task.query_x), said, rtol=1e-12, atol=1e-12)
