"""Whether this server only shows: nothing can then be trained, uploaded, changed or deleted."""

import os

from engine.errors import EngineError

VARIABLE = "INNERLOOP_READ_ONLY"
HERE = ("localhost", "127.0.0.1", "::1")  # names of this machine that no other one reaches
SENTENCE = "This server only shows: training, uploading, changing and deleting are switched off."


def read_only() -> bool:
    """Whether `python -m dashboard --read-only` (or the variable) said so."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def may_act() -> None:
    """Asked by whatever changes something, first: a button that is disabled can still be pressed by other programs.

    Raises:
        EngineError: this server only shows.
    """
    if read_only():
        raise EngineError(SENTENCE)
