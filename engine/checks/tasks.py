"""What every distribution of tasks must satisfy."""

from dataclasses import asdict, replace

import torch

from engine.checks.checking import Check, CheckFailed, described, finite, require, same
from engine.configure import configure
from engine.errors import BadConfig
from engine.tasks import Classes, Task, TaskDistribution, TaskSpec, Values, stream

N = 4


def says_what_it_is(distribution: TaskDistribution) -> None:
    """It says its name and summary, and what its inputs and targets are."""
    described(type(distribution), TaskDistribution)
    require(distribution.missing is None, f"{distribution.name} cannot be drawn from yet: {distribution.missing}")
    require(isinstance(distribution.spec, TaskSpec), f"spec must be a TaskSpec; it is {distribution.spec!r}.")


def draws_from_the_generator_alone(distribution: TaskDistribution) -> None:
    """Tasks come from the generator alone: the same one gives the same, another one others."""
    first, second, third = (Task(*distribution.sample(stream("page", seed), N)) for seed in (1, 1, 2))
    what = "Tasks must be drawn from the generator that is given and from nothing else"
    require(same(_tree(first), _tree(second)), f"{what}: two that are alike gave different tasks.")
    require(not same(_tree(first), _tree(third)), f"{what}: different ones gave the same tasks.")
    require(any(not torch.equal(v[0], v[1]) for v in first), "Tasks of a batch must differ from each other.")


def _tree(task: Task) -> dict[str, torch.Tensor]:
    """A task as a tree with names."""
    return task._asdict()


def tensors_are_what_spec_says(distribution: TaskDistribution) -> None:
    """Support and query have the shapes and types that spec, shots and queries say, and are finite."""
    spec, task = distribution.spec, distribution.sample(stream("page"), N)
    each = spec.targets.ways if isinstance(spec.targets, Classes) else 1
    for part, points in (("support", distribution.shots * each), ("query", distribution.queries * each)):
        x, y = getattr(task, f"{part}_x"), getattr(task, f"{part}_y")
        wanted = (N, points, *spec.input_shape)
        require(tuple(x.shape) == wanted, f"{part}_x of {N} tasks must have shape {wanted}; it has {tuple(x.shape)}.")
        require(x.dtype == torch.float32, f"{part}_x must be float32; it is {x.dtype}.")
        match spec.targets:
            case Values(size):
                wanted, dtype = (N, points, size), torch.float32
            case Classes(_):
                wanted, dtype = (N, points), torch.int64
        require(tuple(y.shape) == wanted, f"{part}_y of {N} tasks must have shape {wanted}; it has {tuple(y.shape)}.")
        require(y.dtype == dtype, f"{part}_y must be {dtype}; it is {y.dtype}.")
        require(finite(x) and finite(y), f"{part}_x and {part}_y must be finite.")


def classes_are_balanced(distribution: TaskDistribution) -> None:
    """With classes, each has as many support points as shots say, and as many queries."""
    if not isinstance(targets := distribution.spec.targets, Classes):
        return
    task = distribution.sample(stream("page"), N)
    for part, labels, each in (
        ("support", task.support_y, distribution.shots),
        ("query", task.query_y, distribution.queries),
    ):
        counts = torch.stack([(labels == way).sum(1) for way in range(targets.ways)], 1)
        what = f"Each of the {targets.ways} classes must have {each} {part} points; one has"
        require((counts == each).all(), f"{what} {int(counts[counts != each][:1].sum())}.")


def shots_and_queries_are_obeyed(distribution: TaskDistribution) -> None:
    """One support point and one query can be had."""
    tensors_are_what_spec_says(replace(distribution, shots=1, queries=1))


def truth_is_what_queries_say(distribution: TaskDistribution) -> None:
    """What is hidden is of the tasks; where there is a truth, queries are scored against it."""
    task, hidden, truth = distribution.draw(stream("test"), N)
    sampled = distribution.sample(stream("test"), N)
    require(same(_tree(task), _tree(sampled)), "sample must give the task that draw gives.")
    wrong = [name for name, values in hidden.items() if len(values) != N]
    require(not wrong, f"What is hidden must have one row a task; {', '.join(wrong)} has not.")
    if truth is not None:
        said = truth(task.query_x)
        right = said.shape == task.query_y.shape and torch.allclose(said, task.query_y, rtol=1e-5, atol=1e-5)
        require(right, "The truth at query_x must be query_y: queries have no noise.")


def values_are_checked(distribution: TaskDistribution) -> None:
    """Its parameters survive a record, and shots of zero are refused."""
    again = configure(type(distribution), asdict(distribution), f"task {distribution.name}")
    require(again == distribution, f"It must be made anew from its parameters; {distribution} became {again}.")
    try:
        configure(type(distribution), {**asdict(distribution), "shots": 0}, "task")
    except BadConfig:
        return
    raise CheckFailed("shots = 0 must be refused: write `shots: Annotated[int, Field(ge=1)] = 10`.")


CHECKS: tuple[Check, ...] = (
    says_what_it_is,
    draws_from_the_generator_alone,
    tensors_are_what_spec_says,
    shots_and_queries_are_obeyed,
    classes_are_balanced,
    truth_is_what_queries_say,
    values_are_checked,
)


def check_task(distribution: TaskDistribution) -> None:
    """Goes through all checks.

    Raises:
        CheckFailed: the first thing that is not so.
    """
    for check in CHECKS:
        check(distribution)
