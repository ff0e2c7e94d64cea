"""Which plug-ins a run was made with, as its record says it, and whether they are here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import BadRun, quoted
from engine.learners import LEARNERS, Learner
from engine.networks import NETWORKS, Network
from engine.registry import Registry
from engine.tasks import TASKS, TaskDistribution

REGISTRIES: dict[str, Registry[Any]] = {"learner": LEARNERS, "network": NETWORKS, "task": TASKS}


def plugins_of(learner: Learner, distribution: TaskDistribution) -> dict[str, str]:
    """The plug-ins of a training, by what they brought: {"learner": "my-package 1.2"}; nothing of what is built in."""
    networks = [part for part in vars(learner).values() if isinstance(part, Network)]
    parts = [("learner", learner.name), *(("network", part.name) for part in networks), ("task", distribution.name)]
    owners = {kind: REGISTRIES[kind].owner(name) for kind, name in reversed(parts)}
    return {kind: owner for kind, owner in reversed(owners.items()) if owner}


def refuse_missing(record: dict[str, Any], where: Path | str) -> None:
    """Says which plug-in a run needs that is not here.

    Args:
        record: a checked one.
        where: its file, for the message.

    Raises:
        BadRun: names the plug-in.
    """
    for kind, name in _named(record):
        owner = (record.get("plugins") or {}).get(kind)
        if owner and name not in REGISTRIES[kind]:
            what = f"the {kind} {quoted(name)} of the plug-in {owner}"
            raise BadRun(f"{where} needs {what}, which is not installed here.")


def changed(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The plug-ins of a run that are here in another version than it was made with: (learner, then, now)."""
    before = record.get("plugins") or {}
    both = [(kind, before.get(kind), REGISTRIES[kind].owner(name)) for kind, name in _named(record)]
    return [(kind, then, now) for kind, then, now in both if then and now and then != now]


def _named(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((kind, record[kind]) for kind in ("learner", "task") if isinstance(record.get(kind), str))
    for value in (record.get("hyper_parameters") or {}).values():
        if isinstance(value, dict) and isinstance(name := value.get("name"), str):
            yield "network", name
