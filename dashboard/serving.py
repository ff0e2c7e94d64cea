"""What a server does once before it answers anybody, whichever command started it."""

import ctypes
import functools
import gc

import streamlit as st

# Options of glibc's mallopt, by the numbers of its malloc.h: when to give memory back, when to ask for a block of its
# own, and how many places memory is kept in.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT = {M_TRIM_THRESHOLD: 256 << 20, M_MMAP_THRESHOLD: 32 << 20, M_ARENA_MAX: 1}


def served() -> bool:
    """Whether this process serves pages: a test that runs them in its own does not."""
    return st.runtime.exists()


@functools.cache
def tune() -> None:
    """Makes the process answer a drag at once: for servers only, since all of it holds for the whole process.

    The inner loops are many tiny products, for which a second thread of PyTorch only waits for the first. What is
    imported once is set aside from garbage collection. Memory that is let go stays in the process, for the next tensor.
    """
    import torch

    import dashboard.live  # noqa: F401 - the learners, before the first visitor

    torch.set_num_threads(1)
    keep_memory()
    gc.collect()
    gc.freeze()


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
