"""What went wrong, as people read it."""

from pathlib import Path

from dashboard import library


def reason(error: Exception) -> str:
    """An error in one sentence, with the path as pages show it where a file is its cause."""
    if isinstance(error, OSError) and error.strerror:
        where = f" at `{library.shown(Path(error.filename))}`" if isinstance(error.filename, str) else ""
        return f"{error.strerror}{where}."
    return str(error)
