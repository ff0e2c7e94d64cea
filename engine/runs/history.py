"""Reading `history.jsonl`: one row for each logged update, whatever a crash or a stranger left behind."""

import itertools
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

from engine.runs.record import LARGEST, LARGEST_WHOLE

HISTORY = "history.jsonl"
MAX_BYTES = 20_000_000  # a hundred thousand rows; what comes after is not read
MAX_LINE = 4_000  # bytes; a row has some two hundred
MAX_COLUMNS = 40
LAST_ITERATION = 10**9
KEPT_ROWS = 100_000  # of the histories that were read last, so that a page that looks every second does not parse again

Key = tuple[str, int, int]
_kept: OrderedDict[Key, list[dict[str, Any]]] = OrderedDict()


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The whole rows of `history.jsonl`; what follows a line cut off by a crash, or no row at all, is passed over.

    The rows belong to all who ask: nobody changes them.
    """
    path = folder / HISTORY
    try:
        there = path.stat()
        key = (str(path.absolute()), there.st_mtime_ns, there.st_size)
        rows = _kept.get(key)
        if rows is None:
            rows = list(itertools.takewhile(is_row, history_values(folder)))
            _keep(key, rows)
    except OSError:  # there is none, or it cannot be read
        return []
    return list(rows)


def history_values(folder: Path) -> list[Any]:
    """What the lines of `history.jsonl` hold, as `parsed`; what lies beyond the largest size is not read."""
    path = folder / HISTORY
    if not path.is_file():
        return []
    with path.open("rb") as file:
        return parsed(file.read(MAX_BYTES))


def parsed(content: bytes) -> list[Any]:
    """What lines of JSON hold, rows or not, up to the first that is not JSON or too long to be a row."""
    values = []
    for line in content.splitlines():
        try:
            if len(line) > MAX_LINE:
                break
            values.append(json.loads(line.decode(errors="replace")))
        except (ValueError, RecursionError):
            break
    return values


def is_row(value: Any) -> bool:
    """Whether it is a row of a history: an object of numbers (or nulls), with an iteration."""
    if not isinstance(value, dict) or len(value) > MAX_COLUMNS or not all(map(_is_column, value.items())):
        return False
    return isinstance(value.get("iteration"), int) and 0 <= value["iteration"] <= LAST_ITERATION


def _is_column(entry: tuple[str, Any]) -> bool:
    name, value = entry
    if not name.isprintable() or isinstance(value, bool):
        return False
    largest = LARGEST_WHOLE if isinstance(value, int) else LARGEST
    return value is None or (isinstance(value, int | float) and abs(value) <= largest)  # NaN is not


def _keep(key: Key, rows: list[dict[str, Any]]) -> None:
    """Keeps what was read; the oldest make room."""
    if len(rows) > KEPT_ROWS // 4:
        return
    _kept[key] = rows
    while sum(map(len, list(_kept.values()))) > KEPT_ROWS:
        _kept.popitem(last=False)
