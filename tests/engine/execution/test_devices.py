"""No learner makes a tensor on the processor while it learns elsewhere.

PyTorch's device "meta" stands for a GPU here: it computes shapes alone, and refuses to add, stack or compare with
tensors of the processor as a GPU does. Where there is a GPU, `test_training.py` trains on it.
"""

import pytest
import torch
from torch.func import vmap

from engine.execution.gradients import meta_gradient, stepwise_meta_gradient
from engine.execution.policy import compiles_whole
from engine.tasks import GaussianClasses, NoisyTask, Sine, stream
from engine.trees import leaves, tree_map
from tests.engine.conftest import CASES, short

ELSEWHERE = torch.device("meta")


def moved(tree):
    return tree_map(lambda leaf: leaf.to(ELSEWHERE), tree)


@pytest.fixture(params=CASES, ids="-".join)
def given(request):
    """A learner, its meta-parameters and three tasks, elsewhere."""
    name, kind = request.param
    learner = short(name, steps=2, test_steps=3)
    tasks = Sine(shots=4, queries=6) if kind == "regression" else GaussianClasses(shots=4, queries=2, ways=3)
    params, drawn = learner.init(stream("init"), tasks.spec), tasks.sample(stream("train"), 3)
    if size := learner.noise_size(tasks.spec):
        drawn = NoisyTask(*drawn, torch.rand(3, size, generator=stream("noise")))
    return learner, moved(params), moved(drawn)


def test_here_tensors_of_two_devices_do_not_mix():
    """So that the tests below can fail."""
    with pytest.raises(RuntimeError, match="cpu"):
        torch.ones(3, device=ELSEWHERE) + torch.arange(3)
    with pytest.raises(RuntimeError, match="cpu"):
        torch.stack([torch.ones(3, device=ELSEWHERE), torch.ones(3)])


def test_adapting_and_predicting_stay_on_the_device(given):
    learner, params, tasks = given

    def predicted(x, y, query_x):
        return torch.stack([learner.predict(params, state, query_x) for state in learner.adapt(params, x, y, None)])

    assert vmap(predicted)(*tasks[:3]).device == ELSEWHERE


def test_meta_gradients_stay_on_the_device(given):
    learner, params, tasks = given
    if not learner.meta_trained:
        pytest.skip("learns nothing across tasks")
    stacked = (tree_map(lambda leaf: leaf.unsqueeze(0), params), tree_map(lambda leaf: leaf.unsqueeze(0), tasks))
    ways = [meta_gradient] + [stepwise_meta_gradient] * (not compiles_whole(learner))
    for way in ways:
        gradient, loss = way(learner)(*stacked)
        assert {leaf.device for leaf in leaves(gradient)} == {loss.device} == {ELSEWHERE}
