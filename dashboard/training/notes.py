"""Tags and notes of runs, which people keep beside them: one JSON file, by the hash of the weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.runs import write_json

FILE = ".notes.json"  # below runs/
MOST = 500  # characters


@dataclass(frozen=True)
class Note:
    """What a person says of a run."""

    tags: str = ""
    text: str = ""


def read(root: Path) -> dict[str, Note]:
    """Notes by hash; nothing where there is no file or it cannot be read."""
    try:
        content = json.loads((root / FILE).read_text())
        return {str(key): Note(str(value["tags"]), str(value["text"])) for key, value in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def write(root: Path, sha256: str, note: Note) -> None:
    """Keeps a note (an empty one is removed); the others stay."""
    notes = {**read(root), sha256: Note(note.tags.strip()[:MOST], note.text.strip()[:MOST])}
    write_json(root / FILE, {key: asdict(value) for key, value in notes.items() if value != Note()})
