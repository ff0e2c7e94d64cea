"""Sliders of the live page: the hidden numbers of a task, where functions can be made of them, and noise on labels."""

from collections.abc import Mapping
from typing import NamedTuple

from dashboard.scenes.scales import Range, decimals_of_slider, words
from dashboard.scenes.stories import Story
from dashboard.widgets.state import PROPERTIES
from engine.tasks import Axis, Drawn, TaskDistribution, stream

NOISE = "noise"  # the axis that is called so is the standard deviation of noise on the support labels


class Slider(NamedTuple):
    """A slider: the name of what it moves, its title, and how far it goes."""

    name: str
    title: str
    ends: Range


def sliders_of(distribution: TaskDistribution, sample: Drawn | None, story: Story) -> tuple[Slider, ...]:
    """Those of the hidden numbers first; `sample` are many tasks, None where tasks are not drawn anew."""
    names = _movable(distribution, sample, story) if sample else ()
    found = [
        Slider(name, _title(distribution, story, sample, name), _ends(distribution, story, name)) for name in names
    ]
    if _axis(distribution, NOISE):
        met = distribution.trained(NOISE)[0]
        title = f"Noise on the labels (standard deviation; trained {f'with {met:g}' if met else 'without'})"
        found.append(Slider(NOISE, title, _ends(distribution, story, NOISE)))
    return tuple(found)


def drawn_at(distribution: TaskDistribution, sliders: tuple[Slider, ...], number: int) -> dict[str, float]:
    """Where the sliders stand for a task of the distribution, by its number."""
    found: dict[str, float] = {}
    if any(slider.name != NOISE for slider in sliders):
        hidden = distribution.draw(stream("page", number, 1), 1).hidden
        found = {s.name: round(float(hidden[s.name]), decimals_of_slider(s.ends)) for s in sliders if s.name != NOISE}
    noisy = any(slider.name == NOISE for slider in sliders)
    return found | ({NOISE: distribution.trained(NOISE)[0]} if noisy else {})


def moved(values: Mapping[str, float]) -> dict[str, float]:
    """The hidden numbers among the values of sliders."""
    return {name: value for name, value in values.items() if name != NOISE}


def _axis(distribution: TaskDistribution, name: str) -> Axis | None:
    return next((axis for axis in distribution.axes if axis.name == name), None)


def _movable(distribution: TaskDistribution, sample: Drawn, story: Story) -> tuple[str, ...]:
    """The hidden numbers of a task, if a function can be made of them and it is known how far each may go."""
    names = tuple(sample.hidden)
    bounded = all(story.ranges.get(name) or _axis(distribution, name) for name in names)
    if not names or not bounded or any(sample.hidden[name].ndim != 1 or name in PROPERTIES for name in names):
        return ()
    return names if distribution.function({name: sample.hidden[name][0] for name in names}) else ()


def _ends(distribution: TaskDistribution, story: Story, name: str) -> Range:
    """How far a slider goes: as far as training did at least."""
    axis = _axis(distribution, name)
    if axis is None:
        return story.ranges[name]
    low, high = story.ranges.get(name) or (min(axis.stops), max(axis.stops))
    least, most = distribution.trained(name)
    return (min(low, least), max(high, most))


def _title(distribution: TaskDistribution, story: Story, sample: Drawn | None, name: str) -> str:
    """What it is, and what was met of it in training."""
    axis = _axis(distribution, name)
    if axis is not None:
        title, (low, high) = story.titles.get(name, axis.title.split(" (")[0]), distribution.trained(name)
    else:  # nobody says between which values it was drawn; but where all are equal, they are
        assert sample is not None
        title, values = story.titles.get(name, name), sample.hidden[name]
        low, high = float(values.min()), float(values.max())
        if low != high:
            return title
    met = f"{words(low)} only" if low == high else f"{words(low)} to {words(high)}"
    return f"{title[:1].upper()}{title[1:]} (trained on {met})"
