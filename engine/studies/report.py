"""What trained learners reach on fresh test tasks: one run step by step, and the table of all runs, seeds together."""

from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from engine.configure import configure
from engine.errors import BadConfig
from engine.evaluation import estimate, held_out_lazily, knowing_nothing, left_out, mean_of_rest, spoken, step_scores
from engine.heads import fresh_heads
from engine.runs.groups import Found, differing, groups, largest
from engine.runs.listing import find
from engine.runs.run import Run, load
from engine.tasks import TASKS, Image, TaskDistribution, stream, task_class

MEASURES = {"mse": "test MSE", "accuracy": "test accuracy"}


Evaluate = Callable[[list[Path], int | None, str], dict[str, Any]]


def rows(
    root: Path, tasks: int | None = None, device: str = "cpu", evaluate: Evaluate | None = None
) -> list[dict[str, Any]]:
    """Evaluates the finished runs below `root`, by folder, task, learner and shots, and within by `engine.runs.groups`.

    Those on images have a table of their own (`engine.studies.domains`).

    The interval is a 95 % t-interval over the test tasks of the error averaged over seeds (all seeds meet the same
    tasks, so their errors are not independent); the spread over seeds is shown by the value of each seed. A task that
    diverges for any seed is left out of the means of all of them, so that they are over the same tasks. There are
    `tasks` of them, the number of their distribution unless given. `evaluate` stands in for `evaluate_seeds` where its
    answers are kept.

    Returns:
        One object per group: collection, learner, shots, differs (what tells it from the largest group of the same
        learner and shots, as "training.iterations = 300"; mostly nothing), seeds, mse (accuracy where there are
        classes), ci95, median, median_interval, per_seed, tasks, diverged (for any seed), iterations, meta_batch,
        minutes (of training, all seeds together).
    """
    collections: dict[str, list[Found]] = {}
    for path, record in find(root):
        if record.get("status") == "done" and not of_images(record):
            collections.setdefault(str(path.parent.relative_to(root)), []).append((path, record))
    content = []
    for collection, found in sorted(collections.items()):
        every = groups(found)
        shown = {(g.task, g.learner, g.shots): g for g in largest(every)}
        for group in sorted(every, key=lambda g: (g.task, g.learner, g.shots)):
            first = shown[group.task, group.learner, group.shots]
            head = {"collection": collection, "learner": group.learner, "shots": group.shots}
            head["differs"] = differing(group, first)
            content.append({**head, **(evaluate or evaluate_seeds)(group.paths, tasks, device)})
    return content


def of_images(record: dict[str, Any]) -> bool:
    """Whether a run was trained on images."""
    cls = TASKS.get(record.get("task", ""))
    return cls is not None and isinstance(cls().spec.inputs, Image)


def evaluate_seeds(paths: list[Path], tasks: int | None = None, device: str = "cpu") -> dict[str, Any]:
    """Runs that differ in their seed, on the same test tasks: the last keys of `rows`."""
    runs = [load(path) for path in paths]
    training = runs[0].record.get("training") or {}
    drawn = held_out_lazily(runs[0].distribution, tasks)
    scores = [step_scores(run.learner, run.params, drawn, device=device) for run in runs]
    nothing, worst = knowing_nothing(runs[0].distribution, drawn), scores[0].worst
    values = np.stack([score.headline[:, -1].double().numpy() for score in scores])
    away = np.stack([score.diverged(nothing) for score in scores])  # (seeds, tasks)
    gone = np.asarray(away.any(0))
    final = estimate(values.mean(0), gone, worst=worst)
    middle = estimate(np.median(np.where(away, worst, values), axis=0), worst=worst)  # of the median seed
    return {
        "seeds": len(runs),
        scores[0].measure: final.mean,
        "ci95": final.ci95,
        "median": middle.median,
        "median_interval": list(middle.median_interval),
        "per_seed": mean_of_rest(values.T, gone),
        "tasks": final.tasks,
        "diverged": final.diverged,
        "iterations": training.get("iterations"),  # None: whoever gave the run did not say
        "meta_batch": training.get("meta_batch"),
        "minutes": runs[0].record.get("seconds", 0) / 60,
    }


def evaluate_run(
    run: Run,
    tasks: int | None = None,
    steps: int | None = None,
    changes: dict[str, Any] | None = None,
    *,
    task: str | None = None,
    fresh_head: bool = False,
    device: str = "cpu",
) -> dict[str, Any]:
    """One run on test tasks, after every inner step.

    Args:
        run: a trained run.
        tasks: how many test tasks; the number of the distribution (`test_tasks`) unless given.
        steps: inner steps; the learner's evaluation steps unless given.
        changes: parameters of a shifted task distribution, those that differ from training.
        task: another distribution than that of training; of its parameters it takes those that have the same names
            (shots, ways, side ...) from there.
        fresh_head: replace the learned output layer by a freshly initialised one, another for every task.
        device: "cpu" or "cuda".

    Returns:
        path, learner, shots, queries (of each class, where there are classes), seed, tasks, diverged (how many of
        them), mse (accuracy where there are classes), ci95, median, median_interval and per_step, the mean after every
        inner step; with classes also loss_per_step, of the cross-entropy. A task that diverges is left out of all these
        means; the loss of knowing nothing, by which that is judged, is the larger one of these tasks and those of
        training.

    Raises:
        BadConfig: a parameter does not exist, is not allowed, or asks for other inputs or outputs than the run has.
        BadInput: the learner has no output layer that could be replaced.
    """
    trained = run.distribution
    distribution = elsewhere(trained, task or trained.name, changes or {})
    if distribution.spec != trained.spec:
        raise BadConfig(
            f"{run.path} takes inputs {trained.spec.input_shape} and has {trained.spec.output_dim} outputs; "
            f"a task with {distribution.spec.input_shape} and {distribution.spec.output_dim} was asked for."
        )
    drawn = held_out_lazily(distribution, tasks)
    own = stream("head", run.seed)
    heads = fresh_heads(run.learner, run.params, own, len(drawn.query_x)) if fresh_head else None
    scores = step_scores(run.learner, run.params, drawn, steps, heads, device)
    ours = held_out_lazily(trained, len(drawn.query_y))
    usual = knowing_nothing(trained, ours)  # small waves are no reason for mistrust
    nothing = max(knowing_nothing(distribution, drawn), usual)
    away, final = scores.diverged(nothing), scores.final(nothing)
    result = {
        "path": str(run.path),
        "learner": run.learner.name,
        "shots": distribution.shots,
        "queries": distribution.queries,
        "seed": run.seed,
        "tasks": final.tasks,
        "diverged": final.diverged,
        scores.measure: final.mean,
        "ci95": final.ci95,
        "median": final.median,
        "median_interval": list(final.median_interval),
        "per_step": mean_of_rest(scores.headline.double().numpy(), away),
    }
    if scores.accuracies is not None:
        result["loss_per_step"] = mean_of_rest(scores.losses.double().numpy(), away)
    return result


def elsewhere(trained: TaskDistribution, task: str, changes: dict[str, Any]) -> TaskDistribution:
    """A distribution to test in: that of training with changes, or another one with as many shots, ways, pixels ...

    Raises:
        UnknownName: there is no such task.
        BadConfig: a parameter does not exist or is not allowed.
    """
    cls, kept = task_class(task), asdict(trained)
    if not isinstance(trained, cls):
        known = {field.name for field in fields(cls)} - {"path", "channels"}
        kept = {name: value for name, value in kept.items() if name in known}
    if "path" in changes:  # of another file or folder
        kept = {name: value for name, value in kept.items() if name not in cls.sealed}
    found: TaskDistribution = configure(cls, {**kept, **changes}, f"task {task}")
    return found


def lines(result: dict[str, Any]) -> list[str]:
    """What `evaluate_run` returns, as text: the final score, then the first ten steps and every tenth."""
    measure, per_step = next(name for name in MEASURES if name in result), result["per_step"]
    score = f"{spoken(result[measure])} ± {spoken(result['ci95'])}"
    head = f"{result['path']}: {MEASURES[measure].replace('test', 'query')} {score}"
    shown = sorted({*range(min(11, len(per_step))), *range(0, len(per_step), 10), len(per_step) - 1})
    over = f"{result['tasks'] - result['diverged']:,} of " * bool(result["diverged"]) + f"{result['tasks']:,}"
    return [
        f"{head} over {over} test tasks, median {spoken(result['median'])}",
        *filter(None, [left_out(result["diverged"], result["tasks"])]),
        *(f"  step {step:3d}  {spoken(per_step[step])}" for step in shown),
    ]


def markdown(content: list[dict[str, Any]], tasks: int | None = None) -> str:
    """The table as Markdown: one of errors and one of accuracies, as far as there are any.

    `tasks` is what was asked for; None: the numbers of the distributions.
    """
    by_measure = {measure: [row for row in content if measure in row] for measure in MEASURES}
    parts = [_table(found, measure) for measure, found in by_measure.items() if found] or [_table([], "mse")]
    parts.append(
        f"{_counts(content, tasks)} test tasks, the same for all; mean ± 95 % t-interval over tasks of the "
        f"seed-averaged {'score' if by_measure['accuracy'] else 'error'}; "
        "median (95 % interval) over tasks of the median seed; minutes train all seeds together."
    )
    if any(row["diverged"] for row in content):
        parts[-1] += (
            " Tasks that diverged for any seed are left out of all means of their row; in medians they count as the "
            "worst there is."
        )
    return "\n\n".join(parts)


def _table(content: list[dict[str, Any]], measure: str) -> str:
    written = [
        f"| runs | learner | shots | {MEASURES[measure]}, mean | each seed | median | updates x tasks | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in content:
        seeds = " ".join(spoken(value, ".3g") for value in row["per_seed"])
        low, high = map(spoken, row["median_interval"])
        mean = f"{spoken(row[measure])} ± {spoken(row['ci95'])}{diverged_of(row)}"
        learner = ", ".join([row["learner"], *row["differs"]])
        updates = f"{_whole(row['iterations'])} x {_whole(row['meta_batch'])}"
        written.append(
            f"| {row['collection']} | {learner} | {row['shots']} | {mean} | {seeds} "
            f"| {spoken(row['median'])} ({low} to {high}) | {updates} | {row['minutes']:.1f} |"
        )
    return "\n".join(written)


def _counts(content: list[dict[str, Any]], tasks: int | None) -> str:
    found = sorted({row["tasks"] for row in content}) if tasks is None else [tasks]
    return " or ".join(f"{number:,}" for number in found) or "No"


def _whole(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def diverged_of(row: dict[str, Any]) -> str:
    """How many of its tasks diverged, to follow a mean; "" if none did."""
    return f" ({row['diverged']:,} of {row['tasks']:,} tasks diverged)" if row["diverged"] else ""
