"""Whether this server only shows: nothing can then be trained, uploaded, changed or deleted."""

import os

VARIABLE = "INNERLOOP_READ_ONLY"
SENTENCE = "This server only shows: training, uploading, changing and deleting are switched off."


def read_only() -> bool:
    """Whether `python -m dashboard --read-only` (or the variable) said so."""
    return os.environ.get(VARIABLE, "") not in ("", "0")
