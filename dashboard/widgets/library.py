"""The shipped and own runs that pages show, loaded once and shared by all sessions (never changed)."""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from safetensors import safe_open

from dashboard.widgets import families, trained
from dashboard.widgets.trained import Trained, key_of, title_of
from engine.learners import LEARNERS
from engine.runs import places
from engine.runs.ensembles import Ensemble, find_ensembles
from engine.runs.folders import run_folders
from engine.runs.groups import groups, largest
from engine.runs.listing import find
from engine.runs.run import RECORD, TRAINED, WEIGHTS
from engine.tasks import TASKS

CHECKPOINTS = places.shipped().resolve()
PROJECT = CHECKPOINTS.parent  # paths below it are shown from here
RUNS = places.own_runs().resolve()  # the user's own
ANSWERS = CHECKPOINTS / "answers"  # of probes that take long, see `probes.answers`
OWN = "my-"  # before the name of a folder below `runs/`


@dataclass(frozen=True)
class Collection:
    """What people read of a collection of runs: its name, and one sentence on what is in it."""

    title: str
    description: str


# By folder below `checkpoints/`, the default one first; one that is not listed goes by the name of its folder.
COLLECTIONS = {
    "sine": Collection("all learners, one budget", "Every learner had the same 20,000 tasks, on a 1-40-40-1 network."),
    "sine-tuned": Collection("six learners, longer budgets", "Longer trainings on 1-40-40-1, chosen by hand for each."),
    "sine-published": Collection("chapter 5: 1-91-91-91-1", "The published network and inner loop, our outer loop."),
    "sine-long": Collection(
        "chapter 5: OP-LSTM, nine passes", "The published network and number of passes, our outer loop."
    ),
    "sine-as-published": Collection(
        "chapter 5: published training", "The published outer loop too: 70,000 tasks at a constant learning rate."
    ),
    "sine-permutation": Collection(
        "chapter 5: order of the support", "LSTMs that pool the points, or read one after the other; 5 points to many."
    ),
    "sine-subspace": Collection(
        "chapter 6: one inner step", "A single inner step in training and at test, on 1-40-40-1; our outer loop."
    ),
    "sine-subspace-published": Collection(
        "chapter 6: published training", "A single inner step on 1-40-40-1, with the published outer loop."
    ),
    "sine-subspace-t10": Collection(
        "chapter 6: ten inner steps", "Ten inner steps in training and at test, on 1-40-40-1; our outer loop."
    ),
}
DEFAULT = next(iter(COLLECTIONS))


def roots() -> dict[str, Path]:
    """The collections of runs by name, the default one first: shipped ones, then the user's own below `runs/`."""
    place = {name: index for index, name in enumerate(COLLECTIONS)}
    shipped = sorted(_folders(CHECKPOINTS), key=lambda path: (place.get(path.name, len(place)), path.name))
    own = {f"{OWN}{path.name}": path for path in _folders(RUNS)}
    return {DEFAULT: CHECKPOINTS / DEFAULT} | {path.name: path for path in shipped} | own


def collections() -> tuple[str, ...]:
    """The names of the collections; the default one is always among them."""
    return tuple(roots())


def shown(path: Path) -> str:
    """A path as people read it: from the project, or from the folder that holds the own runs."""
    home = PROJECT if path.is_relative_to(PROJECT) else RUNS.parent
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


def nothing_shipped() -> str:
    """Where to get the shipped runs, in one sentence, where there are none of them; "" where there are."""
    return "" if _folders(CHECKPOINTS) else places.NOTHING_SHIPPED


def title(collection: str) -> str:
    """The name of a collection for people."""
    if collection in COLLECTIONS:
        return COLLECTIONS[collection].title
    return f"your runs: {collection.removeprefix(OWN)}" if collection.startswith(OWN) else collection


def description(collection: str) -> str:
    """What is in a collection, in one sentence; "" for one that is not known."""
    if collection.startswith(OWN):
        return "Beside them stand shipped learners that are not among yours, trained with as many points."
    return COLLECTIONS[collection].description if collection in COLLECTIONS else ""


def _folders(root: Path) -> list[Path]:
    """The folders below `root` that hold runs."""
    seen = [path for path in root.iterdir() if not path.name.startswith(".")] if root.is_dir() else []
    return sorted(path for path in seen if any(path.glob(f"*/{RECORD}")))


def ensembles(collection: str, task: str, shots: int) -> tuple[list[Ensemble], list[str]]:
    """The trained ensembles of a collection on a task, and a sentence for each that could not be opened.

    The bare name of a task stands for the first one of that name where none has the default parameters.
    Reads the disk again only when a record there has changed.
    """
    return _load(collection, task, shots, _stamp(collection))


def joined(collection: str, task: str, shots: int) -> tuple[list[Ensemble], list[str]]:
    """The same, and beside the user's own runs the shipped learners that are not among them."""
    found, complaints = ensembles(collection, task, shots)
    if not collection.startswith(OWN):
        return found, complaints
    own = {ensemble.learner.name for ensemble in found}
    shipped, more = ensembles(DEFAULT, task, shots)
    together = [*found, *(ensemble for ensemble in shipped if ensemble.learner.name not in own)]
    return sorted(together, key=_place), [*complaints, *more]


def yours(ensemble: Ensemble) -> bool:
    """Whether the user trained it."""
    return ensemble.runs[0].path.is_relative_to(RUNS)  # found below it, in `roots`


def tasks(collection: str) -> tuple[str, ...]:
    """What a collection has finished runs on, as links call it; the first task registered where it has none.

    One task with several sets of parameters is several (`dashboard.widgets.trained`); the default ones come first.
    """
    return tuple(_tasks(collection, _stamp(collection))) or tuple(TASKS)[:1]


def told(collection: str, task: str) -> Trained:
    """What a task of a collection is; one that nobody was trained on has no parameters of its own."""
    found = _tasks(collection, _stamp(collection)).get(task)
    return found or Trained(task, task.replace("-", " "), {})


def told_all(collection: str) -> dict[str, Trained]:
    """The same of all tasks of a collection that somebody was trained on."""
    return _tasks(collection, _stamp(collection))


def shots(collection: str, task: str) -> list[int]:
    """The numbers of shots that a collection has finished runs for, in order."""
    stamp = _stamp(collection)
    return _shots(collection, stamp).get(_known_as(collection, task, stamp)[1], [])


def offered() -> dict[str, dict[str, list[int]]]:
    """The collections with finished runs, each with its tasks and their numbers of shots; the default one always."""
    every = {}
    for name in collections():  # one look at each on the disk, however many tasks it has
        by_task = _shots(name, _stamp(name))
        every[name] = {task: by_task.get(task, []) for task in tasks(name)}
    return {name: found for name, found in every.items() if any(found.values()) or name == DEFAULT}


def _stamp(collection: str) -> tuple[tuple[str, int], ...]:
    """Changes with every record of a collection."""
    root = roots()[collection]
    found = []
    for folder in run_folders(root):
        with contextlib.suppress(OSError):  # just deleted
            found.append((str(folder.relative_to(root)), (folder / RECORD).stat().st_mtime_ns))
    return tuple(found)


@st.cache_data(show_spinner=False, max_entries=64)
def _tasks(collection: str, stamp: tuple[tuple[str, int], ...]) -> dict[str, Trained]:
    """What the runs of a collection were trained on, by what links call it, in the order of the registry."""
    place = {name: index for index, name in enumerate(TASKS)}
    records = (record for _, record in find(roots()[collection]) if record.get("status") in TRAINED)
    found = {key_of(r): Trained(str(r["task"]), title_of(r), r["task_parameters"]) for r in records}
    return dict(sorted(found.items(), key=lambda item: (place.get(item[1].name, len(place)), item[1].name, item[0])))


def _known_as(collection: str, task: str, stamp: tuple[tuple[str, int], ...]) -> tuple[str, str]:
    """The name of a task and what links call it."""
    known = _tasks(collection, stamp)
    key = trained.find(task, tuple(known))
    return known[key].name if key in known else key, key


@st.cache_data(show_spinner=False, max_entries=64)
def _shots(collection: str, stamp: tuple[tuple[str, int], ...]) -> dict[str, list[int]]:
    """The numbers of shots that there are finished runs for, by what links call the task."""
    found: dict[str, set[int]] = {}
    for _, record in find(roots()[collection]):
        if record.get("status") in TRAINED and "shots" in record:
            found.setdefault(key_of(record), set()).add(record["shots"])
    return {key: sorted(numbers) for key, numbers in found.items()}


@dataclass(frozen=True)
class Result:
    """What the record of a finished run says of its test: learner, seed, error, half of its interval; its folder.

    The error is the mean squared one, or the share of wrong classes where the record has the accuracy.
    """

    learner: str
    shots: int
    seed: int
    error: float
    half_width: float
    path: Path | None = None


def error_of(metrics: Mapping[str, Any]) -> float | None:
    """The test error in a record's metrics: mean squared, or the share of wrong classes; None where there is none."""
    if (error := metrics.get("test_mse")) is not None:
        return float(error)
    accuracy = metrics.get("test_accuracy")
    return None if accuracy is None else 1.0 - float(accuracy)


def results(collection: str, task: str) -> tuple[Result, ...]:
    """The test errors in the records of a collection's finished runs, those that pages show; no weights are opened."""
    return _results(collection, task, _stamp(collection))


@st.cache_data(show_spinner=False, max_entries=64)
def _results(collection: str, task: str, stamp: tuple[tuple[str, int], ...]) -> tuple[Result, ...]:
    finished = [(path, r) for path, r in find(roots()[collection]) if r["task"] == task and r.get("status") in TRAINED]
    found = []
    for group in largest(groups(finished)):
        for path, record in group.runs:
            metrics = record.get("metrics") or {}
            # A mean without the tasks that diverged is over fewer tasks than the others'.
            if (error := error_of(metrics)) is not None and not metrics.get("test_diverged"):
                half = float(metrics.get("test_ci95") or 0.0)
                found.append(Result(group.learner, group.shots, int(record["seed"]), error, half, path))
    return tuple(found)


@lru_cache(maxsize=256)
def size(run: Path) -> int:
    """How many numbers a shipped run's weights file holds: what it meta-learned. Nothing but its head is read."""
    with safe_open(run / WEIGHTS, framework="pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())


@st.cache_resource(show_spinner="Opening the trained learners ...", max_entries=16)
def _load(
    collection: str, task: str, shots: int, stamp: tuple[tuple[str, int], ...]
) -> tuple[list[Ensemble], list[str]]:
    name, key = _known_as(collection, task, stamp)
    found, complaints = find_ensembles(roots()[collection], name, shots, lambda record: key_of(record) == key)
    for ensemble in found:
        _ = ensemble.params  # stack the seeds now, not at the first drag
    found.sort(key=_place)
    project = f"{PROJECT}/"
    return found, [complaint.replace(project, "") for complaint in complaints]


def _place(ensemble: Ensemble) -> tuple[int, int]:
    """Family by family, and within one as in the registry."""
    names = list(LEARNERS)
    name = ensemble.learner.name
    return families.rank(ensemble.learner.family), names.index(name) if name in names else len(names)
