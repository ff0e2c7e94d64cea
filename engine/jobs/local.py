"""Trainings in processes of their own: started by a page or a shell, watched, called off, and taken up again.

A job is described wholly by its run folders, one per seed. The process that submits it locks them and hands the locks
to the worker that it starts; the locks end with the worker, so a dead one is recognised by them (status "running" and
no lock: "interrupted") and offered for resumption. Workers outlive who started them, and wait their turn: each holds
a numbered ticket in the queue folder, locked likewise, and works once fewer than `slots` live tickets are before it.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine import plugins
from engine.errors import BadInput, BadRun
from engine.jobs import tickets
from engine.processes import niceness
from engine.runs.files import write_json
from engine.runs.folders import CANCEL, LOG, inside, refuse_link
from engine.runs.locks import Locks, held
from engine.runs.places import PACKAGES, own_runs
from engine.runs.run import RECORD, read_record
from engine.training.plans import Plan, now, plan_of
from engine.training.standing import ACTIVE, RESTARTABLE, RESUMABLE, Job, check_resumable, job, jobs

__all__ = [
    "ACTIVE",
    "QUEUE",
    "RESTARTABLE",
    "RESUMABLE",
    "SLOTS",
    "TRASH",
    "Job",
    "cancel",
    "delete",
    "end",
    "follow",
    "job",
    "jobs",
    "restart",
    "restore",
    "resume",
    "submit",
    "trash",
]

QUEUE = own_runs() / ".queue"
SLOTS = 1  # trainings at a time
TRASH = ".trash"


def submit(planned: Plan, *, slots: int = SLOTS, queue: Path | None = None) -> Job:
    """Queues a new training, and starts its worker.

    Args:
        planned: from `plans.plan`.
        slots: at most so many trainings of this queue at a time.
        queue: the folder of the queue (`QUEUE` unless given).

    Raises:
        Busy: another process is at work in one of the folders.
    """
    with Locks(planned.folders) as locks, _ticket(queue) as ticket:
        planned.prepare("queued")
        _spawn(planned.folders[0], locks, ticket, slots, queue)
    return job(planned.folders[0])


def resume(folder: Path, *, device: str | None = None, slots: int = SLOTS, queue: Path | None = None) -> Job:
    """Queues an interrupted, cancelled or failed training, to go on from its last snapshot.

    Args:
        folder: of any of its runs.
        device: "cpu" or "cuda"; where it was trained so far unless given.
        slots: at most so many trainings of this queue at a time.
        queue: the folder of the queue (`QUEUE` unless given).

    Raises:
        BadRun: there is nothing to resume.
        Busy: another process is at work on it.
    """
    check_resumable(folder)
    planned = plan_of(folder)
    with Locks(planned.folders) as locks, _ticket(queue) as ticket:
        for path in planned.folders:
            (path / CANCEL).unlink(missing_ok=True)
            record = {key: value for key, value in read_record(path).items() if key not in ("error", "pid")}
            there = {"device": device} if device else {}
            write_json(path / RECORD, {**record, **there, "status": "queued", **now()})
        _spawn(planned.folders[0], locks, ticket, slots, queue, "--resume")
    return job(folder)


def restart(folder: Path, *, slots: int = SLOTS, queue: Path | None = None) -> Job:
    """Queues a training again from its beginning; what it had reached is lost."""
    return submit(plan_of(folder), slots=slots, queue=queue)


def cancel(folder: Path) -> None:
    """Calls a training off: it keeps its best weights so far, and can be resumed.

    Raises:
        BadInput: the folder is a link.
        BadRun: it is not queued or running.
    """
    refuse_link(folder)
    found = job(folder)
    if found.status not in (*ACTIVE, "interrupted"):
        raise BadRun(f"{folder} is {found.status}; only a training that waits or runs can be cancelled.")
    if found.status == "interrupted":  # nobody is there to be told
        with Locks(found.folders):
            end(found.folders, "cancelled")
        return
    write_json(found.folder / CANCEL, now())


def follow(folder: Path, every: float = 0.5) -> Iterator[Job]:
    """The job again and again until it is no longer queued or running."""
    while True:
        now_there = job(folder)
        yield now_there
        if now_there.status not in ACTIVE:
            return
        time.sleep(every)


def delete(folder: Path, root: Path) -> Path:
    """Moves a run folder into the trash folder below `root`, from which `restore` brings it back.

    Of a link to a run folder only the link is moved (see `engine.runs.folders`).

    Returns:
        Where it lies now.

    Raises:
        BadInput: it is not below `root`.
        BadRun: it is in use, or no run folder at all.
    """
    where = inside(folder, root)
    if where.parts[0] == TRASH:
        raise BadInput(f"{folder} is in the trash already.")
    if not folder.is_symlink() and _at_work(folder):
        raise BadRun(f"{folder} is being trained; cancel that first.")
    target = _new_place(root / TRASH) / where
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(os.path.abspath(folder), target)
    return target


def _at_work(folder: Path) -> bool:
    try:
        return job(folder).status in ACTIVE
    except BadRun:
        if not (folder / RECORD).exists():
            raise
        return held(folder)  # a broken one is moved like any other


def _new_place(trash: Path) -> Path:
    """A new numbered folder, after all that are there."""
    trash.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name) for path in trash.iterdir() if path.name.isdecimal()), default=-1) + 1
    while True:
        try:
            (trash / f"{number:06d}").mkdir()
        except FileExistsError:  # somebody else deletes too
            number += 1
        else:
            return trash / f"{number:06d}"


def trash(root: Path) -> list[Path]:
    """The run folders, and links to some, in the trash below `root`, the last deleted first."""
    found: list[Path] = []
    for place, folders, files in os.walk(root / TRASH):
        found += [Path(place)] * (RECORD in files)
        found += [Path(place, name) for name in (*folders, *files) if Path(place, name).is_symlink()]
        if RECORD in files:
            folders.clear()
    return sorted(found, reverse=True)


def restore(folder: Path, root: Path) -> Path:
    """Brings a run folder back from the trash to where it was.

    Raises:
        BadInput: it does not lie in the trash, or another run has taken its place.
    """
    where = inside(folder, root / TRASH)
    target = root / Path(*where.parts[1:])
    if len(where.parts) < 2 or os.path.lexists(target):
        raise BadInput(f"{target} exists; delete or move that run first.")
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(os.path.abspath(folder), target)
    with contextlib.suppress(OSError):  # what is empty now
        os.removedirs(root / TRASH / where.parent)
    return target


def end(folders: Sequence[Path], status: str) -> None:
    """Writes how a training ended that is not at work, or never was."""
    for path in folders:
        record = read_record(path)
        write_json(path / RECORD, {**record, "status": status, **now()})
        (path / CANCEL).unlink(missing_ok=True)


@contextlib.contextmanager
def _ticket(queue: Path | None) -> Iterator[int]:
    """A ticket to hand over, drawn before anything is changed: there may be no room for it."""
    niceness()  # a worker that cannot tell its own would die
    ticket = tickets.draw(queue or QUEUE)
    try:
        yield ticket
    finally:
        os.close(ticket)  # a worker that inherited it keeps it


def _spawn(folder: Path, locks: Locks, ticket: int, slots: int, queue: Path | None, *more: str) -> None:
    """Starts a worker that outlives this process, and hands it the locks and a ticket."""
    command = [sys.executable, "-m", "engine.jobs.worker", str(folder.resolve()), "--slots", str(slots), *more]
    command += ["--queue", str((queue or QUEUE).resolve()), "--ticket", str(ticket)]
    command += ["--locks", ",".join(map(str, locks.descriptors))]
    with (folder / LOG).open("wb") as log:
        worker = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[*locks.descriptors, ticket],
            start_new_session=True,
            cwd=PACKAGES,  # where `-m` finds it
            env={**plugins.environment(), "OMP_NUM_THREADS": "1"},
        )
    threading.Thread(target=worker.wait, daemon=True).start()  # so that no zombie stays when it ends
