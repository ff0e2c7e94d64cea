"""What a server does once before it answers anybody, whichever command started it."""

import functools
import gc

import streamlit as st

from dashboard.widgets import crew
from engine.processes import keep_memory


def served() -> bool:
    """Whether this process serves pages: a test that runs them in its own does not."""
    return st.runtime.exists()


@functools.cache
def tune() -> None:
    """Makes the process answer a drag at once: for servers only, since all of it holds for the whole process.

    The inner loops are many tiny products, for which a second thread of PyTorch only waits for the first. What is
    imported once is set aside from garbage collection. Memory that is let go stays in the process, for the next tensor.
    What is asked about several learners is answered on all cores, by helpers.
    """
    import torch

    import dashboard.views.live.parts  # noqa: F401 - the learners, before the first visitor

    torch.set_num_threads(1)
    keep_memory()
    crew.expect()
    gc.collect()
    gc.freeze()
