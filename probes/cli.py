"""The command line of the probes: `python -m probes list`, and `python -m probes NAME --run FOLDER ...`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from engine.cli.console import parse_settings, run
from engine.configure import configure
from engine.execution.devices import on, pick_device
from engine.runs.ensembles import Ensemble
from probes import PROBES, answers, asking
from probes.probe import Progress


class _Probes(click.Group):
    """Has a command for each probe, those of plug-ins among them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *PROBES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        return _command(cmd_name) if found is None and cmd_name in PROBES else found


@click.group(cls=_Probes, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Asks questions about trained learners; answers are numbers, as JSON.

    \b
    python -m probes list
    python -m probes behaviour --run checkpoints/sine/maml-k10-s0 --run checkpoints/sine/maml-k10-s1
    python -m probes behaviour --run checkpoints/sine/maml-k10-s0 --set tasks=200 --out maml.json
    """


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects: name, question, settings, needs.")
def list_(as_json: bool) -> None:
    """Lists the probes, what they can be told, and what a run must have to be asked."""
    rows = [_described(name) for name in PROBES]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(f"{row['name']:12} {row['question']}")
        click.echo(f"{'':12} {', '.join(f'{key}={value}' for key, value in row['settings'].items())}")
        for need in row["needs"]:
            click.echo(f"{'':12} {need}")


def _described(name: str) -> dict[str, Any]:
    probe = asking.find(name)
    settings = {f.name: asking.plain(None if f.default is MISSING else f.default) for f in fields(probe.config)}
    needs = [need.says for need in probe.needs]
    return {"name": name, "question": probe.question, "settings": settings, "needs": needs}


def _command(name: str) -> click.Command:
    @click.command(name, help=f"{name}: see `python -m probes list` for its question and settings.")
    @click.option("--run", "folders", multiple=True, required=True, type=click.Path(path_type=Path), help="Repeatable.")
    @click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the probe; repeatable.")
    @click.option("--out", type=click.Path(path_type=Path), help="A .json file for the answer.")
    @click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON (without --out: the default).")
    @click.option(
        "--keep",
        type=click.Path(path_type=Path),
        help="Keep the answer about each learner alone in this folder, instead; pages look into checkpoints/answers.",
    )
    @click.option("--device", default="cpu", show_default=True, help="auto, cpu or cuda; pages compute on cpu.")
    def command(
        folders: tuple[Path, ...],
        settings: tuple[str, ...],
        out: Path | None,
        as_json: bool,
        keep: Path | None,
        device: str,
    ) -> None:
        with on(pick_device(device)):
            ensembles = asking.gather(folders)
            if keep is not None:
                _keep(keep, name, ensembles, parse_settings(settings))
                return
            with _bar(name, hidden=as_json) as show:
                result = asking.ask(name, ensembles, parse_settings(settings), show)
        if out is not None:
            asking.write(out, result)
        if as_json or out is None:
            click.echo(json.dumps(asking.plain(result), allow_nan=False))

    return command


def _keep(folder: Path, name: str, ensembles: list[Ensemble], values: dict[str, Any]) -> None:
    """Asks about each learner alone and keeps the answers."""
    for ensemble in ensembles:
        with _bar(ensemble.learner.name) as show:
            found = asking.ask(name, [ensemble], values, show)
        click.echo(answers.write(folder, name, [ensemble], values, found))


@cli.command("cost")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of `probes.tools.cost`; repeatable."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of PyTorch.")
@click.option("--out", type=click.Path(path_type=Path), help="A .json file for the answer; without: print it.")
def cost_(settings: tuple[str, ...], threads: int, out: Path | None) -> None:
    """Measures first-order, exact and written-out meta-gradients as networks grow; needs no run.

    \b
    python -m probes cost --out checkpoints/cost/cpu.json
    """
    import torch

    from probes.tools import cost

    torch.set_num_threads(threads)
    config = configure(cost.Config, parse_settings(settings), "probe cost")
    with _bar("cost") as show:
        result = cost.measure(config, show)
    if out is None:
        click.echo(json.dumps(asking.plain(result), allow_nan=False))
    else:
        asking.write(out, result)


@cli.command("simulate")
@click.option("--rounds", type=click.IntRange(100, 1_000_000), default=4000, show_default=True, help="Of each case.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects instead of a table.")
def simulate_(rounds: int, seed: int, as_json: bool) -> None:
    """How often equal learners are called different, by the rules of the pages; needs no run."""
    from probes.tools import simulation

    rows = simulation.simulate(rounds, seed)
    click.echo(json.dumps([asking.plain(row) for row in rows]) if as_json else simulation.table(rows))


@contextmanager
def _bar(name: str, *, hidden: bool = False) -> Iterator[Progress]:
    """A progress bar of per cent on stderr."""
    with tqdm(total=100, desc=name, unit="%", file=sys.stderr, disable=hidden) as bar:

        def show(share: float) -> None:
            bar.update(int(100 * share) - bar.n)

        yield show


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; a wrong input ends in one sentence and exit code 2."""
    return run(cli, arguments, "python -m probes", "Stopped.")
