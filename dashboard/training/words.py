"""What went wrong, as people read it."""

from pathlib import Path

from dashboard import library
from dashboard.escape import code, plain


def reason(error: Exception) -> str:
    """An error in one sentence of Markdown, with the path as pages show it where a file is its cause."""
    if isinstance(error, OSError) and error.strerror:
        where = f" at {code(library.shown(Path(error.filename)))}" if isinstance(error.filename, str) else ""
        return f"{plain(error.strerror)}{where}."
    return plain(error)
