"""What every learner must satisfy on every task that it learns."""

import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from engine.checks.checking import Check, CheckFailed, close, described, distance, double, finite, require, same, single
from engine.execution.gradients import meta_gradient
from engine.learners import Learner, Params
from engine.networks import Network
from engine.runs.budget import Training
from engine.runs.run import describe, load, save
from engine.tasks import GaussianClasses, NoisyTask, Sine, Task, TaskDistribution, stream
from engine.training import recipes
from engine.training.trainer import Trainer
from engine.trees import named_leaves, stack, tree_map

LOWERED = 0.98  # a short training must bring the validation error below so much of what it was


def few(kind: str, shots: int = 7, queries: int = 20) -> TaskDistribution:
    """Sine waves, or three Gaussian classes, with about so many points in all."""
    if kind == "regression":
        return Sine(shots=shots, queries=queries)
    return GaussianClasses(shots=max(shots // 3, 1), queries=max(queries // 3, 1), ways=3)


def short(cls: type[Learner], steps: int = 3, test_steps: int = 5, **more: Any) -> Learner:
    """A learner with few inner steps, where it has them."""
    return cls(**few_steps(cls, steps, test_steps), **more)


def few_steps(cls: type[Learner], steps: int = 3, test_steps: int = 5) -> dict[str, int]:
    """Values for its numbers of inner steps, where it has them."""
    own = {field.name for field in fields(cls)}
    return {key: v for key, v in {"steps": steps, "test_steps": test_steps}.items() if key in own}


def tasks_of(distribution: TaskDistribution, tasks: int = 4, index: int = 4) -> Task:
    """Some tasks, float64."""
    return Task(*double(distribution.sample(stream("page", index), tasks)))


def task_of(distribution: TaskDistribution) -> Task:
    """One task, float64."""
    return tree_map(lambda v: v[0], tasks_of(distribution, 1, 3))


def params_of(learner: Learner, distribution: TaskDistribution, seed: int = 0) -> Params:
    """Float64 meta-parameters of a seed."""
    return double(learner.init(stream("init", seed), distribution.spec))


def says_what_it_is(learner: Learner, distribution: TaskDistribution) -> None:
    """It says its name, title, family, reference, formula, rule and summary, and learns such tasks."""
    described(type(learner), Learner)
    kinds = {"regression", "classification"}
    require(set(learner.kinds) <= kinds and learner.kinds, f"kinds must be of {', '.join(sorted(kinds))}.")
    refused = learner.refused(distribution.spec)
    require(refused is None, f"{learner.title} does not learn these tasks: {refused}")


def draws_from_the_generator_alone(learner: Learner, distribution: TaskDistribution) -> None:
    """Meta-parameters come from the generator alone: the same one gives the same."""
    first, second, third = (learner.init(stream("init", seed), distribution.spec) for seed in (1, 1, 2))
    what = f"{learner.title}.init must draw from the generator that it is given and from nothing else"
    require(same(first, second), f"{what}: two that are alike gave different parameters.")
    require(
        not list(named_leaves(first)) or not same(first, third), f"{what}: different ones gave the same parameters."
    )
    require(finite(first), f"{learner.title}.init must draw finite numbers.")


def adapts_and_predicts(learner: Learner, distribution: TaskDistribution) -> None:
    """Adapting gives all T + 1 states, and every state predicts finite numbers of the right shape."""
    params, task = params_of(learner, distribution), task_of(distribution)
    trajectory = learner.adapt(params, task.support_x, task.support_y)
    states = len(trajectory)
    wanted = learner.evaluation_steps + 1
    require(states == wanted, f"adapt must give the states before and after every step, {wanted}; it gave {states}.")
    require(
        len(learner.adapt(params, task.support_x, task.support_y, 2)) == 3, "adapt must take as many steps as told."
    )
    shape = (len(task.query_x), distribution.spec.output_dim)
    for step, state in enumerate(trajectory):
        predicted = learner.predict(params, state, task.query_x)
        said = tuple(predicted.shape)
        require(said == shape, f"predict must give (queries, outputs), {shape}; after {step} steps it gave {said}.")
        require(finite(predicted), f"predict must give finite numbers; after {step} steps some are not.")


def batches_are_loops(learner: Learner, distribution: TaskDistribution) -> None:
    """Many tasks by vmap are each alone."""
    params, tasks = params_of(learner, distribution), tasks_of(distribution)

    def final(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        return learner.predict(params, learner.adapt(params, x, y)[-1], query)

    batch = vmap(final)(tasks.support_x, tasks.support_y, tasks.query_x)
    loop = [final(*one) for one in zip(tasks.support_x, tasks.support_y, tasks.query_x, strict=True)]
    close(batch, torch.stack(loop), "Predictions for a batch of tasks by vmap are not those of a loop")


def meta_gradients_are_means(learner: Learner, distribution: TaskDistribution) -> None:
    """The meta-gradient of a batch is the mean of those of its tasks."""
    params, tasks = params_of(learner, distribution), tasks_of(distribution)
    alone = [learner.meta_gradient(params, Task(*(v[i] for v in tasks)))[0] for i in range(4)]
    batched, _ = meta_gradient(learner)(stack([params]), Task(*(v[None] for v in tasks)))
    mean = tree_map(lambda *g: torch.stack(g).mean(0), *alone)
    require(finite(mean), "The meta-gradient must be finite.")
    close(tree_map(lambda g: g[0], batched), mean, "The meta-gradient of a batch is not the mean of its tasks'")


def stacks_are_each_alone(learner: Learner, distribution: TaskDistribution) -> None:
    """Seeds given as one stack are each alone."""
    if not all(part.broadcasts for part in vars(learner).values() if isinstance(part, Network)):
        return  # stacks of such networks go one by one
    task, seeds = task_of(distribution), [params_of(learner, distribution, seed) for seed in range(3)]
    together = stack(seeds)
    final = learner.adapt(together, task.support_x, task.support_y)[-1]
    got = learner.predict(together, final, task.query_x)
    for params, prediction in zip(seeds, got, strict=True):
        alone = learner.adapt(params, task.support_x, task.support_y)[-1]
        what = "Predictions of a stack of seeds, parameters with a leading axis, are not those of each seed"
        close(prediction, learner.predict(params, alone, task.query_x), what)


def order_is_as_declared(learner: Learner, distribution: TaskDistribution) -> None:
    """The order of the support matters exactly where permutation_invariant is False."""
    task, params = task_of(distribution), params_of(learner, distribution)
    order = torch.arange(len(task.support_x)).flip(0).roll(2)
    plain = learner.adapt(params, task.support_x, task.support_y)[-1]
    shuffled = learner.adapt(params, task.support_x[order], task.support_y[order])[-1]
    gap = distance(learner.predict(params, plain, task.query_x), learner.predict(params, shuffled, task.query_x))
    declared = learner.permutation_invariant
    what = f"permutation_invariant says {declared}, but another order of the support changes predictions by {gap:.3g}."
    require((gap < 1e-11) == declared, what)


def order_of_derivatives_changes_no_state(learner: Learner, distribution: TaskDistribution) -> None:
    """First and second order adapt alike; only the meta-gradient differs."""
    if "first_order" not in {field.name for field in fields(learner)} or not learner.meta_trained:
        return
    first, second = (replace(learner, first_order=order) for order in (True, False))  # type: ignore[call-arg]
    task, params = task_of(distribution), params_of(learner, distribution)
    ends = [one.adapt(params, task.support_x, task.support_y)[-1] for one in (first, second)]
    close(ends[0], ends[1], "A first-order learner must arrive where a second-order one does")
    if size := learner.noise_size(distribution.spec):
        noise = torch.rand(size, generator=stream("noise"), dtype=torch.float64)
        gradients = [one.meta_gradient(params, NoisyTask(*task, noise))[0] for one in (first, second)]  # type: ignore[arg-type]
    else:
        gradients = [one.meta_gradient(params, task)[0] for one in (first, second)]
    require(not same(*gradients), "first_order must change the meta-gradient; both orders gave the same.")


def saving_keeps_everything(learner: Learner, distribution: TaskDistribution) -> None:
    """A run that is saved and opened is the same to the bit."""
    params = learner.init(stream("init", 7), distribution.spec)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "run", params, {**describe(learner, distribution, 7), "status": "done"})
        run = load(Path(folder) / "run")
    require(run.learner == learner, f"A saved learner must open as itself: {learner} became {run.learner}.")
    require(
        run.distribution == distribution, f"A saved task must open as itself: {distribution} became {run.distribution}."
    )
    require(same(run.params, single(params)), "Parameters that are saved and opened must be the same to the bit.")


def single_precision_suffices(learner: Learner, distribution: TaskDistribution) -> None:
    """float32 gives what float64 gives, to a thousandth."""
    task, params = task_of(distribution), params_of(learner, distribution)
    fine = learner.predict(params, learner.adapt(params, task.support_x, task.support_y)[-1], task.query_x)
    small, (x, y, query, _) = single(params), single(task)
    coarse = learner.predict(small, learner.adapt(small, x, y)[-1], query)
    require(coarse.dtype == torch.float32, f"Predictions for float32 must be float32; {coarse.dtype} was given.")
    close(double(coarse), fine, "Predictions in float32 are not those in float64", 1e-3)


def training_for(learner: Learner, distribution: TaskDistribution) -> Training:
    """A short one, by the outer optimiser of its recipe."""
    told = recipes.recipe(distribution.name, "default", learner.name, distribution.shots).training
    sgd = told.get("optimiser") == "sgd"
    return Training(
        iterations=60 if distribution.spec.kind == "regression" else 150,
        meta_batch=8,
        lr=told.get("lr", 1.0) if sgd else 0.01,
        optimiser="sgd" if sgd else "adam",
        clip=None if sgd else 10.0,
        validation_tasks=40,
        validate_every=1000,
    )


def short_training_helps(learner: Learner, distribution: TaskDistribution) -> None:
    """A short training lowers the validation error; a learner that is not meta-trained keeps it."""
    seen: list[float] = []
    larger = replace(distribution, shots=distribution.shots * 3 // 2, queries=distribution.queries * 8 // 3)
    trainer = Trainer(learner, larger, training_for(learner, larger), (0,))
    trainer.run(report=lambda progress: seen.extend(progress.validation or []))
    before, after = seen[0], seen[-1]
    if not learner.meta_trained:
        require(
            after == before, f"meta_trained is False, but a training changed the error from {before:g} to {after:g}."
        )
    elif not after < LOWERED * before:
        raise CheckFailed(f"A short training brought the validation error from {before:.4g} to {after:.4g}, not down.")


CHECKS: tuple[Check, ...] = (
    says_what_it_is,
    draws_from_the_generator_alone,
    adapts_and_predicts,
    batches_are_loops,
    meta_gradients_are_means,
    stacks_are_each_alone,
    order_is_as_declared,
    order_of_derivatives_changes_no_state,
    single_precision_suffices,
    saving_keeps_everything,
    short_training_helps,
)


def check_learner(learner: Learner, distribution: TaskDistribution | None = None) -> None:
    """Goes through all checks.

    Args:
        learner: with few inner steps, best: all is done in float64.
        distribution: that it learns; a small one of its first kind unless given.

    Raises:
        CheckFailed: the first thing that is not so.
    """
    for check in CHECKS:
        check(learner, distribution or few(learner.kinds[0]))
