"""`python -m engine check`: the tests that our own learners, networks and tasks pass, for those of a user."""

from typing import Any

import click

from engine.cli.console import json_option, parse_settings, show

CHECK_KEYS = "check, ok, said"


@click.command()
@click.argument("kind", type=click.Choice(["learner", "network", "task"]))
@click.argument("name")
@click.option(
    "--task", help="For a learner or network: on this task.  [default: small ones of each kind that it takes]"
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of what is checked; repeatable."
)
@json_option(CHECK_KEYS)
def check(kind: str, name: str, task: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Holds a learner, network or task to what all of its kind must satisfy; exits with 1 if it does not.

    \b
    python -m engine check learner maml
    INNERLOOP_PLUGINS=my_network.py python -m engine check network my-network
    """
    from engine import checks
    from engine.checks import learners, networks
    from engine.configure import configure, nested_values
    from engine.learners import learner_class
    from engine.networks import network_class
    from engine.tasks import task_class

    own = nested_values(parse_settings(settings))
    on = configure(task_class(task), {"shots": 7, "queries": 20}, f"task {task}") if task else None
    rows: list[dict[str, Any]] = []

    def add(found: Any, where: str = "") -> None:
        for title, said in found:
            rows.append({"check": f"{title}{where}", "ok": said is None, "said": said})

    if kind == "task":
        add(checks.outcomes(checks.TASK_CHECKS, configure(task_class(name), own, f"task {name}")))
    elif kind == "network":
        network = configure(network_class(name), own, f"network {name}")
        fitting = [spec for spec in networks.SPECS if network.refused(spec) is None] or networks.SPECS[:1]
        for spec in [on.spec] if on else fitting:
            add(checks.outcomes(checks.NETWORK_CHECKS, network, spec), f" ({spec.kind} of {spec.input_shape})")
    else:
        cls = learner_class(name)
        learner = configure(cls, {**learners.few_steps(cls), **own}, f"learner {name}")
        for distribution in [on] if on else [learners.few(one) for one in learner.kinds]:
            add(checks.outcomes(checks.LEARNER_CHECKS, learner, distribution), f" ({distribution.name})")
    if as_json:
        show(rows, as_json)
    else:
        for row in rows:
            click.echo(
                f"{'ok    ' if row['ok'] else 'FAILED'}  {row['check']}{'' if row['ok'] else ': ' + row['said']}"
            )
    if not all(row["ok"] for row in rows):
        raise click.exceptions.Exit(1)
