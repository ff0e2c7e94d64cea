"""What is drawn with a batch: hidden numbers, true functions, and the axes along which tasks can be moved."""

from dataclasses import fields

import pytest
import torch

from engine.errors import BadInput
from engine.tasks import LINE, TASKS, GaussianClasses, Sine, stream

MADE = {name: cls() for name, cls in TASKS.items() if cls().missing is None}
KNOWN = [name for name, made in MADE.items() if made.draw(stream("page"), 1).truth is not None]
AXES = [(name, axis.name) for name, made in MADE.items() for axis in made.axes]


@pytest.mark.parametrize("name", list(MADE))
def test_what_is_hidden_is_of_the_tasks_and_sampling_is_drawing(name):
    drawn, sampled = MADE[name].draw(stream("test"), 4), MADE[name].sample(stream("test"), 4)
    assert all(torch.equal(a, b) for a, b in zip(drawn.task, sampled, strict=True))
    assert drawn.hidden
    assert all(len(values) == 4 for values in drawn.hidden.values())


@pytest.mark.parametrize("name", KNOWN)
def test_the_truth_is_what_queries_are_scored_against(name):
    task, _, truth = MADE[name].draw(stream("test"), 4)
    assert torch.equal(truth(task.query_x), task.query_y)
    places = torch.linspace(-2, 2, 5, dtype=torch.float64).reshape(1, -1, 1)
    shared, each = truth(places), truth(places.expand(4, -1, -1))
    assert shared.dtype == torch.float64
    assert torch.equal(shared, each)
    torch.testing.assert_close(shared.float(), truth(places.expand(4, -1, -1).float()), rtol=1e-4, atol=1e-4)


def test_functions_of_one_number_are_known_and_classes_are_not():
    assert {name for name, made in MADE.items() if made.spec == LINE} == set(KNOWN)
    assert GaussianClasses().span is None


@pytest.mark.parametrize("name", KNOWN)
def test_inputs_lie_within_the_span(name):
    low, high = MADE[name].span
    task = MADE[name].sample(stream("test"), 200)
    assert low <= float(task.query_x.min()) < float(task.query_x.max()) <= high


@pytest.mark.parametrize(("name", "axis"), AXES)
def test_moving_changes_one_thing_and_draws_the_same_numbers(name, axis):
    made = MADE[name]
    there = made.moved(axis, 1.5)
    assert there.trained(axis) == ((0.0, 1.5) if axis == "inputs" else (1.5, 1.5))
    assert [f.name for f in fields(made) if getattr(made, f.name) != getattr(there, f.name)] == [axis]
    before, after = (of.draw(stream("test"), 3).hidden for of in (made, there))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved <= {name for name in before if name.rstrip("12") == axis}
    assert all((after[name] == 1.5).all() for name in moved)


def test_where_a_task_cannot_be_moved_to_is_one_sentence():
    with pytest.raises(BadInput, match=r"^The amplitude of sine can be moved to 0 to 100; -1 was asked for\.$"):
        Sine().moved("amplitude", -1.0)
    with pytest.raises(BadInput, match=r"^Tasks of gaussian-classes can be moved along nothing; 'phase' was asked for"):
        GaussianClasses().moved("phase", 1.0)
