"""What has become of a training: read from the records of its runs, and from whether somebody holds their locks."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import BadRun
from engine.runs.listing import find
from engine.runs.locks import held
from engine.runs.run import ENDED, read_record

ACTIVE = ("queued", "running")
RESUMABLE = ("interrupted", "cancelled", "failed")
RESTARTABLE = (*RESUMABLE, "diverged")


@dataclass(frozen=True)
class Job:
    """A training as it stands: one run folder per seed.

    Attributes:
        folders: of its runs.
        status: "queued", "running", "done", "cancelled", "failed", "diverged" (all its seeds did), or "interrupted"
            (its process is gone).
        record: the record of its first run, of those that did not diverge if there are such.
        diverged: the seeds that diverged, each with a sentence on it.
    """

    folders: tuple[Path, ...]
    status: str
    record: dict[str, Any]
    diverged: tuple[tuple[int, str], ...] = ()

    @property
    def folder(self) -> Path:
        """The first run's folder, by which the job is known."""
        return self.folders[0]

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        iterations = (self.record.get("training") or {}).get("iterations") or 0
        return min(int(self.record.get("iteration") or 0), iterations) / iterations if iterations else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the rate so far; None where nothing can be said."""
        seconds = float(self.record.get("seconds") or 0)
        return seconds * (1 - self.share) / self.share if self.status == "running" and self.share else None


def job(folder: Path) -> Job:
    """The job that a run folder belongs to.

    Raises:
        BadRun: the folder is not a run.
    """
    record = read_record(folder)
    folders = _group(folder, record)
    alive = any(held(path) for path in folders)  # first: what ends in between has then written its records
    records = [found for path in folders if (found := record if path == folder else _record(path))] or [record]
    return _made(folders, records, alive)


def jobs(root: Path) -> list[Job]:
    """All trainings below `root`, the latest first; locks are looked at only where a record says that it is at work."""
    records, found, members = dict(find(root)), list[Job](), set[Path]()
    for path, record in records.items():
        if path in members:
            continue
        folders = _group(path, record)
        members.update(folders)
        known = [records[folder] for folder in folders if folder in records]
        if any(one.get("status") in ACTIVE for one in known):
            with contextlib.suppress(BadRun):  # just deleted
                found.append(job(path))
        else:
            found.append(_made(folders, known, alive=False))
    return sorted(found, key=lambda j: (j.status in ACTIVE, str(j.record.get("updated"))), reverse=True)


def check_resumable(folder: Path) -> None:
    """Refuses a training all of whose runs have ended.

    Raises:
        BadRun: it has; or the folder is not a run.
    """
    found = job(folder)
    if found.status == "diverged":
        raise BadRun(f"{folder} diverged; train it again with other settings. {found.diverged[0][1]}".strip())
    if found.status in ENDED:
        raise BadRun(f"{folder} is trained to its end; there is nothing to resume.")


def _record(folder: Path) -> dict[str, Any]:
    """The record of another run of a group; empty where it is gone or broken, which is no reason to hide the rest."""
    try:
        return read_record(folder)
    except BadRun:
        return {}


def _made(folders: tuple[Path, ...], records: Sequence[dict[str, Any]], alive: bool) -> Job:
    """The job of these records: it is at work until every one of its runs has ended, and somebody must be there."""
    active = [record for record in records if record.get("status") in ACTIVE]
    sound = next((record for record in records if record.get("status") != "diverged"), records[0])
    status = str((active[0] if active else sound).get("status", "unknown")) if alive or not active else "interrupted"
    away = [record for record in records if record.get("status") == "diverged"]
    diverged = tuple((int(record.get("seed", 0)), str(record.get("error") or "")) for record in away)
    return Job(folders, status, sound, diverged)


def _group(folder: Path, record: dict[str, Any]) -> tuple[Path, ...]:
    """The run folders that were trained together with this one, in their order."""
    names = [Path(str(name)).name for name in record.get("group") or []]
    if folder.name not in names:  # a renamed folder: what its record calls its group is elsewhere, or somebody else
        names = [folder.name]
    return tuple(folder.parent / name for name in names)
