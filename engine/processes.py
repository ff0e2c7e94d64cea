"""A process among others: how it lets them go first, what it keeps and what it took; nothing here is slow to import."""

import contextlib
import ctypes
import os
import resource
import sys
import time
from pathlib import Path

from engine.errors import BadConfig, quoted

NICE = 10  # of 19: about a tenth of a core while somebody else wants it, all of it otherwise
VARIABLE = "INNERLOOP_NICE"  # says another one
GROUP = Path("/proc/self/autogroup")
TRIES = 5  # the kernel takes one such change in a tenth of a second, from all processes together

# Options of glibc's mallopt, by the numbers of its malloc.h: when to give memory back, when to ask for a block of its
# own, and how many places memory is kept in.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT = {M_TRIM_THRESHOLD: 256 << 20, M_MMAP_THRESHOLD: 32 << 20, M_ARENA_MAX: 1}


def niceness() -> int:
    """How far trainings step back, 0 (not at all) to 19.

    Raises:
        BadConfig: the variable says anything else.
    """
    text = os.environ.get(VARIABLE, str(NICE))
    if not text.isdecimal() or int(text) > 19:
        raise BadConfig(f"{VARIABLE} must be a whole number from 0 to 19; {quoted(text)} was given.")
    return int(text)


def step_back() -> None:
    """Lowers the priority of this process, and that of its session if it leads one.

    Where Linux groups processes by session (`sched_autogroup_enabled`, as most distributions have it), niceness only
    counts within a session: a process in one of its own would compete with all others as an equal, however nice it is.
    Then the session has a niceness too. A process that leads none leaves its session alone: others may live in it.
    """
    nice = niceness()
    os.nice(max(0, nice - os.nice(0)))
    if not nice or not GROUP.exists() or os.getsid(0) != os.getpid():
        return
    for _ in range(TRIES):
        with contextlib.suppress(BlockingIOError):  # somebody else just did the same
            with contextlib.suppress(PermissionError, FileNotFoundError):
                GROUP.write_text(str(nice))
            return
        time.sleep(0.11)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory() -> int:
    """The most bytes of memory that this process has held at once.

    Linux hands the usual count of a process on to those that it starts, which then begin with the most that *it* held;
    what it says of a program's own memory does not.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        told = Path("/proc/self/status").read_text().partition("VmHWM:")[2]
        return int(told.split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def keep_memory() -> bool:
    """Asks the C library to keep freed memory, up to 256 MB, in one place for all threads; False where it is not glibc.

    By default it gives large blocks back at once, and each thread has a place of its own: answers to several visitors
    then wait a quarter of their time for pages that the system hands out and clears anew.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all(mallopt(option, value) == 1 for option, value in KEPT.items())


def physical_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
