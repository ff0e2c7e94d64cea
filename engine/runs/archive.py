"""A run as one file: export for sharing, and import of what others give, which is never trusted.

An archive is a zip with `run.json`, `weights.safetensors` and, where there are, `history.jsonl`, `log.txt` and the
copies of the weights in `kept/`, in one folder. Import also takes a `.safetensors` file with its `run.json`. Nothing is
unpacked to where an archive says: known names are read into memory, up to a size, and written to a folder whose name is
made here. A run becomes visible only when all of it has been checked: its record (`runs.record`), learner, sizes,
hash, and names, shapes, types and finiteness of the weights.
"""

import io
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from torch._subclasses.fake_tensor import FakeTensorMode

from engine.configure import configure, plain_values
from engine.errors import BadRun, EngineError, quoted
from engine.learners import Learner, learner_class
from engine.runs.budget import Training
from engine.runs.files import write_atomically, write_json
from engine.runs.folders import LOG
from engine.runs.history import HISTORY, is_row, parsed
from engine.runs.leftovers import passed_over
from engine.runs.listing import folders
from engine.runs.origins import refuse_missing
from engine.runs.record import checked
from engine.runs.run import KEPT, MAX_RECORD_BYTES, RECORD, WEIGHTS, Run, load
from engine.tasks import TaskSpec, stream, task_class
from engine.trees import count

MAX_BYTES = {RECORD: MAX_RECORD_BYTES, WEIGHTS: 100_000_000, HISTORY: 20_000_000, LOG: 1_000_000}
MAX_ARCHIVE_BYTES = 120_000_000
MAX_ENTRIES = 20
MAX_KEPT = 200  # copies of the weights
MAX_LISTED = 10_000  # entries that are looked at, the ones that are passed over among them
MAX_STEPS = 1000  # inner steps: a page that opens the run takes them all
MAX_SIZE = 100_000  # of any other whole number among the parameters
ENDED = ("done", "cancelled", "diverged")  # what a run with weights may have come to
MAX_NUMBER = 1e9  # among the parameters
IMPORTED = "imported"  # the folder that imported runs go to


class KnownRun(BadRun):
    """A run that is there already."""


def pack(folder: Path) -> bytes:
    """A finished run as a zip: its record, its weights, its history, what its training printed, and kept weights.

    Raises:
        BadRun: the folder does not hold a run that can be opened.
    """
    run = load(folder)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (RECORD, WEIGHTS, HISTORY, LOG):
            if (folder / name).is_file():
                archive.writestr(f"{run.path.name}/{name}", (folder / name).read_bytes())
        for path in sorted((folder / KEPT).glob("*.safetensors")):
            archive.writestr(f"{run.path.name}/{KEPT}/{path.name}", path.read_bytes())
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
        KnownRun: there is a run with these weights and settings already; the message says where.
        BadRun: the archive is not one of a run, or anything in it is wrong; nothing is left behind.
    """
    if len(content) > MAX_ARCHIVE_BYTES:
        raise BadRun(f"The archive is larger than {MAX_ARCHIVE_BYTES:,} bytes; a run never is.")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(archive.infolist()) > MAX_LISTED:
                raise BadRun(f"The archive has {len(archive.infolist()):,} entries; a run has a handful.")
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and not passed_over(entry.filename)]
            names = [_name(entry.filename) for entry in entries]
            kept = sum(name.startswith(f"{KEPT}/") for name in names)
            if len(entries) - kept > MAX_ENTRIES or kept > MAX_KEPT:
                most = f"a run has at most {len(MAX_BYTES)}, and {MAX_KEPT} in {KEPT}/"
                raise BadRun(f"The archive has {len(entries):,} files; {most}.")
            left = MAX_ARCHIVE_BYTES
            for entry, name in zip(entries, names, strict=True):
                if _limit(name) is None or name in files:
                    what = "twice" if name in files else "which is not part of a run"
                    raise BadRun(f"The archive holds {quoted(entry.filename)}, {what}.")
                files[name] = _read(archive, entry, min(left, _limit(name) or 0))
                left -= len(files[name])
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        if isinstance(error, EngineError):
            raise
        raise BadRun("The file is not a zip archive that can be read (it may be damaged or encrypted).") from None
    return take_up(files, root)


def take_up(files: dict[str, bytes], root: Path) -> Path:
    """Takes up a run from the content of its files, by name: a record, weights, and perhaps a history.

    Raises:
        KnownRun: there is a run with these weights and settings already; the message says where.
        BadRun: something is missing or wrong; nothing is left behind.
    """
    for name, what in ((RECORD, "its record"), (WEIGHTS, "its weights")):
        if name not in files:
            raise BadRun(f"A run needs {name}, {what}.")
    for name, part in files.items():
        if (limit := _limit(name)) is None:
            raise BadRun(f"{quoted(name)} is not part of a run.")
        if len(part) > limit:
            raise BadRun(f"{name} is larger than {limit:,} bytes.")
    record, rows = _described(files)
    target = root / IMPORTED
    target.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target, prefix=".import-"))  # hidden: never listed as a run
    try:
        try:
            for name, part in {**files, RECORD: json.dumps(record).encode()}.items():
                (staging / name).parent.mkdir(exist_ok=True)
                (staging / name).write_bytes(part)
            run = load(staging)
            run.kept()
        except EngineError as error:
            raise BadRun(str(error).replace(f"{staging}/", "").replace(str(staging), "the run")) from None
        if (there := _known(run, root)) is not None:
            raise KnownRun(f"This run is there already: {there.relative_to(root)}.")
        lines = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode()
        for name, part in {**files, HISTORY: lines}.items():  # this time to stay
            write_atomically(staging / name, part)
        return _move(staging, target, record)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _described(files: dict[str, bytes]) -> tuple[dict[str, Any], list[Any]]:
    """The record and the history as they will be written; all that can be wrong with them, before anything is."""
    try:
        record = checked(json.loads(files[RECORD]), RECORD)
    except (ValueError, RecursionError) as error:
        if isinstance(error, EngineError):
            raise
        raise BadRun(f"{RECORD} is not readable JSON.") from None
    if "weights_sha256" not in record:
        raise BadRun(f"{RECORD} lacks weights_sha256.")
    refuse_missing(record, RECORD)
    learner = configure(learner_class(record["learner"]), record["hyper_parameters"], f"learner {record['learner']}")
    task = task_class(record["task"])
    for name in task.sealed:  # or opening what somebody sent would read a file that its record names
        if not record["task_parameters"].get(name):
            raise BadRun(f"{RECORD} lacks {name} of the task {task.name}.")
    distribution = configure(task, record["task_parameters"], f"task {record['task']}")
    training = record.get("training") and asdict(configure(Training, record["training"], "training"))
    for owner in ("hyper_parameters", "task_parameters"):
        _modest(owner, record[owner])
    if max(learner.train_steps, learner.evaluation_steps) > MAX_STEPS:
        raise BadRun(f"{RECORD}: more than {MAX_STEPS} inner steps are not taken up.")
    if (numbers := _parameters(learner, distribution.spec)) * 4 > MAX_BYTES[WEIGHTS]:
        raise BadRun(f"{RECORD} describes {numbers:,} parameters; that is more than {WEIGHTS} may hold.")
    rows = parsed(files.get(HISTORY, b""))
    if not all(map(is_row, rows)):
        raise BadRun(f"{HISTORY} must hold one object of numbers with an iteration per line.")
    kept = {key: value for key, value in record.items() if key not in ("pid", "error")}
    same = {  # in the one form in which we write it ourselves, whoever wrote it
        "hyper_parameters": plain_values(learner),
        "task_parameters": asdict(distribution),
        "shots": distribution.shots,
        **({"training": training} if training else {}),
        "status": record["status"] if record.get("status") in ENDED else "done",
        "group": [],
        "imported": True,
    }
    return {**kept, **same}, rows


@lru_cache(64)
def _parameters(learner: Learner, spec: TaskSpec) -> int:
    """How many numbers the weights of a learner are, counted without making them."""
    with FakeTensorMode():
        return count(learner.init(stream("init"), spec))


def _known(run: Run, root: Path) -> Path | None:
    """Where the same weights with the same learner and task are already; None: nowhere."""
    for folder in folders(root):
        try:
            if run.sha256.encode() in (folder / RECORD).read_bytes():
                there = load(folder)
                if (there.sha256, there.learner, there.distribution) == (run.sha256, run.learner, run.distribution):
                    return folder
        except (EngineError, OSError):
            continue
    return None


def _modest(owner: str, value: Any, depth: int = 0) -> None:
    """Refuses numbers and lists that only serve to fill memory or time."""
    if isinstance(value, dict | list | tuple):
        entries = list(value.values()) if isinstance(value, dict) else list(value)
        if len(entries) > 100 or depth > 5:
            raise BadRun(f"{RECORD}: {owner} holds a list that is too long or too deep.")
        for entry in entries:
            _modest(owner, entry, depth + 1)
    elif isinstance(value, int | float) and abs(value) > (MAX_SIZE if isinstance(value, int) else MAX_NUMBER):
        raise BadRun(f"{RECORD}: {owner} holds {quoted(value)}, which is too large to be taken up.")


def _name(path: str) -> str:
    """What a file of an archive is to a run: its name, with `kept/` before it where it lies there."""
    parts = PurePosixPath(path.replace("\\", "/")).parts[-2:]
    return "/".join(parts) if len(parts) == 2 and parts[0] == KEPT else "".join(parts[-1:])


def _limit(name: str) -> int | None:
    """The most bytes of a file of a run; None: it is not part of one."""
    folder, _, copy = name.rpartition("/")
    if folder == KEPT:
        number, dot, kind = copy.partition(".")
        return MAX_BYTES[WEIGHTS] if number.isascii() and number.isdigit() and dot + kind == ".safetensors" else None
    return MAX_BYTES.get(name)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """At most `limit` bytes, whatever the archive says about itself."""
    with archive.open(entry) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BadRun(f"{PurePosixPath(entry.filename).name} is larger than {limit:,} bytes.")
    return content


def _move(staging: Path, target: Path, record: dict[str, Any]) -> Path:
    """Gives the checked folder the first name that is free."""
    name = f"{record['learner']}-k{record['shots']}-s{record['seed']}"
    number = 1
    while True:
        folder = target / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()  # fails where there is one, also one that another process just made
        except FileExistsError:
            number += 1
            continue
        write_json(staging / RECORD, {**record, "group": [folder.name]})
        os.chmod(staging, 0o755)
        os.replace(staging, folder)
        return folder
