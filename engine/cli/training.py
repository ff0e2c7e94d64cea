"""The commands that start, watch and end trainings in processes of their own."""

from pathlib import Path
from typing import Any

import click

from engine.cli.console import json_option, show
from engine.runs.places import own_runs

KEYS = "folder, status, learner, shots, seeds, iteration, iterations, eta_s, error"
folder_argument = click.argument("folder", type=click.Path(path_type=Path))
root_option = click.option(
    "--runs", "root", type=click.Path(path_type=Path), default=own_runs, show_default="runs", help="Where runs are."
)
slots_option = click.option(
    "--slots", type=click.IntRange(1, 64), default=1, show_default=True, help="With --detach: so many at a time."
)


def row(job: Any) -> dict[str, Any]:
    """A job as a row of a table."""
    record = job.record
    return {
        "folder": str(job.folder),
        "status": job.status,
        "learner": record.get("learner"),
        "shots": record.get("shots"),
        "seeds": len(job.folders),
        "iteration": record.get("iteration"),
        "iterations": (record.get("training") or {}).get("iterations"),
        "eta_s": None if job.eta_s is None else round(job.eta_s),
        "error": record.get("error"),
    }


def broken_row(key: str, path: Path, reason: str, keys: str) -> dict[str, Any]:
    """A run folder that cannot be read, as a row of a table: what is wrong with it is in the column of errors."""
    return {**dict.fromkeys(keys.split(", ")), key: str(path), "status": "broken", "error": reason}


@click.command()
@root_option
@json_option(KEYS)
def jobs(root: Path, as_json: bool) -> None:
    """Lists trainings: queued, running, done, cancelled, diverged, failed, interrupted (no process), or broken."""
    from engine.jobs import local as jobs
    from engine.runs.listing import broken

    rows = [row(job) for job in jobs.jobs(root)]
    rows += [broken_row("folder", path, reason, KEYS) for path, reason in broken(root)]
    show(rows, as_json, ("folder", "status", "iteration", "iterations", "eta_s", "error"), "No trainings yet.")


@click.command()
@folder_argument
def follow(folder: Path) -> None:
    """Shows the progress of a training until it ends; Ctrl-C leaves it running."""
    from tqdm import tqdm

    from engine.jobs import local as jobs

    with tqdm(desc=folder.name, unit="update", total=1) as bar:
        for job in jobs.follow(folder):
            bar.total = (job.record.get("training") or {}).get("iterations")
            bar.n = int(job.record.get("iteration") or 0)
            bar.set_postfix_str(f"{job.status}, {job.record.get('tasks_per_s') or 0:,.0f} tasks/s")
    click.echo(f"{folder}: {job.status}{'. ' + str(job.record['error']) if job.record.get('error') else ''}")
    if job.diverged and job.status != "diverged":
        click.echo(f"Seed {', '.join(str(seed) for seed, _ in job.diverged)} diverged. {job.diverged[0][1]}")
    if job.diverged or job.status == "failed":
        raise click.exceptions.Exit(1)


@click.command()
@folder_argument
def cancel(folder: Path) -> None:
    """Calls a training off; it keeps its best weights so far and can be resumed."""
    from engine.jobs import local as jobs

    jobs.cancel(folder)
    click.echo(f"{folder} will stop after its present update.")


@click.command()
@folder_argument
@slots_option
def restart(folder: Path, slots: int) -> None:
    """Trains again from the beginning, in a process of its own; what was reached is lost."""
    from engine.jobs import local as jobs

    click.echo(f"{jobs.restart(folder, slots=slots).folder} is queued.")


@click.command()
@folder_argument
@root_option
def delete(folder: Path, root: Path) -> None:
    """Moves a run folder into the trash below the runs folder."""
    from engine.jobs import local as jobs

    click.echo(f"{jobs.delete(folder, root)}: `python -m engine restore` with that folder brings it back.")


@click.command()
@folder_argument
@root_option
def restore(folder: Path, root: Path) -> None:
    """Brings a deleted run folder back."""
    from engine.jobs import local as jobs

    click.echo(str(jobs.restore(folder, root)))


@click.command()
@folder_argument
@click.option("--out", type=click.Path(path_type=Path), help="The file to write.  [default: RUN.zip here]")
@click.option("--format", "form", type=click.Choice(["zip", "tensorboard"]), default="zip", show_default=True)
@click.option("--replace", is_flag=True, help="Overwrite a file of that name.")
def export(folder: Path, out: Path | None, form: str, replace: bool) -> None:
    """Writes a run as one zip (weights, record, history), or its history as TensorBoard event files."""
    from engine.errors import BadInput
    from engine.runs import archive, exports
    from engine.runs.files import write_atomically
    from engine.runs.run import load

    content = archive.pack(folder) if form == "zip" else exports.tensorboard([load(folder).path])
    out = out or Path(f"{folder.resolve().name}{'' if form == 'zip' else '-tensorboard'}.zip")
    if out.exists() and not replace:
        raise BadInput(f"{out} exists: name another file with --out, or pass --replace to overwrite it.")
    write_atomically(out, content)
    click.echo(f"{out}: {len(content):,} bytes")


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@root_option
def import_(files: tuple[Path, ...], root: Path) -> None:
    """Takes up a run from a zip, or from a .safetensors file and its run.json; refuses what is not sound."""
    from engine.errors import BadInput
    from engine.runs import archive
    from engine.runs.history import HISTORY
    from engine.runs.run import RECORD, WEIGHTS

    if len(files) == 1:
        click.echo(str(archive.unpack(archive.read(files[0], archive.MAX_ARCHIVE_BYTES), root)))
        return
    kinds = {".safetensors": WEIGHTS, ".json": RECORD, ".jsonl": HISTORY}
    if unknown := [path for path in files if path.suffix not in kinds]:
        raise BadInput(f"{unknown[0]} is none of .safetensors, .json and .jsonl, which an import takes.")
    parts = {kinds[path.suffix]: archive.read(path, archive.MAX_BYTES[kinds[path.suffix]]) for path in files}
    click.echo(str(archive.take_up(parts, root)))


COMMANDS = (jobs, follow, cancel, restart, delete, restore, export, import_)
