"""What runs were trained on, as links and fields call it.

"sine" are runs on that task as it is by default; "sine-3f9a1c" are runs on one with other parameters (more noise, other
factors, a file of one's own), from which the letters and digits behind its name follow. How many points a task has is
chosen apart and says nothing of what is learned.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from string import hexdigits
from typing import Any, NamedTuple

from engine.runs.groups import parameters
from engine.tasks import TASKS

POINTS = ("task.shots", "task.queries")
DIGITS = 6


class Trained(NamedTuple):
    """A task that runs were trained on: its name, what people call it, and its parameters."""

    name: str
    title: str
    parameters: dict[str, Any]


def changed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a record's task that are not the default ones, by name."""
    default = {"learner": record["learner"], "hyper_parameters": {}, "task": record["task"], "task_parameters": {}}
    own, usual = parameters(dict(record)), parameters(default)
    names = [name for name in own if name.startswith("task.") and name not in POINTS and own[name] != usual.get(name)]
    return {name.removeprefix("task."): json.loads(own[name]) for name in names}


def key_of(record: Mapping[str, Any]) -> str:
    """What links call the task of a record."""
    name, other = str(record["task"]), changed(record)
    digest = hashlib.sha256(json.dumps(other, sort_keys=True).encode()).hexdigest()
    return f"{name}-{digest[:DIGITS]}" if other else name


def find(text: str, keys: Sequence[str]) -> str:
    """The key that a link means: a bare name stands for the first one of that name; others are what they are."""
    if text in keys:
        return text
    return next((key for key in keys if key[: -DIGITS - 1] == text and set(key[-DIGITS:]) <= set(hexdigits)), text)


def title_of(record: Mapping[str, Any]) -> str:
    """What people call it: its name, and what is not as by default; of a file its name alone."""
    name, other = str(record["task"]), changed(record)
    if isinstance(path := other.get("path"), str):
        said = [PurePath(path).name]
    else:
        sealed = getattr(TASKS.get(name), "sealed", ())
        said = [f"{key.replace('_', ' ')} {_words(value)}" for key, value in other.items() if key not in sealed]
    return f"{name.replace('-', ' ')}{': ' if said else ''}{', '.join(said)}"


def _words(value: Any) -> str:
    if isinstance(value, list):
        between = len(value) == 2 and not any(isinstance(one, str) for one in value)
        return (" to " if between else " and ").join(_words(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else json.dumps(value).strip('"')
