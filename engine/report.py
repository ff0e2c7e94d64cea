"""What trained learners reach on fresh test tasks: one run step by step, and the table of all runs, seeds together."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadConfig
from engine.evaluation import estimate, held_out_tasks, step_scores
from engine.groups import Found, differing, groups, largest
from engine.heads import fresh_heads
from engine.learners import configure
from engine.runs import Run, find, load
from engine.tasks import stream

MEASURES = {"mse": "test MSE", "accuracy": "test accuracy"}


Evaluate = Callable[[list[Path], int, str], dict[str, Any]]


def rows(root: Path, tasks: int, device: str = "cpu", evaluate: Evaluate | None = None) -> list[dict[str, Any]]:
    """Evaluates the finished runs below `root`, by folder, task, learner and shots, and within by `engine.groups`.

    The interval is a 95 % t-interval over the test tasks of the error averaged over seeds (all seeds meet the same
    tasks, so their errors are not independent); the spread over seeds is shown by the value of each seed. `evaluate`
    stands in for `evaluate_seeds` where its answers are kept.

    Returns:
        One object per group: collection, learner, shots, differs (what tells it from the largest group of the same
        learner and shots, as "training.iterations = 300"; mostly nothing), seeds, mse (accuracy where there are
        classes), ci95, median,
        median_interval, per_seed, iterations, meta_batch, minutes (of training, all seeds together).
    """
    collections: dict[str, list[Found]] = {}
    for path, record in find(root):
        if record.get("status") == "done":
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


def evaluate_seeds(paths: list[Path], tasks: int, device: str = "cpu") -> dict[str, Any]:
    """Runs that differ in their seed, on the same test tasks: the last keys of `rows`."""
    runs = [load(path) for path in paths]
    training = runs[0].record.get("training") or {}
    drawn = held_out_tasks(runs[0].distribution, tasks)
    scores = [step_scores(run.learner, run.params, drawn, device=device) for run in runs]
    values = np.stack([score.headline[:, -1].double().numpy() for score in scores])
    final, middle = estimate(values.mean(0)), estimate(np.median(values, axis=0))
    return {
        "seeds": len(runs),
        scores[0].measure: final.mean,
        "ci95": final.ci95,
        "median": middle.median,
        "median_interval": list(middle.median_interval),
        "per_seed": values.mean(1).tolist(),
        "iterations": training.get("iterations"),  # None: whoever gave the run did not say
        "meta_batch": training.get("meta_batch"),
        "minutes": runs[0].record.get("seconds", 0) / 60,
    }


def evaluate_run(
    run: Run,
    tasks: int,
    steps: int | None = None,
    changes: dict[str, Any] | None = None,
    *,
    fresh_head: bool = False,
    device: str = "cpu",
) -> dict[str, Any]:
    """One run on test tasks, after every inner step.

    Args:
        run: a trained run.
        tasks: how many test tasks.
        steps: inner steps; the learner's evaluation steps unless given.
        changes: parameters of a shifted task distribution, those that differ from training.
        fresh_head: replace the learned output layer by a freshly initialised one, another for every task.
        device: "cpu" or "cuda".

    Returns:
        path, learner, shots, seed, tasks, mse (accuracy where there are classes), ci95, median, median_interval and
        per_step, the mean after every inner step; with classes also loss_per_step, of the cross-entropy.

    Raises:
        BadConfig: a parameter does not exist, is not allowed, or asks for other inputs or outputs than the run has.
        BadInput: the learner has no output layer that could be replaced.
    """
    trained = run.distribution
    distribution = configure(type(trained), {**asdict(trained), **(changes or {})}, f"task {trained.name}")
    if distribution.spec != trained.spec:
        raise BadConfig(
            f"{run.path} takes inputs {trained.spec.input_shape} and has {trained.spec.output_dim} outputs; "
            f"a task with {distribution.spec.input_shape} and {distribution.spec.output_dim} was asked for."
        )
    heads = fresh_heads(run.learner, run.params, stream("head", run.seed), tasks) if fresh_head else None
    scores = step_scores(run.learner, run.params, held_out_tasks(distribution, tasks), steps, heads, device)
    values = scores.headline.double().numpy()
    final = estimate(values[:, -1])
    result = {
        "path": str(run.path),
        "learner": run.learner.name,
        "shots": distribution.shots,
        "seed": run.seed,
        "tasks": tasks,
        scores.measure: final.mean,
        "ci95": final.ci95,
        "median": final.median,
        "median_interval": list(final.median_interval),
        "per_step": values.mean(0).tolist(),
    }
    if scores.accuracies is not None:
        result["loss_per_step"] = scores.losses.double().mean(0).tolist()
    return result


def lines(result: dict[str, Any]) -> list[str]:
    """What `evaluate_run` returns, as text: the final score, then the first ten steps and every tenth."""
    measure = next(name for name in MEASURES if name in result)
    score, per_step = f"{result[measure]:.4f} ± {result['ci95']:.4f}", result["per_step"]
    head = f"{result['path']}: {MEASURES[measure].replace('test', 'query')} {score}"
    shown = sorted({*range(min(11, len(per_step))), *range(0, len(per_step), 10), len(per_step) - 1})
    return [
        f"{head} over {result['tasks']:,} test tasks, median {result['median']:.4f}",
        *(f"  step {step:3d}  {per_step[step]:.4f}" for step in shown),
    ]


def markdown(content: list[dict[str, Any]], tasks: int) -> str:
    """The table as Markdown: one of errors and one of accuracies, as far as there are any."""
    by_measure = {measure: [row for row in content if measure in row] for measure in MEASURES}
    parts = [_table(found, measure) for measure, found in by_measure.items() if found] or [_table([], "mse")]
    parts.append(
        f"{tasks:,} test tasks, the same for all; mean ± 95 % t-interval over tasks of the seed-averaged "
        f"{'score' if by_measure['accuracy'] else 'error'}; "
        "median (95 % interval) over tasks of the median seed; minutes train all seeds together."
    )
    return "\n\n".join(parts)


def _table(content: list[dict[str, Any]], measure: str) -> str:
    written = [
        f"| runs | learner | shots | {MEASURES[measure]}, mean | each seed | median | updates x tasks | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in content:
        seeds = " ".join(f"{value:.3g}" for value in row["per_seed"])
        low, high = row["median_interval"]
        mean = f"{row[measure]:.4f} ± {row['ci95']:.4f}"
        learner = ", ".join([row["learner"], *row["differs"]])
        updates = f"{_whole(row['iterations'])} x {_whole(row['meta_batch'])}"
        written.append(
            f"| {row['collection']} | {learner} | {row['shots']} | {mean} | {seeds} "
            f"| {row['median']:.4f} ({low:.4f} to {high:.4f}) | {updates} | {row['minutes']:.1f} |"
        )
    return "\n".join(written)


def _whole(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
