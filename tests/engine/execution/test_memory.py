"""How many tasks fit into memory: the formula by hand, and what it grows with."""

import pytest

from engine.execution.memory import task_bytes, tasks_at_once
from engine.networks import MLP, NETWORKS
from engine.networks.memory import activations
from engine.tasks import LINE, Classes, Image, TaskSpec

IMAGES = TaskSpec(Image(3, 84, 84), Classes(5))


def test_the_formula_by_hand():
    network = MLP((3,))  # keeps input, linear, active and output: 1 + 3 + 3 + 1; weights 3 + 3
    assert activations(network, LINE) == 8
    assert task_bytes(network, LINE, 5, 7) == 4 * (12 * 1 + 12 * 8 + 6)
    assert task_bytes(network, LINE, 5, 7, steps=2) == 4 * (12 * 1 + 12 * 8 + 3 * 6)
    assert task_bytes(network, LINE, 5, 7, steps=2, second_order=True) == 4 * (12 + (5 * 6 + 7) * 8 + 3 * 2 * 6)


def test_so_many_fit_and_one_more_does_not():
    one = task_bytes(MLP((40, 40)), LINE, 10, 50, steps=5)
    for number in (1, 7, 250):
        assert tasks_at_once(MLP((40, 40)), LINE, 10, 50, number * one, steps=5) == number
        assert tasks_at_once(MLP((40, 40)), LINE, 10, 50, number * one - 1, steps=5) == number - 1


@pytest.mark.parametrize("name", list(NETWORKS))
def test_more_of_anything_takes_more(name):
    network = NETWORKS[name]()
    least = task_bytes(network, IMAGES, 5, 75, steps=5)
    assert least < task_bytes(network, IMAGES, 25, 75, steps=5)
    assert least < task_bytes(network, IMAGES, 5, 80, steps=5)
    assert least < task_bytes(network, IMAGES, 5, 75, steps=6)
    second = task_bytes(network, IMAGES, 5, 75, steps=5, second_order=True)
    assert least < second < task_bytes(network, IMAGES, 5, 75, steps=6, second_order=True)
