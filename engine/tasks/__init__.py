"""Task distributions: what is learned. `TASKS` names them; a new one is one file and one line here, or a plug-in."""

from engine.registry import ClassRegistry
from engine.tasks.composition import SineComposition
from engine.tasks.episodes import Episodes
from engine.tasks.families import SineFamilies, all_families
from engine.tasks.gaussian import GaussianClasses
from engine.tasks.images.folders import Folders
from engine.tasks.images.glyphs import Glyphs
from engine.tasks.images.sets import MNIST, Digits, Fashion
from engine.tasks.polynomials import Polynomials
from engine.tasks.sine import Sine
from engine.tasks.spec import LINE, Classes, Image, Numbers, TaskSpec, Values
from engine.tasks.table import Table
from engine.tasks.task import (
    Axis,
    Drawn,
    Listed,
    NoisyTask,
    Pool,
    Pooled,
    Stored,
    Task,
    TaskDistribution,
    rows_of,
    split_of,
    stream,
)

TASKS: ClassRegistry[TaskDistribution] = ClassRegistry(
    "task",
    TaskDistribution,
    (Sine, SineFamilies, SineComposition, Polynomials, GaussianClasses, Table, Glyphs, Digits, MNIST, Fashion, Folders),
)


def task_class(name: str) -> type[TaskDistribution]:
    """The distribution registered as `name`.

    Raises:
        UnknownName: there is none.
    """
    return TASKS.known(name)


__all__ = [
    "LINE",
    "TASKS",
    "Axis",
    "Classes",
    "Drawn",
    "Episodes",
    "GaussianClasses",
    "Image",
    "Listed",
    "NoisyTask",
    "Numbers",
    "Polynomials",
    "Pool",
    "Pooled",
    "Sine",
    "SineComposition",
    "SineFamilies",
    "Stored",
    "Table",
    "Task",
    "TaskDistribution",
    "TaskSpec",
    "Values",
    "all_families",
    "rows_of",
    "split_of",
    "stream",
    "task_class",
]
