"""Where runs are, for the shell, the pages and notebooks alike; and where these packages are.

- Shipped runs, the *checkpoints*: in the folder that the variable INNERLOOP_CHECKPOINTS names; else in `checkpoints`
  of the current folder, if there are runs in it; else in `checkpoints` of the project's folder, where the packages are
  used from there (a clone, or one that was installed with `pip install -e`). An installed package brings none.
- Own runs: in the folder that INNERLOOP_RUNS names; else in `runs` of the current folder.
"""

import os
from pathlib import Path

VARIABLE = "INNERLOOP_RUNS"
SHIPPED_VARIABLE = "INNERLOOP_CHECKPOINTS"
PACKAGES = Path(__file__).resolve().parents[2]  # has `engine` in it: the project's folder, or site-packages
NOTHING_SHIPPED = (
    "There are no shipped runs here: start it in a folder with the `checkpoints` of the project's repository in it, "
    f"or let the variable {SHIPPED_VARIABLE} name that folder."
)


def own_runs() -> Path:
    """The folder of own runs; it need not exist."""
    return Path(os.environ.get(VARIABLE) or "runs")


def shipped() -> Path:
    """The folder of shipped runs; where there is none, `checkpoints` of the current folder, which does not exist."""
    if told := os.environ.get(SHIPPED_VARIABLE):
        return Path(told)
    here = Path("checkpoints")
    home = project()
    return home / "checkpoints" if home and not any(here.glob("*/*/run.json")) else here


def project() -> Path | None:
    """The project's folder; None where the packages were installed apart from it."""
    return PACKAGES if (PACKAGES / "pyproject.toml").is_file() else None
