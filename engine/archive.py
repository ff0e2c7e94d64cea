"""A run as one file: export for sharing, and import of what others give, which is never trusted.

An archive is a zip with `run.json`, `weights.safetensors` and, if there is one, `history.jsonl`, in one folder. Import
also takes a `.safetensors` file with its `run.json`. Nothing is unpacked to where an archive says: known names are
read into memory, up to a size, and written to a folder whose name is made here. A run becomes visible only when all of
it has been checked: schema, learner, sizes, hash, names, shapes, types and finiteness of the weights.
"""

import io
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from torch._subclasses.fake_tensor import FakeTensorMode

from engine.errors import BadRun, EngineError
from engine.files import write_atomically, write_json
from engine.history import HISTORY, history_values, is_row
from engine.learners import configure, learner_class
from engine.runs import MAX_RECORD_BYTES, RECORD, REQUIRED, WEIGHTS, load, read_record
from engine.tasks import stream, task_class
from engine.trees import count

MAX_BYTES = {RECORD: MAX_RECORD_BYTES, WEIGHTS: 100_000_000, HISTORY: 20_000_000}
MAX_ARCHIVE_BYTES = 120_000_000
MAX_ENTRIES = 20
MAX_STEPS = 1000  # inner steps: a page that opens the run takes them all
MAX_SIZE = 100_000  # of any other whole number among the parameters
IMPORTED = "imported"  # the folder that imported runs go to


def pack(folder: Path) -> bytes:
    """A finished run as a zip: its record, its weights and its history.

    Raises:
        BadRun: the folder does not hold a run that can be opened.
    """
    run = load(folder)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (RECORD, WEIGHTS, HISTORY):
            if (folder / name).is_file():
                archive.writestr(f"{run.path.name}/{name}", (folder / name).read_bytes())
    return content.getvalue()


def read(path: Path, limit: int) -> bytes:
    """The content of a file that is given for import.

    Raises:
        BadRun: there is no such file, or it is larger than the limit.
    """
    if not path.is_file():
        raise BadRun(f"There is no file {path}.")
    if path.stat().st_size > limit:
        raise BadRun(f"{path} is larger than {limit:,} bytes.")
    return path.read_bytes()


def unpack(content: bytes, root: Path) -> Path:
    """Takes up a run from the bytes of a zip.

    Args:
        content: of the file.
        root: the folder that gets `imported/<run>`.

    Returns:
        The new run folder.

    Raises:
        BadRun: the archive is not one of a run, or anything in it is wrong; nothing is left behind.
    """
    if len(content) > MAX_ARCHIVE_BYTES:
        raise BadRun(f"The archive is larger than {MAX_ARCHIVE_BYTES:,} bytes; a run never is.")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MAX_ENTRIES:
                raise BadRun(f"The archive has {len(entries)} files; a run has at most three.")
            for entry in entries:
                name = PurePosixPath(entry.filename.replace("\\", "/")).name
                if name not in MAX_BYTES or name in files:
                    what = "twice" if name in files else "which is not part of a run"
                    raise BadRun(f"The archive holds {_shown(entry.filename)}, {what}.")
                files[name] = _read(archive, entry, MAX_BYTES[name])
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        if isinstance(error, EngineError):
            raise
        raise BadRun("The file is not a zip archive that can be read (it may be damaged or encrypted).") from None
    return take_up(files, root)


def take_up(files: dict[str, bytes], root: Path) -> Path:
    """Takes up a run from the content of its files, by name: a record, weights, and perhaps a history.

    Raises:
        BadRun: something is missing or wrong; nothing is left behind.
    """
    for name, what in ((RECORD, "its record"), (WEIGHTS, "its weights")):
        if name not in files:
            raise BadRun(f"A run needs {name}, {what}.")
    for name, part in files.items():
        if name not in MAX_BYTES:
            raise BadRun(f"{_shown(name)} is not part of a run.")
        if len(part) > MAX_BYTES[name]:
            raise BadRun(f"{name} is larger than {MAX_BYTES[name]:,} bytes.")
    target = root / IMPORTED
    target.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target, prefix=".import-"))  # hidden: never listed as a run
    try:
        try:
            for name, part in files.items():
                write_atomically(staging / name, part)
            _check(staging)
        except EngineError as error:
            raise BadRun(str(error).replace(f"{staging}/", "").replace(str(staging), "the run")) from None
        return _move(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check(staging: Path) -> None:
    """Everything that may be wrong with files from elsewhere; cheap checks before costly ones."""
    record = read_record(staging)
    _strict(record)
    missing = [key for key in REQUIRED if key not in record]
    if missing:
        raise BadRun(f"{RECORD} lacks {', '.join(missing)}.")
    if not 0 <= record["seed"] < 2**31:
        raise BadRun(f"{RECORD}: seed must be a whole number from 0 to {2**31 - 1}, got {record['seed']!r}.")
    learner = configure(learner_class(record["learner"]), record["hyper_parameters"], f"learner {record['learner']}")
    distribution = configure(task_class(record["task"]), record["task_parameters"], f"task {record['task']}")
    for owner in ("hyper_parameters", "task_parameters"):
        _modest(owner, record[owner])
    if max(learner.train_steps, learner.evaluation_steps) > MAX_STEPS:
        raise BadRun(f"{RECORD}: more than {MAX_STEPS} inner steps are not taken up.")
    with FakeTensorMode():  # counts the parameters without making them
        numbers = count(learner.init(stream("init"), distribution.spec))
    if numbers * 4 > MAX_BYTES[WEIGHTS]:
        raise BadRun(f"{RECORD} describes {numbers:,} parameters; that is more than {WEIGHTS} may hold.")
    load(staging)
    rows = history_values(staging)
    if not all(map(is_row, rows)):
        raise BadRun(f"{HISTORY} must hold one object with an iteration per line.")
    write_atomically(staging / HISTORY, "".join(_strict(row) + "\n" for row in rows).encode())
    kept = {key: value for key, value in record.items() if key not in ("pid", "error", "group")}
    write_json(staging / RECORD, {**kept, "status": "done", "group": [], "imported": True})


def _strict(value: Any) -> str:
    """JSON without NaN and infinity, which other readers refuse."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        raise BadRun("The record or the history holds a number that is not finite.") from None


def _modest(owner: str, value: Any, depth: int = 0) -> None:
    """Refuses numbers and lists that only serve to fill memory or time."""
    if isinstance(value, dict | list | tuple):
        entries = list(value.values()) if isinstance(value, dict) else list(value)
        if len(entries) > 100 or depth > 5:
            raise BadRun(f"{RECORD}: {owner} holds a list that is too long or too deep.")
        for entry in entries:
            _modest(owner, entry, depth + 1)
    elif isinstance(value, int) and abs(value) > MAX_SIZE:
        raise BadRun(f"{RECORD}: {owner} holds {value}, which is too large to be taken up.")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """At most `limit` bytes, whatever the archive says about itself."""
    with archive.open(entry) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BadRun(f"{PurePosixPath(entry.filename).name} is larger than {limit:,} bytes.")
    return content


def _move(staging: Path, target: Path) -> Path:
    """Gives the checked folder the first name that is free."""
    record = read_record(staging)
    name = f"{record['learner']}-k{int(record['task_parameters'].get('shots', 0))}-s{record['seed']}"
    number = 1
    while True:
        folder = target / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()  # fails where there is one, also one that another process just made
        except FileExistsError:
            number += 1
            continue
        os.chmod(staging, 0o755)
        os.replace(staging, folder)
        write_json(folder / RECORD, {**read_record(folder), "group": [folder.name]})
        return folder


def _shown(name: str) -> str:
    """A name from elsewhere, made safe and short to show."""
    return ascii(name[:80])
