"""Which runs are seeds of one training: the one place that decides it, for tables, ensembles, probes and pages.

Runs belong together if nothing differs but the seed: neither the learner nor the task nor how it was trained. Copies
(equal weights) are one run, and so are two runs of the same seed: neither adds what an interval over seeds measures.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from engine.configure import flat_values, merged, one_form, plain_value
from engine.learners import LEARNERS
from engine.runs.budget import Training
from engine.tasks import TASKS

Found = tuple[Path, dict[str, Any]]
# What a training keeps, and how much memory it takes, changes nothing about what it learns.
APART = {"snapshot_every", "keep_every", "tasks_at_once"}


@dataclass(frozen=True)
class Group:
    """The seeds of one training.

    Attributes:
        task, learner, shots: of all of them.
        parameters: everything else that they share, by name (`inner_lr`, `task.noise`, `training.lr`), as JSON.
        runs: folders with their records, one for each seed, in the order in which they were found.
        repeated: those that are left out, each with the one that stands for it.
    """

    task: str
    learner: str
    shots: int
    parameters: dict[str, str]
    runs: tuple[Found, ...]
    repeated: tuple[tuple[Path, Path], ...] = ()

    @property
    def paths(self) -> list[Path]:
        """The folders of its runs."""
        return [path for path, _ in self.runs]


def groups(found: Iterable[Found]) -> list[Group]:
    """Runs by training, in the order in which the first of each was found."""
    together: dict[tuple[str, str, int, str], list[Found]] = {}
    for path, record in found:
        shots = int(record.get("shots") or record["task_parameters"].get("shots") or 0)
        same = json.dumps(parameters(record), sort_keys=True)
        together.setdefault((str(record["task"]), str(record["learner"]), shots, same), []).append((path, record))
    content = []
    for (task, learner, shots, same), runs in together.items():
        kept, repeated = _distinct(runs)
        content.append(Group(task, learner, shots, json.loads(same), tuple(kept), tuple(repeated)))
    return content


def largest(found: Sequence[Group]) -> list[Group]:
    """Of each learner, task and number of shots the group with most seeds.

    Of equal ones the longest training; else the first by the path of its first run.
    """
    best: dict[tuple[str, str, int], Group] = {}
    for group in sorted(found, key=lambda g: (-len(g.runs), -_updates(g), str(g.paths[0]))):
        best.setdefault((group.task, group.learner, group.shots), group)
    return [group for group in found if best[group.task, group.learner, group.shots] is group]


def differing(one: Group, other: Group) -> list[str]:
    """The parameters in which two groups differ, as `name = value` of the first."""
    keys = sorted({*one.parameters, *other.parameters})
    changed = [key for key in keys if one.parameters.get(key) != other.parameters.get(key)]
    return [f"{key} = {one.parameters.get(key, 'not said')}" for key in changed]


def parameters(record: dict[str, Any]) -> dict[str, str]:
    """All that a run was made with but its seed, by name, each value in one form: defaults are filled in."""
    training = record.get("training") or {}
    parts = (
        ("", LEARNERS.get(record["learner"]), record["hyper_parameters"]),
        ("task.", TASKS.get(record["task"]), record["task_parameters"]),
        ("training.", Training if training else None, training),
    )
    content = {}
    for prefix, cls, values in parts:
        for key, value in flat_values(merged(_defaults(cls), values)).items():
            if not (prefix == "training." and key in APART):
                content[f"{prefix}{key}"] = json.dumps(one_form(value))
    for kind, owner in (record.get("plugins") or {}).items():  # another version may learn otherwise
        content[f"plug-in of the {kind}"] = json.dumps(owner)
    if record.get("status") == "cancelled":  # its weights are those of a shorter training
        content["training.iterations"] = json.dumps(one_form(record.get("iteration")))
    return content


def _defaults(cls: Any) -> dict[str, Any]:
    """The default of every parameter of a dataclass that has one; of None, nothing."""
    if not isinstance(cls, type) or not is_dataclass(cls):
        return {}
    return {field.name: plain_value(field.default) for field in fields(cls) if field.default is not MISSING}


def _distinct(runs: Sequence[Found]) -> tuple[list[Found], list[tuple[Path, Path]]]:
    """The first run of each seed and of equal weights, and the others with the one that stands for them."""
    kept: list[Found] = []
    repeated: list[tuple[Path, Path]] = []
    by_key: dict[tuple[str, Any], Path] = {}
    for path, record in runs:
        keys = [("seed", record["seed"]), *([("hash", sha)] if (sha := record.get("weights_sha256")) else [])]
        stands = next((by_key[key] for key in keys if key in by_key), None)
        if stands is not None:
            repeated.append((path, stands))
            continue
        by_key |= dict.fromkeys(keys, path)
        kept.append((path, record))
    return kept, repeated


def _updates(group: Group) -> float:
    return float(json.loads(group.parameters.get("training.iterations", "0")) or 0)
