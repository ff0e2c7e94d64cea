"""Training recipes: for every task and learner, the hyper-parameters and the budget that the shipped runs used.

A collection may have a table `shared`: training values that hold for all of its learners unless one says otherwise, and
the `network` of all of them. Tasks of images that have no recipes of their own are trained as glyphs are.
"""

import tomllib
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

from engine.errors import UnknownName, quoted
from engine.learners import LEARNERS
from engine.tasks import TASKS, Image

SHARED = "shared"


@dataclass(frozen=True)
class Recipe:
    """Plain values for `configure`: empty ones mean the defaults of the code."""

    hyper_parameters: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def _read(task: str) -> dict[str, Any]:
    source = resources.files(__name__) / f"{task}.toml"
    if not source.is_file() and task in TASKS and isinstance(TASKS[task]().spec.inputs, Image):
        source = resources.files(__name__) / "glyphs.toml"
    return tomllib.loads(source.read_text()) if source.is_file() else {}


def names(task: str) -> list[str]:
    """The recipe collections of a task, such as "default" and "published"."""
    return list(_read(task)) or ["default"]


def learners(task: str, collection: str) -> list[str]:
    """The learners that a collection has recipes for."""
    return [name for name in _collection(task, collection) if name != SHARED]


def recipe(task: str, collection: str, learner: str, shots: int) -> Recipe:
    """The recipe for one learner; values under `k<shots>` take precedence.

    Raises:
        UnknownName: the task has no such collection, or the collection not this learner.
    """
    entries = _collection(task, collection)
    shared = dict(entries.pop(SHARED, {}))
    network = _network(learner, shared.pop("network", None))
    if learner not in entries:
        if collection == "default":
            asked = LEARNERS[learner].training if learner in LEARNERS else {}
            return Recipe(network, {**shared, **asked})
        raise UnknownName(f"learner in the recipes {quoted(collection)}", learner, list(entries))
    entry = entries[learner]
    special = entry.get(f"k{shots}", {})
    return Recipe(
        {**network, **entry.get("hyper_parameters", {}), **special.get("hyper_parameters", {})},
        {**shared, **entry.get("training", {}), **special.get("training", {})},
    )


def _network(learner: str, network: dict[str, Any] | None) -> dict[str, Any]:
    """The network of all learners, as the parameter of this one that takes it."""
    if network is None or learner not in LEARNERS:
        return {}
    return {field.name: network for field in fields(LEARNERS[learner]) if field.name in ("network", "encoder")}


def _collection(task: str, collection: str) -> dict[str, Any]:
    content = _read(task)
    if collection == "default":
        return dict(content.get("default", {}))
    if collection not in content:
        raise UnknownName(f"recipe collection for {task}", collection, names(task))
    return dict(content[collection])
