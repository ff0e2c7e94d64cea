"""A process among others: how it lets them go first, and what it took; nothing here is slow to import."""

import contextlib
import os
import resource
import sys
import time
from pathlib import Path

NICE = 10  # of 19: about a tenth of a core while somebody else wants it, all of it otherwise
GROUP = Path("/proc/self/autogroup")
TRIES = 5  # the kernel takes one such change in a tenth of a second, from all processes together


def step_back() -> None:
    """Lowers the priority of this process, and that of its session if it leads one.

    Where Linux groups processes by session (`sched_autogroup_enabled`, as most distributions have it), niceness only
    counts within a session: a process in one of its own would compete with all others as an equal, however nice it is.
    Then the session has a niceness too. A process that leads none leaves its session alone: others may live in it.
    """
    os.nice(max(0, NICE - os.nice(0)))
    if not GROUP.exists() or os.getsid(0) != os.getpid():
        return
    for _ in range(TRIES):
        with contextlib.suppress(BlockingIOError):  # somebody else just did the same
            with contextlib.suppress(PermissionError, FileNotFoundError):
                GROUP.write_text(str(NICE))
            return
        time.sleep(0.11)


def peak_memory() -> int:
    """The most bytes of memory that this process has held at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
