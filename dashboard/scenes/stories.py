"""What the live page tells of tasks by their name, beyond what they say of themselves. None of it is needed.

A task without a story is shown all the same: with its own title, its own axes, and curves.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Range = tuple[float, float]


@dataclass(frozen=True)
class Preset:
    """A view that shows a phenomenon, and what to look for.

    Attributes:
        title, look_for: what people read.
        values: of the sliders.
        side: lowest and highest x of the points; None for all of the domain.
        outlier: how far one point is moved from the true function.
    """

    title: str
    look_for: str
    values: Mapping[str, float]
    side: Range | None = None
    outlier: float = 0.0


@dataclass(frozen=True)
class Story:
    """One task.

    Attributes:
        many: what a learner met many of.
        formula: the true function, LaTeX.
        ranges: how far sliders go, by name; as far as the stops of the task's axes unless said.
        titles: of sliders, by name; those of the axes unless said.
        presets: for runs on the task as it is by default, the first of them the opening view.
    """

    many: str = "tasks"
    formula: str = ""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    presets: tuple[Preset, ...] = ()


WAVE = {"amplitude": 3.0, "phase": 0.6, "frequency": 1.0, "noise": 0.0}
SINES = (
    Preset(
        "In distribution",
        "A task like those in training. Drag a point: who follows it locally, and who moves the whole wave?",
        WAVE,
    ),
    Preset(
        "Twice the amplitude",
        "The highest wave of training was 5, this one is 10. Who stretches along, and who stays at what it knows?",
        WAVE | {"amplitude": 10.0},
    ),
    Preset(
        "Higher frequency",
        "Every training wave had frequency 1, this one has 2. What a learner draws between points is its prior.",
        WAVE | {"frequency": 2.0},
    ),
    Preset(
        "Points all on one side",
        "All points lie left of -1. A learner that knows waves completes the right half, the others guess.",
        WAVE,
        side=(-5.0, -1.0),
    ),
    Preset(
        "One outlier",
        "One point is wrong by 5. Who believes it, and how far does the damage reach?",
        WAVE,
        outlier=5.0,
    ),
    Preset(
        "Noise",
        "Labels carry noise of standard deviation 1, unseen in training. Fitting them exactly is now a mistake.",
        WAVE | {"noise": 1.0},
    ),
)

STORIES = {
    "sine": Story(
        "sine waves",
        r"y = a \sin(f x + \varphi)",
        {"amplitude": (0.0, 10.0), "phase": (0.0, 2 * math.pi), "frequency": (0.2, 4.0), "noise": (0.0, 3.0)},
        presets=SINES,
    ),
    "sine-families": Story(
        "sine waves",
        r"y = A \sin(w x + p) + c",
        {"amplitude": (0.0, 10.0), "frequency": (0.2, 4.0), "phase": (0.0, 2 * math.pi), "offset": (-4.0, 4.0)},
        {"amplitude": "Amplitude A", "frequency": "Frequency w", "phase": "Phase p", "offset": "Offset c"},
    ),
    "sine-composition": Story("sums of two sine waves", r"y = A_1 \sin(w_1 x + p_1) + A_2 \sin(w_2 x + p_2)"),
    "polynomials": Story("polynomials", r"y = \sum_i c_i x^i"),
    "table": Story("draws from the tasks of your file"),
}


def story_of(name: str) -> Story:
    """The story of a task; one that says nothing where there is none."""
    return STORIES.get(name, Story())
