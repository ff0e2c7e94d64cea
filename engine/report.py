"""The result table: every shipped learner on the same fresh test tasks, seeds together."""

from pathlib import Path
from typing import Any

import numpy as np

from engine.evaluation import estimate, held_out_tasks, step_errors
from engine.runs import find, load


def rows(root: Path, tasks: int) -> list[dict[str, Any]]:
    """Evaluates the finished runs below `root`, grouped by folder, learner and shots.

    The interval is a 95 % t-interval over the test tasks of the error averaged over seeds (all seeds meet the same
    tasks, so their errors are not independent); the spread over seeds is shown by the value of each seed.

    Returns:
        One object per group: collection, learner, shots, seeds, mse, ci95, median, median_interval, per_seed,
        iterations, minutes (of training, all seeds together).
    """
    groups: dict[tuple[str, str, int], list[Path]] = {}
    for path, record in find(root):
        if record.get("status") == "done":
            key = (str(path.parent.relative_to(root)), str(record["learner"]), int(record["shots"]))
            groups.setdefault(key, []).append(path)
    content = []
    for (collection, learner, shots), paths in sorted(groups.items()):
        head = {"collection": collection, "learner": learner, "shots": shots}
        content.append({**head, **evaluate_seeds(paths, tasks)})
    return content


def evaluate_seeds(paths: list[Path], tasks: int) -> dict[str, Any]:
    """Runs that differ in their seed, on the same test tasks: the last keys of `rows`."""
    runs = [load(path) for path in paths]
    drawn = held_out_tasks(runs[0].distribution, tasks)
    errors = np.stack([step_errors(r.learner, r.params, drawn)[:, -1].double().numpy() for r in runs])
    final, middle = estimate(errors.mean(0)), estimate(np.median(errors, axis=0))
    return {
        "seeds": len(runs),
        "mse": final.mean,
        "ci95": final.ci95,
        "median": middle.median,
        "median_interval": list(middle.median_interval),
        "per_seed": errors.mean(1).tolist(),
        "iterations": runs[0].record["training"]["iterations"],
        "meta_batch": runs[0].record["training"]["meta_batch"],
        "minutes": runs[0].record["seconds"] / 60,
    }


def markdown(content: list[dict[str, Any]], tasks: int) -> str:
    """The table as Markdown."""
    lines = [
        "| runs | learner | shots | test MSE, mean | each seed | median | updates x tasks | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in content:
        seeds = " ".join(f"{value:.3g}" for value in row["per_seed"])
        low, high = row["median_interval"]
        mean = f"{row['mse']:.4f} ± {row['ci95']:.4f}"
        lines.append(
            f"| {row['collection']} | {row['learner']} | {row['shots']} | {mean} | {seeds} "
            f"| {row['median']:.4f} ({low:.4f} to {high:.4f}) | {row['iterations']:,} x {row['meta_batch']} "
            f"| {row['minutes']:.1f} |"
        )
    lines.append("")
    lines.append(
        f"{tasks:,} test tasks, the same for all; mean ± 95 % t-interval over tasks of the seed-averaged error; "
        "median (95 % interval) over tasks of the median seed; minutes train all seeds together."
    )
    return "\n".join(lines)
