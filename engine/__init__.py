"""Innerloop's engine: tasks, learners, meta-training and run folders. It knows nothing of probes or pages.

>>> import engine
>>> run = engine.load("checkpoints/sine/maml-k10-s0")
>>> trajectory = run.adapt(x, y)  # (K, 1) each for sine
>>> run.predict(trajectory, query_x)  # (Q, 1), after the last step
>>> run.predict(trajectory, query_x, step=0)  # before any step

Its parts are imported when they are first used, so that a training that waits its turn stays small.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.errors import BadConfig, BadInput, BadRun, EngineError, UnknownName
    from engine.learners import LEARNERS, make
    from engine.runs.listing import find
    from engine.runs.run import Run, load
    from engine.tasks import TASKS, Sine, Task

_HOMES = {
    "engine.errors": ("BadConfig", "BadInput", "BadRun", "EngineError", "UnknownName"),
    "engine.learners": ("LEARNERS", "make"),
    "engine.runs.listing": ("find",),
    "engine.runs.run": ("Run", "load"),
    "engine.tasks": ("TASKS", "Sine", "Task"),
}

__all__ = [
    "LEARNERS",
    "TASKS",
    "BadConfig",
    "BadInput",
    "BadRun",
    "EngineError",
    "Run",
    "Sine",
    "Task",
    "UnknownName",
    "find",
    "load",
    "make",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
