"""Scenes: how the live page shows what runs were trained on, one file for each type of input.

`scene_of` finds the one for a task; where there is none, `refusal` says why, and what can be shown. A new type of input
is a file with a class as `Scene` in `scene.py` describes it, and its name here.
"""

from functools import lru_cache

from dashboard.scenes.line import LineScene
from dashboard.scenes.scales import MOST, BeyondScales
from dashboard.scenes.scene import Scene
from engine.tasks import Classes, Image, TaskDistribution

SCENES: tuple[type[LineScene], ...] = (LineScene,)


class _Asked:
    """A distribution as a key: equal to those of the same class and the same parameters, hashable or not."""

    def __init__(self, distribution: TaskDistribution):
        self.distribution = distribution
        self.key = (type(distribution), repr(distribution))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def scene_of(distribution: TaskDistribution) -> LineScene | None:
    """The scene of a task, made once and shared by all sessions; None where there is none."""
    return _made(_Asked(distribution))


@lru_cache(maxsize=4096)  # a folder may hold runs on a thousand tasks
def _made(asked: _Asked) -> LineScene | None:
    try:
        return next((scene(asked.distribution) for scene in SCENES if scene.fits(asked.distribution)), None)
    except BeyondScales:
        return None


def refusal(distribution: TaskDistribution, title: str) -> str:
    """Why the live page has no scene for a task, and what it can show."""
    inputs, targets = distribution.spec.inputs, distribution.spec.targets
    if isinstance(targets, Classes):
        why = f"they tell {targets.ways} classes apart"
    elif isinstance(inputs, Image):
        why = "their inputs are images"
    elif inputs.size != 1:
        why = f"their inputs have {inputs.size} numbers each"
    elif targets.size != 1:
        why = f"their targets have {targets.size} numbers each"
    elif distribution.span is None:
        why = "nobody says between which numbers their inputs lie"
    else:
        why = f"some of their numbers are beyond {MOST:g}"
    can = "This page draws functions of one number, which have one value: choose runs on such a task."
    return f"Runs on “{title}” are not shown here: {why}. {can}"


__all__ = ["SCENES", "LineScene", "Scene", "refusal", "scene_of"]
