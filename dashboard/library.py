"""The shipped and own runs that pages show, loaded once and shared by all sessions (never changed)."""

from pathlib import Path

import streamlit as st

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
    named = {path.name: path for path in sorted(shipped, key=lambda path: (path.name != "sine", path.name))}
    return named | {f"my-{path.name}": path for path in _folders(PROJECT / "runs")}


def collections() -> tuple[str, ...]:
    """The names of the collections."""
    return tuple(roots())


def title(collection: str) -> str:
    """The name of a collection for people."""
    return TITLES.get(collection, collection.replace("my-", "your runs: "))


def _folders(root: Path) -> list[Path]:
    """The folders of runs below `root`; results of other kinds lie in folders with files of their own."""
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.is_dir() and not any(path.glob("*.json")))


def ensembles(collection: str, task: str, shots: int) -> tuple[list[Ensemble], list[str]]:
    """The trained ensembles of a collection, and a sentence for each that could not be opened.

    Reads the disk again only when a record there has changed.
    """
    root = roots()[collection]
    stamp = tuple(sorted((str(p.relative_to(root)), p.stat().st_mtime_ns) for p in root.rglob(RECORD)))
    return _load(collection, task, shots, stamp)


def shots(collection: str, task: str) -> list[int]:
    """The numbers of shots that a collection has finished runs for, in order."""
    records = find(roots()[collection])
    return sorted({int(r["shots"]) for _, r in records if r.get("task") == task and r.get("status") == "done"})


@st.cache_resource(show_spinner="Opening the trained learners ...", max_entries=16)
def _load(
    collection: str, task: str, shots: int, stamp: tuple[tuple[str, int], ...]
) -> tuple[list[Ensemble], list[str]]:
    found, complaints = find_ensembles(roots()[collection], task, shots)
    for ensemble in found:
        _ = ensemble.params  # stack the seeds now, not at the first drag
    order = {"transfer": 0, "gradient": 1, "learned-optimiser": 2, "memory": 3, "subspace": 4, "metric": 5}
    by_registry = {name: index for index, name in enumerate(LEARNERS)}
    found.sort(key=lambda e: (order.get(e.learner.family, len(order)), by_registry.get(e.learner.name, 0)))
    project = f"{PROJECT}/"
    return found, [complaint.replace(project, "") for complaint in complaints]
