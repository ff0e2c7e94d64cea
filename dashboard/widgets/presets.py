"""Views of the live page that show a phenomenon in one click."""

from dataclasses import dataclass
from typing import Any

from dashboard.widgets.state import X_DOMAIN


@dataclass(frozen=True)
class Preset:
    """A view that shows a phenomenon, and what to look for."""

    title: str
    look_for: str
    changes: dict[str, Any]
    side: tuple[float, float] = X_DOMAIN
    outlier: float = 0.0


PRESETS = {
    preset.title: preset
    for preset in (
        Preset(
            "In distribution",
            "A task like those in training. Drag a point: who follows it locally, and who moves the whole wave?",
            {"amplitude": 3.0, "phase": 0.6, "frequency": 1.0, "noise": 0.0},
        ),
        Preset(
            "Twice the amplitude",
            "The highest wave of training was 5, this one is 10. Who stretches along, and who stays at what it knows?",
            {"amplitude": 10.0, "phase": 0.6, "frequency": 1.0, "noise": 0.0},
        ),
        Preset(
            "Higher frequency",
            "Every training wave had frequency 1, this one has 2. What a learner draws between points is its prior.",
            {"amplitude": 3.0, "phase": 0.6, "frequency": 2.0, "noise": 0.0},
        ),
        Preset(
            "Points all on one side",
            "All points lie left of -1. A learner that knows waves completes the right half, the others guess.",
            {"amplitude": 3.0, "phase": 0.6, "frequency": 1.0, "noise": 0.0},
            side=(-5.0, -1.0),
        ),
        Preset(
            "One outlier",
            "One point is wrong by 5. Who believes it, and how far does the damage reach?",
            {"amplitude": 3.0, "phase": 0.6, "frequency": 1.0, "noise": 0.0},
            outlier=5.0,
        ),
        Preset(
            "Noise",
            "Labels carry noise of standard deviation 1, unseen in training. Fitting them exactly is now a mistake.",
            {"amplitude": 3.0, "phase": 0.6, "frequency": 1.0, "noise": 1.0},
        ),
    )
}
