"""What went wrong, as people read it."""

from pathlib import Path

from dashboard.widgets import library
from dashboard.widgets.escape import code, plain
from engine.errors import of_system


def reason(error: Exception) -> str:
    """An error in one sentence of Markdown, with the path as pages show it where a file is its cause."""
    if not isinstance(error, OSError):
        return plain(error)
    what, where = of_system(error)
    return f"{plain(what)} at {code(library.shown(Path(where)))}." if where else f"{plain(what)}."
