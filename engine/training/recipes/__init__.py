"""Training recipes: for every task and learner, the hyper-parameters and the budget that the shipped runs used.

A collection may have a table `shared`: training values that hold for all of its learners unless one says otherwise, and
the `network` of all of them; and a table `budgets` of other sizes of the same training, by name:

    times       so many times the updates of the recipe
    training    values that replace those of the recipe
    network     parameters that change in the network of all learners
    task        parameters of the task

Tasks of images that have no recipes of their own are trained as glyphs are.
"""

import tomllib
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

from engine.configure import merged
from engine.errors import UnknownName, quoted
from engine.learners import LEARNERS
from engine.runs.budget import Training
from engine.tasks import TASKS, Image

SHARED, BUDGETS = "shared", "budgets"
USUAL = "usual"  # the budget that a recipe names itself


@dataclass(frozen=True)
class Recipe:
    """Plain values for `configure`: empty ones mean the defaults of the code."""

    hyper_parameters: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)


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
    return [name for name in _collection(task, collection) if name not in (SHARED, BUDGETS)]


def budgets(task: str, collection: str) -> list[str]:
    """The budgets that a collection has, the usual one first."""
    return [USUAL, *_collection(task, collection).get(BUDGETS, {})]


def called(collection: str, budget: str) -> str:
    """What records call a collection with a budget."""
    return collection if budget == USUAL else f"{collection}, {budget}"


def recipe(task: str, collection: str, learner: str, shots: int, budget: str = USUAL) -> Recipe:
    """The recipe for one learner, with a budget; values under `k<shots>` take precedence.

    Raises:
        UnknownName: the task has no such collection, the collection not this learner, or no such budget.
    """
    found = _recipe(task, collection, learner, shots)
    if budget == USUAL:
        return found
    known = _collection(task, collection).get(BUDGETS, {})
    if budget not in known:
        raise UnknownName(f"budget of the recipes {quoted(collection)} for {task}", budget, [USUAL, *known])
    other = known[budget]
    updates = found.training.get("iterations", Training.iterations)
    training = {**found.training, "iterations": round(updates * other.get("times", 1)), **other.get("training", {})}
    network = _network(learner, other.get("network"))
    return Recipe(merged(found.hyper_parameters, network), training, {**found.task, **other.get("task", {})})


def _recipe(task: str, collection: str, learner: str, shots: int) -> Recipe:
    entries = _collection(task, collection)
    entries.pop(BUDGETS, None)
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
