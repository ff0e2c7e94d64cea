"""Results in the formats of other tools: tables (CSV, JSON, Parquet) and TensorBoard event files."""

import io
import math
import os
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from engine.configure import flat_values
from engine.errors import BadInput, quoted
from engine.runs.history import read_history
from engine.runs.run import RECORD, read_record

FORMATS = ("csv", "json", "parquet")
SCALARS = ("loss", "validation", "validation_diverged", "best", "lr", "tasks_per_s")


def histories(folders: Sequence[Path]) -> pd.DataFrame:
    """All rows of the histories of runs, with columns run, learner, task, shots and seed before theirs."""
    rows = []
    for folder in folders:
        record = read_record(folder)
        known = {key: record.get(key) for key in ("learner", "task", "shots", "seed")}
        rows += [{"run": str(folder), **known, **row} for row in read_history(folder)]
    return pd.DataFrame(rows)


def results(folders: Sequence[Path]) -> pd.DataFrame:
    """One row per run: what it is, how it was trained, and its metrics."""
    return pd.DataFrame([_result(folder) for folder in folders])


def _result(folder: Path) -> dict[str, Any]:
    record = read_record(folder)
    keys = ("learner", "task", "shots", "seed", "status", "recipe", "iteration", "seconds", "device", "updated")
    row = {"run": str(folder), **{key: record.get(key) for key in keys}, "sha256": record.get("weights_sha256")}
    for group, prefix in (("hyper_parameters", ""), ("training", "training."), ("metrics", "")):
        row |= {f"{prefix}{key}": _plain(value) for key, value in flat_values(record.get(group) or {}).items()}
    return row


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, list | tuple | dict) else value


def table(frame: pd.DataFrame, form: str) -> bytes:
    """A table as a file's content.

    Raises:
        BadInput: the format is not one of `FORMATS`.
    """
    if form == "csv":
        return csv(frame).encode()
    if form == "json":
        return str(frame.to_json(orient="records")).encode()
    if form == "parquet":
        content = io.BytesIO()
        frame.apply(_one_kind).convert_dtypes().to_parquet(content, index=False)
        return content.getvalue()
    raise BadInput(f"Tables are written as {', '.join(FORMATS)}, not as {quoted(form)}.")


def csv(frame: pd.DataFrame) -> str:
    """A table as CSV, in which no cell is a formula for the programs that open it."""
    safe = frame.rename(columns=_quoted)
    for place, (_, values) in enumerate(frame.items()):
        if not pd.api.types.is_numeric_dtype(values):
            safe.isetitem(place, values.astype(object).map(_quoted))
    return str(safe.to_csv(index=False))


def _quoted(cell: Any) -> Any:
    """Text that a spreadsheet would compute gets an apostrophe before it, which makes it text; numbers stay."""
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _one_kind(values: pd.Series) -> pd.Series:
    """A column whose values are of one kind: where they are not, all of them as text."""
    if values.dtype != object:
        return values
    numbers = (int, float)
    kinds = {numbers if type(value) in numbers else type(value) for value in values[values.notna()]}
    return values if len(kinds) < 2 else values.map(str, na_action="ignore")


def tensorboard(folders: Sequence[Path]) -> bytes:
    """Runs as a zip of TensorBoard event files, one folder for each collection and run.

    Each has the scalars of its history at the times when they were logged, its metrics, and its hyper-parameters for
    TensorBoard's table of them. Histories of earlier versions do not hold these times: those count back from the end of
    the training by its own clock, which leaves out breaks.
    """
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as directory:
        for folder, name in zip(folders, _apart(folders), strict=True):
            _events(folder, Path(directory, name))
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(Path(directory).rglob("events.*")):
                archive.write(path, path.relative_to(directory).as_posix())
    return content.getvalue()


def _events(folder: Path, place: Path) -> None:
    """Writes the event file of one run."""
    from tensorboardX import SummaryWriter
    from tensorboardX.summary import hparams

    record, rows = read_record(folder), read_history(folder)
    ended = _ended(record, folder)
    took = max([_number(record.get("seconds")) or 0.0, *(_number(row.get("seconds")) or 0.0 for row in rows)])
    scores = {f"metrics/{key}": _number(value) for key, value in (record.get("metrics") or {}).items()}
    metrics = {key: value for key, value in scores.items() if value is not None}
    made = {key: record.get(key) for key in ("learner", "task", "shots", "seed")}
    for group, prefix in (("hyper_parameters", ""), ("task_parameters", "task."), ("training", "training.")):
        made |= {f"{prefix}{key}": _plain(value) for key, value in flat_values(record.get(group) or {}).items()}
    with SummaryWriter(str(place)) as writer:
        for summary in hparams(made, metrics):
            writer.file_writer.add_summary(summary, walltime=ended)
        last = ended  # to the second: a row may be some tenths later
        for row in rows:
            logged, seconds = _number(row.get("time")), _number(row.get("seconds"))
            when = logged if logged is not None else ended - took + (seconds or 0.0)
            last = max(last, when)
            for key in SCALARS:
                if (value := _number(row.get(key))) is not None:
                    writer.add_scalar(key, value, row["iteration"], walltime=max(when, 0.0))
        for key, value in metrics.items():
            writer.add_scalar(key, value, int(record.get("iteration") or 0), walltime=last)


def _ended(record: dict[str, Any], folder: Path) -> float:
    """When a run was last written, in seconds since 1970: by its record, or else by its file."""
    try:
        when = datetime.fromisoformat(str(record.get("updated")))
        return max((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp(), 0.0)
    except (ValueError, OverflowError):
        return (folder / RECORD).stat().st_mtime


def _number(value: Any) -> float | None:
    """A finite number, or nothing."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _apart(folders: Sequence[Path]) -> list[str]:
    """A name for each folder that no other one has: collection and run, and what is above where that is not enough."""
    parts = [[part for part in Path(os.path.abspath(folder)).parts if part != os.sep] for folder in folders]
    most = max((len(path) for path in parts), default=2)
    for depth in range(2, most + 1):
        names = ["/".join(path[-depth:]) for path in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{number}/{'/'.join(path[-2:])}" for number, path in enumerate(parts)]


def snippet(folder: Path) -> str:
    """Python that opens a run in a notebook."""
    return (
        "import engine\n\n"
        f'run = engine.load("{folder.as_posix()}")\n'
        "trajectory = run.adapt(x, y)  # arrays or tensors: K inputs and their targets\n"
        "run.predict(trajectory, query_x)  # for Q query inputs, after the last inner step\n"
    )
