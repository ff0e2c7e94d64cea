"""What is to be trained, and in which run folders: all that a process needs to begin a training or go on with it."""

import functools
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from engine.configure import configure
from engine.errors import BadInput, BadRun
from engine.learners import Learner, learner_class
from engine.processes import physical_memory
from engine.runs.budget import Training
from engine.runs.files import write_json
from engine.runs.folders import CANCEL, PREVIOUS, SNAPSHOT, refuse_link
from engine.runs.history import HISTORY
from engine.runs.origins import changed, refuse_missing
from engine.runs.places import project
from engine.runs.record import checked
from engine.runs.run import KEPT, RECORD, WEIGHTS, describe, read_record
from engine.tasks import TaskDistribution, stream, task_class
from engine.training.memory import refuse_too_large

STAGED = ".run.json.new"  # a record that is about to take effect
SHARED = ("learner", "hyper_parameters", "task", "task_parameters", "training")  # by all runs of a group


@dataclass(frozen=True)
class Plan:
    """A training with its run folders: all that a process needs to know to begin it, or to go on with it.

    Attributes:
        learner, distribution, training, seeds: what, on what, how, and how often.
        folders: one run folder per seed.
        device: "cpu" or "cuda".
        compiled: use torch.compile.
        recipe: the name of the recipe collection, for the record.
    """

    learner: Learner
    distribution: TaskDistribution
    training: Training
    seeds: tuple[int, ...]
    folders: tuple[Path, ...]
    device: str = "cpu"
    compiled: bool = False
    recipe: str = "default"

    def record(self, index: int) -> dict[str, Any]:
        """The part of a run's record that is known before it begins."""
        return {
            **describe(self.learner, self.distribution, self.seeds[index]),
            "shots": self.distribution.shots,
            "recipe": self.recipe,
            "training": asdict(self.training),
            "group": [folder.name for folder in self.folders],
            "device": self.device,
            "compiled": self.compiled,
            "threads": torch.get_num_threads(),
            "versions": versions(),
        }

    def prepare(self, status: str) -> None:
        """Empties the run folders, which must be locked, and writes their records.

        Where these cannot be written, on a full disk, everything stays as it was. A crash in between leaves nothing
        that resuming could take for this training's own: snapshots go before the new records come, the rest after.

        Raises:
            BadRun: a record would not be readable: a number in it is too large.
        """
        staged = [folder / STAGED for folder in self.folders]
        begun = {"iteration": 0, "status": status, **now()}
        records = [
            checked({**self.record(index), **begun}, str(folder / RECORD)) for index, folder in enumerate(self.folders)
        ]
        try:
            for path, record in zip(staged, records, strict=True):
                write_json(path, record)
        except OSError:
            for path in staged:
                path.unlink(missing_ok=True)
            raise
        _remove(folder / name for folder in self.folders for name in (CANCEL, SNAPSHOT, PREVIOUS))
        for folder, path in zip(self.folders, staged, strict=True):
            os.replace(path, folder / RECORD)
        for folder in self.folders:
            kept = folder / KEPT
            copies = [kept] if kept.is_symlink() else kept.glob("*.safetensors")  # what a link leads to stays
            _remove([folder / HISTORY, folder / WEIGHTS, *copies])


def plan(
    learner: Learner,
    distribution: TaskDistribution,
    training: Training,
    seeds: tuple[int, ...],
    root: Path,
    *,
    replace: bool = False,
    **how: Any,
) -> Plan:
    """A new training below `root`, whose run folders are made here.

    Args:
        learner: what to train.
        distribution: on what.
        training: how, and how long.
        seeds: how often.
        root: the folder that gets one run folder per seed.
        replace: overwrite runs of the same name.
        how: `device`, `compiled` and `recipe` of the plan.

    Raises:
        BadInput: a run of that name exists, the learner cannot learn this kind of task, the task cannot be drawn for
            training, or it needs more memory than there is.
    """
    refuse_task(learner, distribution)
    if (device := str(how.get("device", "cpu"))) == "cpu":
        refuse_too_large(learner, distribution, training, len(seeds), device, physical_memory())
    folders = tuple(run_folder(root, distribution, learner, seed) for seed in seeds)
    for folder in folders:
        refuse_link(folder)
        if (folder / RECORD).exists() and not replace:
            raise BadInput(f"{folder} exists: resume it, remove it, or pass --replace to train it again.")
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return Plan(learner, distribution, training, tuple(seeds), folders, **how)


def refuse_task(learner: Learner, distribution: TaskDistribution) -> None:
    """Refuses a task that a learner cannot be trained on.

    Raises:
        BadInput: the learner cannot learn this kind of task, or it cannot be drawn for training; the message says why.
    """
    if (said := learner.refused(distribution.spec)) is not None:
        raise BadInput(f"{learner.name} on {distribution.name}: {said}")
    if distribution.missing:
        raise BadInput(distribution.missing)
    distribution.lazy(stream("train"), 1)  # says why where it cannot


def plan_of(folder: Path) -> Plan:
    """The plan of a training that has begun, or waits to, from the record of any of its runs.

    Raises:
        BadInput: one of the run folders is a link.
        BadRun: the folder is not a run or lacks what resuming needs.
        BadConfig: a value in its record is not allowed.
    """
    refuse_link(folder)
    record = read_record(folder)
    refuse_missing(record, folder / RECORD)
    try:
        learner = configure(learner_class(record["learner"]), record["hyper_parameters"], "learner")
        distribution = configure(task_class(record["task"]), record["task_parameters"], "task")
        training = configure(Training, record["training"], "training")
        folders = tuple(folder.parent / Path(name).name for name in record["group"])
        records = [read_record(f) for f in folders]
        seeds = tuple(int(other["seed"]) for other in records)
    except KeyError as error:
        raise BadRun(f"{folder / RECORD} lacks {error.args[0]}, which resuming needs.") from None
    except TypeError:
        raise BadRun(f"{folder / RECORD} names no run folders in its group, which resuming needs.") from None
    if folder.resolve() not in [f.resolve() for f in folders]:
        raise BadRun(f"{folder / RECORD} names a group without itself, so there is nothing to resume it with.")
    for path, other in zip(folders, records, strict=True):
        refuse_link(path)
        for key in SHARED:
            if other.get(key) != record.get(key):
                both = f"{path / RECORD} and {folder / RECORD}"
                raise BadRun(f"{both} differ in {key}, though they were trained together: one of them was changed.")
    device, recipe = str(record.get("device", "cpu")), str(record.get("recipe", "default"))
    return Plan(learner, distribution, training, seeds, folders, device, bool(record.get("compiled")), recipe)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def run_folder(root: Path, distribution: TaskDistribution, learner: Learner, seed: int) -> Path:
    """Where a run belongs: `<root>/<learner>-k<shots>-s<seed>`."""
    return root / f"{learner.name}-k{distribution.shots}-s{seed}"


def now() -> dict[str, str]:
    """The time, for people: nothing depends on it."""
    return {"updated": datetime.now(UTC).isoformat(timespec="seconds")}


def versions() -> dict[str, str | None]:
    """Of what a training depends on beside its record."""
    return {"python": platform.python_version(), "torch": version("torch"), "commit": commit()}


def other_versions(record: dict[str, Any]) -> str:
    """A sentence where a training so far ran under other versions than these, else nothing."""
    before, now_here = record.get("versions"), versions()
    both = [(key, before.get(key), now_here[key]) for key in now_here] if isinstance(before, dict) else []
    told = [f"{key} {old} (now {new})" for key, old, new in both if old and new and old != new]
    told += [f"the {kind} of {then} (now {here})" for kind, then, here in changed(record)]
    if not told:
        return ""
    return (
        f"So far it was trained under {', '.join(told)}: it can go on, but need not end with the same bits as without "
        "a break. Its record names all versions."
    )


def earlier_versions(record: dict[str, Any], reached: int) -> list[dict[str, Any]]:
    """The versions under which a training came to its update `reached`, each with its last update as "until".

    Args:
        record: as it was left; its `earlier_versions` are of breaks before.
        reached: the update from which the training goes on now.
    """
    past = record.get("earlier_versions")
    ran = [one for one in past if isinstance(one, dict)] if isinstance(past, list) else []
    last = record.get("versions")
    if isinstance(last, dict) and last != versions():
        ran.append({**last, "until": reached})
    found: list[dict[str, Any]] = []
    for one in ran:
        until = min(int(one.get("until") or 0), reached)
        if until > (found[-1]["until"] if found else 0):  # else nothing of what it did is left
            found.append({**one, "until": until})
    return found


@functools.cache
def commit() -> str | None:
    """The commit of the code that runs, with a + if it was changed since; None outside a git checkout."""
    if (home := project()) is None:  # a repository around an installed package is somebody else's
        return None
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
