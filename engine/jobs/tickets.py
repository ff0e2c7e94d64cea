"""Turns in a queue of processes: numbered files, each locked by the process whose turn it is to be.

The lowest tickets that somebody holds are served. A process that dies lets go of its ticket. Nothing here is slow to
import: processes that wait are small.
"""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from engine.runs.locks import alone, locked

LOCK = "queue.lock"  # held while tickets are drawn or counted
POLL = 0.2  # seconds between looks at the queue


def draw(queue: Path) -> int:
    """A new last ticket, locked: its descriptor."""
    queue.mkdir(parents=True, exist_ok=True)
    with alone(queue / LOCK):
        number = max((int(path.name) for path in tickets(queue)), default=0) + 1
        ticket = os.open(queue / f"{number:09d}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        fcntl.flock(ticket, fcntl.LOCK_EX)
        os.write(ticket, f"{number:09d}".encode())
    return ticket


def wait(ticket: int, queue: Path, slots: int, called_off: Callable[[], bool]) -> bool:
    """Waits until fewer than `slots` live tickets are before this one; False if it is called off."""
    mine = path_of(ticket, queue)
    while not called_off():
        with alone(queue / LOCK):
            before = sum(_alive(path) for path in tickets(queue) if path.name < mine.name)
        if before < slots:
            return True
        time.sleep(POLL)
    return False


def tickets(queue: Path) -> list[Path]:
    """The tickets of a queue, also those of the dead."""
    return [path for path in queue.iterdir() if path.name.isdigit()]


def path_of(ticket: int, queue: Path) -> Path:
    """The file of the ticket with this descriptor."""
    return queue / os.pread(ticket, 9, 0).decode()


def _alive(ticket: Path) -> bool:
    """Whether a process holds a ticket; one that nobody holds is removed."""
    found = locked(ticket)
    if found is False:
        ticket.unlink(missing_ok=True)
    return bool(found)
