"""Who is at work on a folder: locks that end with the process that holds them, however it ends.

They are `flock` locks on one empty file in each folder. No clock, process number or heartbeat decides whether a process
lives: the operating system frees its locks when it dies. A lock can be handed to a child process with its descriptor.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import BadRun

LOCK = ".lock"
PATIENCE = 0.5  # seconds; `held` takes a shared lock for a moment, which must not refuse a process


class Busy(BadRun):
    """Another process is at work on a folder."""


class Locks:
    """Exclusive locks on folders, held until `release` or the end of the process.

    Args:
        folders: folders that exist.

    Raises:
        Busy: another process holds one of them; none is held then.
    """

    def __init__(self, folders: Sequence[Path]):
        self.descriptors: list[int] = []
        for folder in folders:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            self.descriptors.append(descriptor)
            if not _taken(descriptor, PATIENCE):
                self.release()
                raise Busy(f"{folder} is in use: another process is training it. Cancel that one first.")

    @classmethod
    def adopted(cls, descriptors: Sequence[int]) -> "Locks":
        """The locks that a parent process handed over."""
        locks = cls([])
        locks.descriptors = list(descriptors)
        return locks

    def release(self) -> None:
        """Lets go; a child that inherited the descriptors keeps the locks."""
        while self.descriptors:
            os.close(self.descriptors.pop())

    def __enter__(self) -> "Locks":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def held(folder: Path) -> bool:
    """Whether some process is at work on a folder."""
    return bool(locked(folder / LOCK))


def locked(file: Path) -> bool | None:
    """Whether some process holds a file; None where it was never made, or is gone."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until no other process or thread is inside of this block with the same path, a file that is made."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, patience: float) -> bool:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
