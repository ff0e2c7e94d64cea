"""The commands that report on trained runs: evaluate, table, reproduce, structure."""

from pathlib import Path
from typing import Any

import click

from engine.cli.console import bar, device_option, json_option, parse_settings, show
from engine.errors import BadConfig
from engine.runs.places import shipped

CLASSES = " (accuracy in place of mse where there are classes)"
TASKS = click.IntRange(2, 1_000_000)
tasks_option = click.option("--tasks", type=TASKS, help="Fresh test tasks.  [default: 2000; of images 600]")
root_option = click.option(
    "--root", default=shipped, show_default="checkpoints", type=click.Path(path_type=Path), help="Run folders."
)


def task_of(data: Path | None) -> str | None:
    """The task that reads the user's own data; None where none is given."""
    return None if data is None else "table" if data.suffix.lower() in (".csv", ".parquet") else "folders"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@tasks_option
@click.option("--task", help="Another task distribution than that of training, with inputs and outputs of its kind.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Your own: a folder of images, or a .csv or .parquet file."
)
@click.option("--steps", type=click.IntRange(0, 10_000), help="Inner steps; the learner's own unless given.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A shifted task: noise=0.5, shots=20, ...")
@click.option("--fresh-head", is_flag=True, help="Start from a new random output layer in every task.")
@click.option(
    "--published-queries",
    is_flag=True,
    help="Images: as many queries of each class as shots, as in the dissertation's tests in the domain of training; 15 "
    "else.",
)
@device_option
@json_option(
    "path, learner, shots, queries, seed, tasks, diverged, mse, ci95, median, median_interval, per_step",
    "one object (where there are classes accuracy in place of mse, and loss_per_step in the end)",
)
def evaluate(
    folder: Path,
    tasks: int | None,
    task: str | None,
    data: Path | None,
    steps: int | None,
    settings: tuple[str, ...],
    fresh_head: bool,
    published_queries: bool,
    device: str,
    as_json: bool,
) -> None:
    """Query error, or accuracy, of the run in FOLDER on test tasks, after every inner step, with 95 % intervals.

    \b
    python -m engine evaluate checkpoints/sine/maml-k10-s0
    python -m engine evaluate checkpoints/sine/maml-k10-s0 --set "amplitude=[5,10]" --steps 50
    python -m engine evaluate checkpoints/sine/maml-k10-s0 --fresh-head
    python -m engine evaluate runs/glyphs/protonet-k5-s0 --task digits
    """
    from engine.execution.devices import pick_device
    from engine.runs.run import load
    from engine.studies.report import evaluate_run, lines

    there, changes = pick_device(device), parse_settings(settings)
    changes |= {} if data is None else {"path": str(data)}
    other, run = task or task_of(data), load(folder)
    if published_queries:
        changes["queries"] = _published_queries(run.distribution, changes)
    result = evaluate_run(run, tasks, steps, changes, task=other, fresh_head=fresh_head, device=there)
    if as_json:
        show(result, True)
        return
    click.echo("\n".join(lines(result)))


def _published_queries(trained: Any, changes: dict[str, Any]) -> Any:
    """As many of each class as shots."""
    from engine.tasks import Episodes

    if not isinstance(trained, Episodes):
        raise BadConfig(f"--published-queries is for tasks of images; this run was trained on {trained.name}.")
    if "queries" in changes:
        raise BadConfig(f"Say either --published-queries or --set queries={changes['queries']}, not both.")
    return changes.get("shots", trained.shots)


@click.command()
@root_option
@tasks_option
@device_option
@json_option(
    "collection, learner, shots, differs, seeds, mse, ci95, median, median_interval, per_seed, tasks, diverged, "
    "iterations, meta_batch, minutes",
    "a list of objects (accuracy in place of mse where there are classes; of images ways, domains, missing, untrained, "
    "parameters and note in place of the scores)",
)
@click.option("--again", is_flag=True, help="Images: measure anew what is kept in ROOT/measured.")
def table(root: Path, tasks: int | None, device: str, as_json: bool, again: bool) -> None:
    """Evaluates all finished runs below ROOT, seeds together, as a Markdown table (as in docs/results.md).

    Runs on images are tested in every domain that is on this machine (digits, mnist, fashion), beside themselves
    untrained; what each one answers is kept in the folder `measured` beside them.
    """
    from engine.execution.devices import pick_device
    from engine.studies import domains, report
    from engine.studies.kept import Kept

    there = pick_device(device)
    others = report.rows(root, tasks, there)
    images = domains.rows(root, tasks, lambda folder: Kept(folder, there, again=again))
    if as_json:
        show([*others, *images], True)
        return
    parts = [report.markdown(others, tasks)] if others or not images else []
    click.echo("\n\n".join([*parts, *([domains.markdown(images)] if images else [])]))


@click.command()
@root_option
@click.option("--tasks", default=2000, show_default=True, type=TASKS, help="Fresh test tasks.")
@device_option
@json_option(
    "table, method, shots, source, reference, reference_ci95, recipe, collection, ours, ci95, median, per_seed, seeds, "
    "tasks, diverged"
)
def reproduce(root: Path, tasks: int, device: str, as_json: bool) -> None:
    """Published results (chapter 6: our own pilot) beside ours: with the published outer loop, and with our own."""
    from engine.execution.devices import pick_device
    from engine.studies.reproduce import markdown, rows

    content = rows(root, tasks, pick_device(device))
    if as_json:
        show(content, True)
    else:
        click.echo(markdown(content, tasks))


@click.command()
@click.option("--form", "forms", multiple=True, help="published, mended, ...; repeatable.  [default: all]")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1, 64), help="Seeds per family.")
@click.option("--iterations", type=click.IntRange(1), help="Meta-updates of each; the shipped budget unless given.")
@click.option("--train", "training", is_flag=True, help="Train and measure again (minutes) first.")
@click.option(
    "--root",
    default=lambda: shipped() / "structure",
    show_default="checkpoints/structure",
    type=click.Path(path_type=Path),
    help="Where results are.",
)
@click.option("--compile/--no-compile", "compiled", default=None, help="torch.compile; default: where it can.")
@device_option
@json_option(
    "form, learner, training, seeds, test_tasks, factors, operations, families, chance, gates, mse, mse_without, "
    "protocols, history, controls, diverged"
)
def structure(
    forms: tuple[str, ...],
    seeds: int,
    iterations: int | None,
    training: bool,
    root: Path,
    compiled: bool | None,
    device: str,
    as_json: bool,
) -> None:
    """Does SAP learn which operations to adapt? All 15 synthetic families, protocols P1 to P3, with controls."""
    from dataclasses import replace

    from engine.execution.devices import pick_device
    from engine.execution.gradients import can_compile
    from engine.studies.structure import FORMS, TRAINING, read, run, table

    device = pick_device(device)
    if training:
        budget = TRAINING if iterations is None else replace(TRAINING, iterations=iterations)
        for form in forms or tuple(FORMS):
            with bar(form, as_json) as report:
                run(
                    form,
                    root,
                    seeds=seeds,
                    training=budget,
                    compiled=can_compile() if compiled is None else compiled,
                    device=device,
                    report=report,
                )
    results = [result for result in read(root) if not forms or result["form"] in forms]
    if as_json:
        show(results, True)
        return
    click.echo(table(results))
