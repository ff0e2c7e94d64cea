"""All runs below some folders, with their records: what pages and tables go through whenever they are looked at."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import BadRun
from engine.runs.folders import RECORD, run_folders
from engine.runs.inputs import checked_path
from engine.runs.run import read_record

_KNOWN: dict[Path, tuple[tuple[int, ...], dict[str, Any] | str]] = {}
MOST_KNOWN = 4096
SETTLED_NS = 2_000_000_000  # a file that changed so lately may change again within one tick of its clock


def find(*roots: str | Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """All run folders below the roots with their records, in order of their paths (see `engine.runs.folders`).

    Broken ones are passed over (`broken` names them), and so is what lies in hidden folders (the trash). A record that
    has not changed since the last look is not read again.
    """
    for path in folders(*roots):
        if not isinstance(record := _look(path), str):
            yield path, record


def broken(*roots: str | Path) -> Iterator[tuple[Path, str]]:
    """The run folders below the roots that `find` passes over, each with the sentence that says why."""
    for path in folders(*roots):
        if isinstance(said := _look(path), str):
            yield path, said


def folders(*roots: str | Path) -> Iterator[Path]:
    """All folders below the roots that have a record, sound or not, in order; hidden ones are passed over."""
    for root in map(checked_path, roots):
        yield from run_folders(root)


def _look(folder: Path) -> dict[str, Any] | str:
    """The record, or what is wrong with it; read again only if its file changed since the last look."""
    found: dict[str, Any] | str
    stamp: tuple[int, ...] = ()
    settled = False
    with contextlib.suppress(OSError):
        now = os.stat(folder / RECORD)
        stamp = (now.st_dev, now.st_ino, now.st_mtime_ns, now.st_ctime_ns, now.st_size)
        settled = abs(time.time_ns() - now.st_ctime_ns) > SETTLED_NS
    known = _KNOWN.get(folder)
    if known and stamp and known[0] == stamp:
        found = known[1]
    else:
        try:
            found = read_record(folder)
        except BadRun as error:
            found = str(error)
        if settled:
            if len(_KNOWN) >= MOST_KNOWN:
                _KNOWN.clear()
            _KNOWN[folder] = (stamp, found)
    return found if isinstance(found, str) else dict(found)  # so that a reader's changes stay its own
