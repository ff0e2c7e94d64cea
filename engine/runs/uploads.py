"""A folder of images from a zip that somebody sent, which is never trusted.

Nothing is unpacked to where an archive says: only images, and the .csv files that say which split an image is in, are
written, below a folder whose name is made here of the content. One folder around everything is left out, and so is what
file managers put in between (`engine.runs.leftovers`). The folder becomes visible only when all of it is there and can
be trained on.
"""

import hashlib
import io
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from engine.errors import BadInput, EngineError, quoted
from engine.runs.leftovers import passed_over
from engine.tasks.images.listing import IMAGES, NAMES, listed

UPLOADED = "uploaded"  # the folder that they go to
MAX_ARCHIVE_BYTES = 200_000_000
MAX_FILES = 100_000
MAX_FILE_BYTES = 20_000_000
MAX_BYTES = 1_000_000_000  # of all files together, unpacked
DEEPEST = 6  # folders around an image
TABLES = {f"{name}.csv" for names in NAMES.values() for name in names}


def unpack(content: bytes, name: str, root: Path) -> Path:
    """Takes up a folder of images from the bytes of a zip.

    Args:
        content: of the file.
        name: of the file, for people.
        root: the folder that gets `uploaded/<name>-<hash>`; the same content comes to the same place.

    Returns:
        The folder, as the task `folders` reads it.

    Raises:
        BadInput: it is no zip, too large, holds something else than images, or cannot be trained on; nothing is left.
    """
    if len(content) > MAX_ARCHIVE_BYTES:
        raise BadInput(f"The zip is larger than {MAX_ARCHIVE_BYTES:,} bytes: give the path of the folder instead.")
    stem = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(name).stem.lower()).strip("-")[:40] or "images"
    folder = root / UPLOADED / f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".upload-"))
    try:
        try:
            _write(content, staging)
            listed(str(staging))
        except EngineError as error:
            raise BadInput(str(error).replace(f"{staging}/", "").replace(str(staging), "The zip")) from None
        os.chmod(staging, 0o755)
        try:
            os.replace(staging, folder)
        except OSError:  # somebody sent the same in this moment
            if not folder.is_dir():
                raise
        return folder
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(content: bytes, staging: Path) -> None:
    """The files of a zip, to where they may be."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(archive.infolist()) > 2 * MAX_FILES:
                raise BadInput(f"The zip has more than {MAX_FILES:,} files.")
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and not passed_over(entry.filename)]
            if len(entries) > MAX_FILES:
                raise BadInput(f"The zip has {len(entries):,} files; {MAX_FILES:,} are the most.")
            left = MAX_BYTES
            for entry, place in zip(entries, _places(entry.filename for entry in entries), strict=True):
                with archive.open(entry) as file:
                    found = file.read(min(left, MAX_FILE_BYTES) + 1)  # whatever the archive says about itself
                if len(found) > MAX_FILE_BYTES:
                    raise BadInput(f"{quoted(entry.filename)} is larger than {MAX_FILE_BYTES:,} bytes.")
                if (left := left - len(found)) < 0:
                    raise BadInput(f"The zip holds more than {MAX_BYTES:,} bytes when unpacked.")
                target = staging.joinpath(*place)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as out:  # "x": never over another file
                    out.write(found)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, EngineError):
            raise
        raise BadInput("The file is not a zip archive that can be read (it may be damaged or encrypted).") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise BadInput("The zip holds two files of one name, or a file and a folder.") from None


def _places(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Where each file goes, below the folder; without one that is around everything.

    Raises:
        BadInput: a name leads out of the folder, is too deep, or is not that of an image.
    """
    found = []
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if name.startswith(("/", "\\")) or ".." in parts or any(not p.isprintable() or ":" in p for p in parts):
            raise BadInput(f"The zip holds {quoted(name)}, which is no name of a file in it.")
        if len(parts) > DEEPEST or max(map(len, parts)) > 200:
            raise BadInput(f"The zip holds {quoted(name)}: at most {DEEPEST - 1} folders may be around an image.")
        if not parts[-1].lower().endswith(IMAGES) and parts[-1].lower() not in TABLES:
            raise BadInput(f"{quoted(name)} is no image ({', '.join(IMAGES)}): take it out of the zip.")
        found.append(parts)
    around = {parts[0] for parts in found}
    if len(around) == 1 and all(len(parts) > 1 for parts in found) and any(len(parts) > 2 for parts in found):
        found = [parts[1:] for parts in found]
    return found
