"""What every command of the command line shares: options, progress bars, and how results are printed."""

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import click
from tqdm import tqdm

from engine.errors import BadConfig, EngineError, quoted, told
from engine.registry import complaints


def json_option(keys: str, what: str = "a list of objects") -> Callable[[Any], Any]:
    """The --json option of a command, whose help names what it prints."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON, with the keys {keys}.")


device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")


def sentence(error: click.ClickException) -> str:
    """A wrong call of the command line in one line: what is wrong, and which help says what is right."""
    said = " ".join(error.format_message().split())
    said += "" if said.endswith((".", "?", "!", ")")) else "."
    context = getattr(error, "ctx", None)
    return f"{said} See `{context.command_path} --help`." if context else said


def run(cli: click.Command, arguments: list[str] | None, program: str, stopped: str) -> int:
    """Runs a command line; returns its exit code: 2 for a wrong input, which ends in one sentence, 130 if stopped.

    Else 0, or the code that the command itself exits with. What is wrong with a plug-in is said at the end.

    Args:
        cli: the command, or a group of them.
        arguments: of the call; None: those of this process.
        program: its name, as people call it.
        stopped: what to say when it is interrupted.
    """
    code = _run(cli, arguments, program, stopped)
    for said in complaints():
        click.echo(f"Warning: {said}", err=True)
    return code


def _run(cli: click.Command, arguments: list[str] | None, program: str, stopped: str) -> int:
    try:
        code = cli.main(arguments, prog_name=program, standalone_mode=False)
    except EngineError as error:
        click.echo(f"Error: {error}", err=True)
        return 2
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        click.echo(f"Error: {sentence(error)}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo(stopped, err=True)
        return 130
    except OSError as error:
        click.echo(f"Error: {told(error)}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """KEY=VALUE options as a dictionary; values are JSON, None as Python writes it, or else text."""
    values: dict[str, Any] = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign or not key:
            raise BadConfig(f"--set takes KEY=VALUE; {quoted(setting)} was given.")
        if value.strip().lower() in ("none", "null"):
            values[key.strip()] = None
            continue
        try:
            values[key.strip()] = json.loads(value)
        except ValueError:
            values[key.strip()] = value
    return values


class bar:
    """A progress bar on standard error: iteration, loss, best validation, tasks/s, time left."""

    def __init__(self, title: str, quiet: bool):
        self.title, self.quiet = title, quiet
        self.bar: Any = None

    def __enter__(self) -> Callable[[Any], None]:
        return self.update

    def update(self, progress: Any) -> None:
        if self.bar is None:
            self.bar = tqdm(desc=self.title, unit="update", disable=self.quiet, file=sys.stderr)
        self.bar.total = progress.iterations
        self.bar.n = progress.iteration
        loss, best = (_mean(values) for values in (progress.loss, progress.best))
        lost = f", {progress.lost} of {len(progress.loss)} seeds diverged" * bool(progress.lost)
        self.bar.set_postfix_str(f"loss {loss}, best {best}, {progress.tasks_per_s:,.0f} tasks/s{lost}")

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


def _mean(values: list[float]) -> str:
    """Over the seeds that have a finite one."""
    known = [value for value in values if math.isfinite(value)]
    return f"{sum(known) / len(known):.4f}" if known else "none"


def show(rows: Any, as_json: bool, columns: tuple[str, ...] = (), empty: str = "Nothing found.") -> None:
    """Prints rows as JSON or as an aligned table of the given columns; `empty` if there are none."""
    if as_json:
        click.echo(json.dumps(finite(rows), indent=1, allow_nan=False))
        return
    if not rows:
        click.echo(empty)
        return
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    for line in [list(columns), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def finite(value: Any) -> Any:
    """The same content with null for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cell(value: Any) -> str:
    """One cell of a table: numbers with four decimals, nothing for None."""
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)
