"""The shipped and own runs that pages show, loaded once and shared by all sessions (never changed)."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import families
from engine.ensembles import Ensemble, find_ensembles
from engine.learners import LEARNERS
from engine.runs import RECORD, find

PROJECT = Path(__file__).resolve().parent.parent
CHECKPOINTS = PROJECT / "checkpoints"
TITLES = {
    "sine": "all learners, one budget",
    "sine-tuned": "six learners, longer budgets",
    "sine-published": "chapter 5: 1-91-91-91-1",
    "sine-long": "chapter 5: OP-LSTM, nine passes",
    "sine-as-published": "chapter 5: published training",
    "sine-permutation": "chapter 5: order of the support",
    "sine-subspace": "chapter 6: one inner step",
    "sine-subspace-published": "chapter 6: published training",
}


def roots() -> dict[str, Path]:
    """The collections of runs by name, the default one first: shipped ones, then the user's own below `runs/`."""
    shipped = _folders(CHECKPOINTS)
    listed = list(COLLECTIONS)
    place = {name: index for index, name in enumerate(listed)}
    named = {path.name: path for path in sorted(shipped, key=lambda p: (place.get(p.name, len(listed)), p.name))}
    return named | {f"{OWN}{path.name}": path for path in _folders(PROJECT / "runs")}


def collections() -> tuple[str, ...]:
    """The names of the collections that hold a run; all names where none does."""
    found = roots()
    return tuple(name for name, root in found.items() if next(root.rglob(RECORD), None)) or tuple(found)


def title(collection: str) -> str:
    """The name of a collection for people."""
    if collection in COLLECTIONS:
        return COLLECTIONS[collection].title
    return f"your runs: {collection.removeprefix(OWN)}" if collection.startswith(OWN) else collection


def description(collection: str) -> str:
    """What is in a collection, in one sentence; "" for one that is not listed."""
    return COLLECTIONS[collection].description if collection in COLLECTIONS else ""


def _folders(root: Path) -> list[Path]:
    """The folders below `root` that hold runs."""
    return sorted(path for path in root.iterdir() if any(path.glob(f"*/{RECORD}"))) if root.is_dir() else []


def ensembles(collection: str, task: str, shots: int) -> tuple[list[Ensemble], list[str]]:
    """The trained ensembles of a collection, and a sentence for each that could not be opened.

    Reads the disk again only when a record there has changed.
    """
    return _load(collection, task, shots, _stamp(collection))


def shots(collection: str, task: str) -> list[int]:
    """The numbers of shots that a collection has finished runs for, in order."""
    return list(_shots(collection, task, _stamp(collection)))


def offered(task: str) -> dict[str, list[int]]:
    """The collections with finished runs on a task, each with its numbers of shots; at least the default one."""
    every = {name: shots(name, task) for name in collections()}
    return {name: numbers for name, numbers in every.items() if numbers} or dict(list(every.items())[:1])


def _stamp(collection: str) -> tuple[tuple[str, int], ...]:
    """Changes with every record of a collection."""
    root = roots()[collection]
    return tuple(sorted((str(p.relative_to(root)), p.stat().st_mtime_ns) for p in root.rglob(RECORD)))


@st.cache_data(show_spinner=False, max_entries=64)
def _shots(collection: str, task: str, stamp: tuple[tuple[str, int], ...]) -> list[int]:
    records = find(roots()[collection])
    return sorted({int(r["shots"]) for _, r in records if r.get("task") == task and r.get("status") == "done"})


@st.cache_resource(show_spinner="Opening the trained learners ...", max_entries=16)
def _load(
    collection: str, task: str, shots: int, stamp: tuple[tuple[str, int], ...]
) -> tuple[list[Ensemble], list[str]]:
    found, complaints = find_ensembles(roots()[collection], task, shots)
    for ensemble in found:
        _ = ensemble.params  # stack the seeds now, not at the first drag
    by_registry = {name: index for index, name in enumerate(LEARNERS)}
    found.sort(key=lambda e: (families.rank(e.learner.family), by_registry.get(e.learner.name, 0)))
    project = f"{PROJECT}/"
    return found, [complaint.replace(project, "") for complaint in complaints]
