"""How many tasks fit into memory: the formula by hand, what it grows with, and that evaluations keep to it."""

import pytest

from engine import evaluation
from engine.execution.memory import bytes_of, task_bytes
from engine.learners import make
from engine.networks import MLP, NETWORKS, Conv4
from engine.networks.memory import activations
from engine.tasks import LINE, Classes, Image, TaskSpec, stream
from tests.images import Bars

IMAGES = TaskSpec(Image(3, 84, 84), Classes(5))


def test_the_formula_by_hand():
    network = MLP((3,))  # keeps input, linear, active and output: 1 + 3 + 3 + 1; weights 3 + 3
    assert activations(network, LINE) == 8
    assert task_bytes(network, LINE, 5, 7) == 4 * (12 * 1 + 12 * 8 + 6)
    assert task_bytes(network, LINE, 5, 7, steps=2) == 4 * (12 * 1 + 12 * 8 + 3 * 6)
    assert task_bytes(network, LINE, 5, 7, steps=2, second_order=True) == 4 * (12 + (5 * 6 + 7) * 8 + 3 * 2 * 6)


@pytest.mark.parametrize("name", ["maml", "sap", "turtle", "meta-lstm-enhanced"])
def test_so_many_tasks_are_evaluated_at_once_and_one_more_does_not_fit(name, monkeypatch):
    """What stands in the network and the rule that steps it are counted here as they are for a training."""
    network = Conv4(channels=4, blocks=2, norm="group")
    learner, tasks = make(name, network=network), Bars(shots=2, queries=3).lazy(stream("test"), 9)
    spec, points, steps = tasks.spec, (tasks.support_x.shape[1], tasks.query_x.shape[1]), learner.evaluation_steps
    one = bytes_of(learner, spec, *points, steps=steps)
    assert (one > task_bytes(network, spec, *points, steps=steps)) == (name != "maml")
    for number in (1, 7):
        monkeypatch.setattr(evaluation, "MOST_BYTES", 2 * number * one)
        assert evaluation.at_once(learner, tasks, 250, copies=2) == number
        monkeypatch.setattr(evaluation, "MOST_BYTES", 2 * number * one - 1)
        assert evaluation.at_once(learner, tasks, 250, copies=2) == max(number - 1, 1)
    monkeypatch.undo()
    assert evaluation.at_once(learner, tasks, 5) == 5


@pytest.mark.parametrize("name", list(NETWORKS))
def test_more_of_anything_takes_more(name):
    network = NETWORKS[name]()
    least = task_bytes(network, IMAGES, 5, 75, steps=5)
    assert least < task_bytes(network, IMAGES, 25, 75, steps=5)
    assert least < task_bytes(network, IMAGES, 5, 80, steps=5)
    assert least < task_bytes(network, IMAGES, 5, 75, steps=6)
    second = task_bytes(network, IMAGES, 5, 75, steps=5, second_order=True)
    assert least < second < task_bytes(network, IMAGES, 5, 75, steps=6, second_order=True)
