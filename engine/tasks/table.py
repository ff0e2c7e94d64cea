"""Your own regression tasks, from a CSV or Parquet file: one row per point.

    column          what it holds
    task            which task the point belongs to: a name or a number
    x, x1, x2 ...   the inputs, numbers
    y               the target, a number
    split           optional: train, validation or test, the same for all rows of a task

Without `split`, tasks are ordered by a hash of their name: the first 70 % are trained on, the next 15 % are for
validation and the rest for the test, at least one each. No task is ever in two splits.

The hash of the file is part of the distribution: another file of the same name is another distribution. What a run
needs of the file to be opened and asked (how many inputs there are, and where they lie) stands in its record beside it.
"""

import hashlib
import io
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from engine.errors import BadInput, of_system, quoted
from engine.tasks.spec import Numbers, TaskSpec, Values
from engine.tasks.task import SPLITS, Drawn, Listed, Task, TaskDistribution, split_of

MOST_BYTES = 500_000_000
MOST_ROWS = 5_000_000
SHARES = {"train": 0.70, "validation": 0.15}  # of the tasks; the rest is for the test
INPUT = re.compile(r"x(\d*)")


@dataclass(frozen=True)
class Table(TaskDistribution):
    """Tasks are the rows of one `task` each; a task's support and query are drawn from its rows without replacement.

    A batch goes through the tasks of its split in random orders, so that all are met equally often. Tests take each
    task once at most (`distinct`): an interval over repeated ones would be narrower than what is known of new ones.

    Attributes:
        path: a CSV or Parquet file with the columns task, x (or x1, x2 ...), y, and optionally split.
        sha256: of the file, filled in when it is first read; a file that has changed since is refused.
        columns: how many inputs a point has, filled in likewise.
        inputs: lowest and highest value of the first input, filled in likewise.
        targets: lowest and highest target, filled in likewise; equal where a run from before does not say them.
    """

    name = "table"
    summary = "Regress your own tasks, the rows of a CSV or Parquet file, from a few points of each."
    sealed = ("sha256",)

    shots: Annotated[int, Field(ge=1, le=10_000)] = 10
    queries: Annotated[int, Field(ge=1, le=10_000)] = 10
    path: str = ""
    sha256: str = ""
    columns: Annotated[int, Field(ge=0, le=10_000)] = 0
    inputs: tuple[float, float] = (0.0, 0.0)
    targets: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not self.path or self.sha256:
            return
        object.__setattr__(self, "path", os.path.abspath(os.path.expanduser(self.path)))
        rows = _opened(self.path)
        first = rows.x[:, 0]
        object.__setattr__(self, "sha256", rows.sha256)
        object.__setattr__(self, "columns", rows.x.shape[1])
        object.__setattr__(self, "inputs", (float(first.min()), float(first.max())))
        object.__setattr__(self, "targets", (float(rows.y.min()), float(rows.y.max())))
        for split in SPLITS:
            self._long_enough(rows, split)

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(Numbers(self.columns or 1), Values(1))

    @property
    def span(self) -> tuple[float, float] | None:
        return self.inputs if self.columns == 1 else None

    @property
    def missing(self) -> str | None:
        return None if self.path else "The task table reads a file: set path to a CSV or Parquet file."

    def distinct(self, split: str) -> int:
        return len(self._rows().members[split])

    def listed(self, split: str, number: int) -> Listed:
        """All rows of a task.

        Raises:
            BadInput: the file is gone, or is another one.
        """
        rows = self._rows()
        members = rows.members[split]
        name, start, count = members[number % len(members)]
        return Listed(name, rows.x[start : start + count], rows.y[start : start + count])

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """Draws from the tasks that the stream of the generator may see (`split_of`).

        Raises:
            BadInput: the file is gone, is another one, or has too few rows for so many points.
        """
        rows = self._rows()
        split, points = split_of(generator), self.shots + self.queries
        self._long_enough(rows, split)
        members = rows.members[split]
        rounds = [torch.randperm(len(members), generator=generator) for _ in range(0, tasks, len(members))]
        picked = []
        for index in torch.cat(rounds)[:tasks].tolist() if rounds else []:
            _, start, count = members[index]
            picked.append(start + torch.randperm(count, generator=generator)[:points])
        at = torch.stack(picked) if picked else torch.empty((0, points), dtype=torch.int64)
        (support_x, query_x), (support_y, query_y) = (
            values[at].split([self.shots, self.queries], dim=1) for values in (rows.x, rows.y)
        )
        return Drawn(Task(support_x, support_y, query_x, query_y), {})

    def _rows(self) -> "_Rows":
        if self.missing:
            raise BadInput(self.missing)
        rows = _opened(self.path)
        if rows.sha256 != self.sha256:
            raise BadInput(f"{self.path} is not the file that this task was made of: its hash is another one.")
        return rows

    def _long_enough(self, rows: "_Rows", split: str) -> None:
        name, _, least = min(rows.members[split], key=lambda member: member[2])
        if least < self.shots + self.queries:
            needed = f"shots + queries = {self.shots} + {self.queries}"
            raise BadInput(f"Task {quoted(name)} of {self.path} has {least} rows; {needed} needs as many or more.")


@dataclass(frozen=True)
class _Rows:
    """A file: inputs (rows, columns) and targets (rows, 1), those of a task beside each other.

    `members` names the tasks of each split, each with its first row and how many it has.
    """

    x: Tensor
    y: Tensor
    members: dict[str, list[tuple[str, int, int]]]
    sha256: str


def _opened(path: str) -> _Rows:
    """The file, read again only if it has changed.

    Raises:
        BadInput: it is missing, too large, or not such a table.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        what = of_system(error)[0] if isinstance(error, OSError) else str(error)
        raise BadInput(f"The table {quoted(path)} cannot be read: {what}.") from None
    if found.st_size > MOST_BYTES:
        raise BadInput(f"{path} has {found.st_size:,} bytes; a table has at most {MOST_BYTES:,}.")
    return _read(path, (found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=2)
def _read(path: str, _: tuple[int, int]) -> _Rows:
    import pandas as pd  # takes longer to import than all tasks together
    from pyarrow import parquet  # type: ignore[import-untyped]

    kind = Path(path).suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise BadInput(f"A table is a .csv or .parquet file; {quoted(path)} was given.")
    try:
        content = Path(path).read_bytes()
        if kind == ".parquet":
            if (rows := parquet.read_metadata(io.BytesIO(content)).num_rows) > MOST_ROWS:
                raise BadInput(f"{path} has {rows:,} rows; a table has at most {MOST_ROWS:,}.")
            frame = pd.read_parquet(io.BytesIO(content))
        else:
            how: Any = {"dtype": {"task": str, "split": str}, "keep_default_na": False, "na_values": [""]}
            frame = pd.read_csv(io.BytesIO(content), skipinitialspace=True, low_memory=False, **how)
    except OSError as error:
        raise BadInput(f"The table {quoted(path)} cannot be read: {of_system(error)[0]}.") from None
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path} cannot be read as {kind[1:]}: {quoted(str(error))[1:-1]}.") from None
    frame.columns = [str(column).strip() for column in frame.columns]
    names = _inputs(path, list(frame.columns))
    if not 0 < len(frame) <= MOST_ROWS:
        raise BadInput(f"{path} has {len(frame):,} rows; a table has 1 to {MOST_ROWS:,}.")
    task = _named(path, frame["task"], "task")
    inputs = np.stack([_numbers(path, frame[name], name) for name in names], axis=1)
    targets = _numbers(path, frame["y"], "y")[:, None]
    codes, known = pd.factorize(task)
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.concatenate([[0], counts.cumsum()[:-1]])
    splits = _splits(path, [str(name) for name in known], codes, frame.get("split"))
    members: dict[str, list[tuple[str, int, int]]] = {split: [] for split in SPLITS}
    for name, split, start, count in zip(known, splits, starts.tolist(), counts.tolist(), strict=True):
        members[split].append((str(name), start, count))
    if empty := [split for split in SPLITS if not members[split]]:
        raise BadInput(f"{path} has no tasks for {' and '.join(empty)}: it needs one or more of each.")
    x, y = (torch.from_numpy(values[order]) for values in (inputs, targets))
    return _Rows(x, y, members, hashlib.sha256(content).hexdigest())


def _inputs(path: str, columns: list[str]) -> list[str]:
    """The columns of the inputs, in order."""
    found = sorted((name for name in columns if INPUT.fullmatch(name)), key=lambda name: int(name[1:] or 0))
    for name, there in (("task", "task" in columns), ("x", bool(found)), ("y", "y" in columns)):
        if not there:
            raise BadInput(f"{path} has no column {name}; it has {quoted(', '.join(columns))[1:-1]}.")
    if other := [name for name in columns if name not in (*found, "task", "y", "split")]:
        raise BadInput(f"{path} has a column {quoted(other[0])}, which is none of task, x, x1, x2 ..., y and split.")
    if repeated := [name for name in columns if columns.count(name) > 1]:
        raise BadInput(f"{path} has two columns called {repeated[0]}.")
    return found


def _numbers(path: str, column: Any, name: str) -> np.ndarray:
    """A column as float32 (rows,); raises BadInput."""
    import pandas as pd

    found = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):
        small: np.ndarray = found.astype(np.float32)
    if len(wrong := np.flatnonzero(~np.isfinite(small))):
        given = column.iloc[wrong[0]]
        what = "it is empty" if pd.isna(given) else f"{quoted(given)} was given"
        raise BadInput(f"{path}, row {wrong[0] + 1}: {name} must be a finite number; {what}.")
    return small


def _named(path: str, column: Any, name: str) -> np.ndarray:
    """A column as text (rows,); raises BadInput where a cell is empty."""
    if len(wrong := np.flatnonzero(column.isna())):
        raise BadInput(f"{path}, row {wrong[0] + 1}: {name} is empty.")
    return np.asarray(column.astype(str).str.strip().to_numpy(dtype=object))


def _splits(path: str, names: list[str], codes: np.ndarray, column: Any) -> list[str]:
    """The split of each task; raises BadInput."""
    if column is None:
        ranks = sorted(range(len(names)), key=lambda i: hashlib.sha256(names[i].encode()).digest())
        ends = np.cumsum([max(1, round(share * len(names))) for share in SHARES.values()])
        ends = np.minimum(ends, [len(names) - 2, len(names) - 1])  # at least one task for each of those behind
        found = [""] * len(names)
        for rank, i in enumerate(ranks):
            found[i] = SPLITS[int(np.searchsorted(ends, rank, side="right"))]
        return found
    given = _named(path, column, "split")
    if len(wrong := np.flatnonzero(~np.isin(given, SPLITS))):
        what = f"{', '.join(SPLITS)}; {quoted(given[wrong[0]])} was given"
        raise BadInput(f"{path}, row {wrong[0] + 1}: split must be one of {what}.")
    first = np.unique(codes, return_index=True)[1]
    if len(wrong := np.flatnonzero(given != given[first][codes])):
        raise BadInput(f"{path}, row {wrong[0] + 1}: task {quoted(names[codes[wrong[0]]])} is in two splits.")
    return [str(split) for split in given[first]]
