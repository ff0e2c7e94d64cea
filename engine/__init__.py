"""Innerloop's engine: tasks, learners, meta-training and run folders. It knows nothing of probes or pages.

>>> import engine
>>> run = engine.load("checkpoints/sine/maml-k10-s0")
>>> trajectory = run.adapt(x, y)  # (K, 1) each for sine
>>> run.predict(trajectory, query_x)  # (Q, 1), after the last step
>>> run.predict(trajectory, query_x, step=0)  # before any step
"""

from engine.errors import BadConfig, BadInput, BadRun, EngineError, UnknownName
from engine.learners import LEARNERS, make
from engine.runs import Run, find, load
from engine.tasks import TASKS, Sine, Task

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
