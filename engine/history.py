"""Reading `history.jsonl`: one row for each logged update, whatever a crash or a stranger left behind."""

import itertools
import json
from pathlib import Path
from typing import Any

HISTORY = "history.jsonl"


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The whole rows of `history.jsonl`; what follows a line cut off by a crash, or no row at all, is passed over."""
    return list(itertools.takewhile(is_row, history_values(folder)))


def history_values(folder: Path) -> list[Any]:
    """What the lines of `history.jsonl` hold, rows or not, up to the first that is not JSON."""
    path, values = folder / HISTORY, []
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError):
            break
    return values


def is_row(value: Any) -> bool:
    """Whether it is a row of a history: an object with an iteration."""
    return isinstance(value, dict) and isinstance(value.get("iteration"), int)
