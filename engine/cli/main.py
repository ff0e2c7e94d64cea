"""The command line: every command prints for people, or with --json for machines."""

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

from engine.cli import checking
from engine.cli import reports as cli_reports
from engine.cli import training as cli_jobs
from engine.cli.console import bar, device_option, json_option, parse_settings, run, show
from engine.configure import plain_value
from engine.errors import BadConfig
from engine.runs.places import own_runs, shipped

METRICS: tuple[str, ...] = (
    "validation",
    "validation_diverged",
    "best_iteration",
    "test_mse",
    "test_ci95",
    "test_median",
)
METRICS += ("test_diverged", "test_tasks", "skipped_updates")
TRAINED = f"path, status, error, seconds, {', '.join(METRICS)}"

RUN_KEYS = "path, learner, task, shots, seed, status, recipe, test_mse, test_accuracy, error"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Trains, lists and evaluates few-shot learners.

    \b
    A first round trip (a minute):
      python -m engine learners                                  what can be trained
      python -m engine train maml --shots 10 --seeds 1 --iterations 500
      python -m engine runs                                      what has been trained
      python -m engine evaluate runs/sine/maml-k10-s0            how well it adapts
    """


@cli.command()
@json_option("name, title, family, kinds, reference, summary, parameters")
def learners(as_json: bool) -> None:
    """Lists the learners with their family and reference."""
    from engine.learners import LEARNERS

    rows = [
        {
            "name": name,
            "title": cls.title,
            "family": cls.family,
            "kinds": list(cls.kinds),
            "reference": cls.reference,
            "summary": cls.summary,
            "parameters": _parameters(cls),
        }
        for name, cls in LEARNERS.items()
    ]
    show(rows, as_json, ("name", "family", "summary", "reference"))


@cli.command()
@json_option("name, kind, summary, parameters")
def tasks(as_json: bool) -> None:
    """Lists the task distributions."""
    from engine.tasks import TASKS

    rows = [
        {"name": name, "kind": cls().spec.kind, "summary": cls.summary, "parameters": _parameters(cls)}
        for name, cls in TASKS.items()
    ]
    show(rows, as_json, ("name", "kind", "summary"))


@cli.command()
@click.argument("roots", nargs=-1, type=click.Path(path_type=Path))
@json_option(RUN_KEYS)
def runs(roots: tuple[Path, ...], as_json: bool) -> None:
    """Lists the run folders below ROOTS (default: checkpoints and runs)."""
    from engine.runs.listing import broken, find

    rows, roots = [], roots or (shipped(), own_runs())
    for path, record in find(*roots):
        metrics = record.get("metrics") or {}
        row = {"path": str(path), **{key: record.get(key) for key in ("learner", "task", "shots", "seed", "status")}}
        row["recipe"] = record.get("recipe")
        rows.append({**row, **{key: metrics.get(key) for key in ("test_mse", "test_accuracy")}})
        rows[-1]["error"] = record.get("error")
    rows += [cli_jobs.broken_row("path", path, reason, RUN_KEYS) for path, reason in broken(*roots)]
    columns = ("path", "status", *_measured(rows), *(["error"] if any(row["error"] for row in rows) else []))
    show(rows, as_json, columns, "No runs yet: python -m engine train maml makes some.")


@cli.command()
@click.argument("learner", required=False)
@click.option("--all", "everything", is_flag=True, help="Train every learner that has a recipe and can learn the task.")
@click.option("--task", help="Task distribution.  [default: sine; with --data folders, or table for a file]")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Your own: a folder of images, or a .csv or .parquet file."
)
@click.option("--shots", default=(10,), show_default=True, multiple=True, type=click.IntRange(1), help="Repeatable.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1, 64), help="Seeds 0 to N-1, at once.")
@click.option("--iterations", type=click.IntRange(1), help="Meta-updates; the recipe's budget unless given.")
@click.option("--runs", "root", type=click.Path(path_type=Path), help="Where run folders go.  [default: runs/TASK]")
@click.option("--recipe", default="default", show_default=True, help="Which collection of recipes.")
@click.option(
    "--budget", default="usual", show_default=True, help="Images: full for the long version, large for a GPU."
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="inner_lr=0.02, training.lr=... or task.noise=..."
)
@click.option(
    "--compile/--no-compile",
    "compiled",
    default=None,
    help="torch.compile; default: where it saves time.",
)
@click.option("--replace", is_flag=True, help="Overwrite runs of the same name.")
@click.option("--detach", is_flag=True, help="Train in processes of their own, one after the other: see jobs, follow.")
@cli_jobs.slots_option
@device_option
@json_option(TRAINED, f"a list of objects{cli_reports.CLASSES}")
def train(
    learner: str | None,
    everything: bool,
    task: str | None,
    data: Path | None,
    shots: tuple[int, ...],
    seeds: int,
    iterations: int | None,
    root: Path | None,
    recipe: str,
    budget: str,
    settings: tuple[str, ...],
    compiled: bool | None,
    replace: bool,
    detach: bool,
    slots: int,
    device: str,
    as_json: bool,
) -> None:
    """Meta-trains LEARNER, all seeds at once, and writes one run folder per seed.

    \b
    python -m engine train maml --task sine --shots 10 --seeds 3
    python -m engine train reptile --set inner_optimiser=sgd --set inner_lr=0.02 --set training.meta_batch=10
    python -m engine train --all --shots 5 --shots 10 --seeds 3 --runs checkpoints/sine
    python -m engine train protonet --data ~/photos --shots 5
    """
    from engine.configure import configure, merged, nested_values
    from engine.execution.devices import pick_device
    from engine.execution.gradients import worth_compiling
    from engine.jobs import local as jobs
    from engine.learners import LEARNERS, learner_class, make
    from engine.runs.budget import Training
    from engine.tasks import task_class
    from engine.training import plans, recipes, sessions

    if (learner is None) == (not everything):
        raise BadConfig("Say either which learner to train, or --all.")
    task = task or cli_reports.task_of(data) or "sine"
    distribution_class, device = task_class(task), pick_device(device)
    given = {} if data is None else {"path": str(data)}
    chosen = [str(learner)]
    if everything:
        kind = distribution_class().spec.kind
        named = list(LEARNERS) if recipe == "default" else recipes.learners(task, recipe)
        chosen = [name for name in named if kind in learner_class(name).kinds]
    done, queued = [], []
    for name in chosen:
        for k in shots:
            found = recipes.recipe(task, recipe, name, k, budget)
            own, task_values, training_values = _sort_settings(settings)
            made = make(name, **merged(found.hyper_parameters, nested_values(own)))
            of_task = {"shots": k, **found.task, **given, **task_values}
            distribution = configure(distribution_class, of_task, f"task {task}")
            values = {**found.training, **training_values}
            if iterations is not None:
                values["iterations"] = iterations
            training = configure(Training, values, "training")
            what = (made, distribution, training, tuple(range(seeds)), root or own_runs() / task)
            compiles = worth_compiling(made, training.total_tasks(seeds)) if compiled is None else compiled
            how: dict[str, Any] = {"device": device, "compiled": compiles, "replace": replace}
            how["recipe"] = recipes.called(recipe, budget)
            if detach:
                queued.append(cli_jobs.row(jobs.submit(plans.plan(*what, **how), slots=slots)))
                continue
            with bar(f"{name}, {k} shots", as_json) as report:
                folders = sessions.train(*what, **how, report=report)
            done += [_trained(folder) for folder in folders]
    if detach:
        show(queued, as_json, ("folder", "status", "learner", "shots", "seeds", "iterations"))
        return
    _show_trained(done, as_json)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--detach", is_flag=True, help="In a process of its own.")
@cli_jobs.slots_option
@click.option("--device", help="auto, cpu or cuda.  [default: where it was trained so far]")
@json_option(TRAINED, f"a list of objects{cli_reports.CLASSES}")
def resume(folder: Path, detach: bool, slots: int, device: str | None, as_json: bool) -> None:
    """Continues an interrupted training from its last snapshot (with the seeds that trained beside it)."""
    from engine.execution.devices import pick_device
    from engine.jobs import local as jobs
    from engine.runs.run import read_record
    from engine.training import plans, sessions

    device = device and pick_device(device)
    if said := plans.other_versions(read_record(folder)):
        click.echo(said, err=True)
    if detach:
        show(
            [cli_jobs.row(jobs.resume(folder, device=device, slots=slots))], as_json, ("folder", "status", "iteration")
        )
        return
    with bar(f"resuming {folder.name}", as_json) as report:
        folders = sessions.resume(folder, device=device, report=report)
    _show_trained([_trained(path) for path in folders], as_json)


for command in (
    cli_reports.evaluate,
    cli_reports.table,
    cli_reports.reproduce,
    cli_reports.structure,
    checking.check,
    *cli_jobs.COMMANDS,
):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; a wrong input ends in one sentence and exit code 2."""
    stopped = "Stopped. `python -m engine resume FOLDER` continues from the last snapshot."
    return run(cli, arguments, "python -m engine", stopped)


def _sort_settings(settings: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Settings of the learner, of the task (task.*) and of the training (training.*)."""
    own: dict[str, Any] = {}
    task: dict[str, Any] = {}
    training: dict[str, Any] = {}
    for key, value in parse_settings(settings).items():
        group, dot, name = key.partition(".")
        owner = {"task": task, "training": training}.get(group) if dot else None
        (own if owner is None else owner)[key if owner is None else name] = value
    return own, task, training


def _parameters(cls: type) -> dict[str, Any]:
    return {f.name: None if f.default is MISSING else plain_value(f.default) for f in fields(cls)}


def _measured(rows: list[dict[str, Any]]) -> list[str]:
    """Which of the two test scores some row has; the error if none has."""
    found = [key for key in ("test_mse", "test_accuracy") if any(row.get(key) is not None for row in rows)]
    return found or ["test_mse"]


def _trained(folder: Path) -> dict[str, Any]:
    from engine.runs.run import read_record

    record = read_record(folder)
    metrics = record.get("metrics") or {}
    keys = [key.replace("mse", "accuracy") if "test_accuracy" in metrics else key for key in METRICS]
    told = {key: record.get(key) for key in ("status", "error", "seconds")}
    return {"path": str(folder), **told, **{key: metrics.get(key) for key in keys}}


def _show_trained(rows: list[dict[str, Any]], as_json: bool) -> None:
    """What was trained, and in words what diverged on the way; exits with 1 if a whole training did."""
    from engine.evaluation import left_out

    show(rows, as_json, ("path", "status", "validation", *_measured(rows), "test_ci95"))
    for row in rows:
        if row["status"] == "diverged":
            click.echo(f"{row['path']} diverged: {row['error']}", err=True)
        elif row.get("test_diverged"):
            click.echo(f"{row['path']}: {left_out(row['test_diverged'], row['test_tasks'])}", err=True)
    if any(row["status"] == "diverged" for row in rows):
        raise click.exceptions.Exit(1)
