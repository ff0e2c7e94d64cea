"""Tags and notes of runs, which people keep beside them: one JSON file, by the hash of the weights.

Several visitors, and other programs, may write it at once: whoever saves holds a lock, and changes only what they
edited. What is not understood is kept as it is; a file that cannot be read at all is set aside, never written over.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.runs.files import write_json
from engine.runs.locks import alone

FILE, LOCK = ".notes.json", ".notes.lock"  # below runs/
ASIDE = ".notes.damaged-{}.json"
KEPT = "not understood"  # the key of what an entry held where a text belongs
MOST = 500  # characters


@dataclass(frozen=True)
class Note:
    """What a person says of a run."""

    tags: str = ""
    text: str = ""


def read(root: Path) -> tuple[dict[str, Note], str]:
    """Notes by hash, those that are understood; and a sentence where the file cannot be read, else nothing."""
    try:
        content = _content(root)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, OSError):
            return {}, f"The notes cannot be read ({error.strerror})."
        return {}, f"The notes in {FILE} are damaged; the next note that is saved sets that file aside."
    return {key: _note(entry) for key, entry in content.items() if isinstance(entry, dict)}, ""


def write(root: Path, sha256: str, seen: Note, wanted: Note) -> str:
    """Keeps what somebody changed of a note; other fields, other notes and what is not understood stay.

    Args:
        root: the folder of own runs.
        sha256: of the run's weights.
        seen: the note as they saw it.
        wanted: as it is to be. A field that they did not touch keeps what others made of it meanwhile.

    Returns:
        A sentence if the file was damaged and is set aside, else nothing.

    Raises:
        OSError: the file cannot be read or written; it is as it was.
    """
    root.mkdir(parents=True, exist_ok=True)
    with alone(root / LOCK):
        said = ""
        try:
            content = _content(root)
        except (ValueError, RecursionError):
            content, said = {}, f"The notes were damaged: what was there is kept as {_set_aside(root)}."
        old = content.get(sha256)
        entry: dict[str, Any] = dict(old) if isinstance(old, dict) else {} if old is None else {KEPT: [old]}
        for key, text in asdict(wanted).items():
            if text != getattr(seen, key):
                if not _is_text(entry.get(key, "")):
                    entry[KEPT] = [*_listed(entry.get(KEPT)), entry[key]]
                entry[key] = text.strip()[:MOST]
        content[sha256] = entry
        if _note(entry) == Note() and not set(entry) - {"tags", "text"}:
            del content[sha256]
        write_json(root / FILE, content)
    return said


def _content(root: Path) -> dict[str, Any]:
    """All that the file holds; nothing where there is none."""
    try:
        content = json.loads((root / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict):
        raise ValueError("no object")
    json.dumps(content, allow_nan=False)  # what cannot be written again is damaged too
    return content


def _note(entry: dict[str, Any]) -> Note:
    return Note(**{key: entry[key] for key in ("tags", "text") if _is_text(entry.get(key))})


def _is_text(value: Any) -> bool:
    """Whether it can be shown: half a surrogate pair cannot."""
    return isinstance(value, str) and value.encode("utf-8", "replace").decode() == value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _set_aside(root: Path) -> str:
    """Gives the damaged file a name that is free, and returns it."""
    number = 1
    while (root / ASIDE.format(number)).exists():
        number += 1
    os.replace(root / FILE, root / ASIDE.format(number))
    return ASIDE.format(number)
