"""Where people's own runs are: in `runs/`, or where the variable INNERLOOP_RUNS says."""

import os
from pathlib import Path

VARIABLE = "INNERLOOP_RUNS"


def own_runs() -> Path:
    """The folder of own runs, from here: the dashboard has the same one where this is the project's folder."""
    return Path(os.environ.get(VARIABLE) or "runs")
