"""Where runs are below a folder, and the one rule for symbolic links.

- **Reading** takes a link for the folder that it leads to, wherever that is: people keep collections on other disks,
  and lists of links to runs. Below a root each run is found once: as itself if it lies there, else by the first link
  to it. So a loop of links ends, and no run counts twice for its links. Links to a folder that holds the root are
  passed over.
- **A run folder that is a link** is only read. Training, resuming and restarting refuse it; deleting takes the link
  away and leaves what it leads to; restoring brings the link back.
- **A link further up** (a collection that is elsewhere) is the place that it leads to: trainings are written there.
  Runs in it are not deleted from here, since the trash lies below the root.

Whatever begins with a dot (the trash, the queue, an import on its way) is passed over, link or not.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.errors import BadInput

RECORD = "run.json"
CANCEL = "cancel"  # a file of this name in a run folder calls its training off
SNAPSHOT, PREVIOUS = "snapshot.safetensors", "snapshot.previous.safetensors"
LOG = "log.txt"  # what a worker printed, in the first run's folder


def run_folders(root: str | Path) -> list[Path]:
    """All folders below `root`, or itself, that hold a record, in order of their paths."""
    if not os.path.isdir(root):
        return []
    found: list[str] = []
    seen = {_identity(folder) for folder in map(str, Path(root).resolve().parents)}  # a link to them is passed over
    places = [str(root)]
    while places:
        links: list[str] = []
        for place in places:  # first all that lies here, then what the links among it lead to
            found += _below(place, seen, links)
        places = sorted(links)
    return [Path(path) for path in sorted(found, key=lambda path: path.split(os.sep))]


def _below(place: str, seen: set[tuple[int, int]], links: list[str]) -> Iterator[str]:
    """Of the folders in `place`; in text, which is several times as fast as paths are."""
    try:
        if (there := _identity(place)) in seen:
            return
        seen.add(there)
        entries = list(os.scandir(place))
    except OSError:  # gone, not to be read, no folder, or a link that leads nowhere
        return
    for entry in entries:
        if entry.name == RECORD and entry.is_file():
            yield place
        elif entry.name.startswith(".") or not entry.is_dir():
            continue
        elif entry.is_symlink():
            links.append(entry.path)
        else:
            yield from _below(entry.path, seen, links)


def _identity(folder: str) -> tuple[int, int]:
    there = os.stat(folder)
    return there.st_dev, there.st_ino


def refuse_link(folder: Path) -> None:
    """Raises BadInput where a run folder is a link, before anything is written through it."""
    if folder.is_symlink():
        raise BadInput(f"{folder} is a link: what it leads to is only read here. Name the folder itself.")


def inside(folder: Path, root: Path) -> Path:
    """The path of a run folder from `root`; the folder itself may be a link, which is not followed.

    Raises:
        BadInput: it does not lie below `root`.
    """
    plain = Path(os.path.abspath(folder))
    try:
        found = (plain.parent.resolve() / plain.name).relative_to(root.resolve())
    except ValueError:
        said = f"{folder} does not lie below {root}; shipped runs and others are left alone."
        if plain.is_relative_to(os.path.abspath(root)):
            said = f"{folder} lies in a linked folder outside of {root}; delete it where it is."
        raise BadInput(said) from None
    if not found.parts:
        raise BadInput(f"{folder} holds the runs; it is none.")
    return found
