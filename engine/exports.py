"""Results in the formats of other tools: tables (CSV, JSON, Parquet) and TensorBoard event files."""

import io
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from engine.errors import BadInput, quoted
from engine.history import read_history
from engine.runs import read_record

FORMATS = ("csv", "json", "parquet")
SCALARS = ("loss", "validation", "best", "lr", "tasks_per_s")


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
        row |= {f"{prefix}{key}": _plain(value) for key, value in (record.get(group) or {}).items()}
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


def tensorboard(folder: Path) -> bytes:
    """The history of a run as a zip with one TensorBoard event file."""
    from tensorboardX import SummaryWriter

    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as directory:
        writer = SummaryWriter(directory)
        for row in read_history(folder):
            for key in SCALARS:
                if row.get(key) is not None:
                    writer.add_scalar(key, row[key], row["iteration"])
        writer.close()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(Path(directory).iterdir()):
                archive.write(path, f"{folder.name}/{path.name}")
    return content.getvalue()


def snippet(folder: Path) -> str:
    """Python that opens a run in a notebook."""
    return (
        "import engine\n\n"
        f'run = engine.load("{folder.as_posix()}")\n'
        "trajectory = run.adapt(x, y)  # arrays or tensors: K inputs and their targets\n"
        "run.predict(trajectory, query_x)  # for Q query inputs, after the last inner step\n"
    )
