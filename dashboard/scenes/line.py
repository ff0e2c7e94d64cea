"""The scene of tasks with one number as input and one as value: curves over x, and points that a hand moves.

A task is known by its true function, whose hidden numbers are sliders where the distribution can make a function of
them; or by its rows, where tasks are a fixed set; or by the query points that are drawn with it.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch

from dashboard.scenes import known
from dashboard.scenes.known import Known
from dashboard.scenes.scales import Range, heights, outer, refuse_beyond, wide
from dashboard.scenes.sliders import NOISE, drawn_at, moved, sliders_of
from dashboard.scenes.stories import story_of
from dashboard.widgets.state import MAX_POINTS, Bounds, View
from engine.errors import EngineError
from engine.tasks import LINE, TaskDistribution, stream

GRID, EVEN = 121, 50  # inputs at which curves are drawn, and at which they are scored
SAMPLE = 200  # tasks from which the scale of y follows


class LineScene:
    """How one distribution is drawn; see `Scene`.

    Attributes:
        distribution: what the runs were trained on.
        bounds: what a view may hold: points as far as twice the usual heights.
        near: the heights that are shown unless something lies beyond.
        grid: inputs at which curves are drawn, (121,).
        even: inputs at which they are scored where there is a true function: a fixed set, so that no luck is in it.
        sliders: of the hidden numbers, and of noise on the labels.
        presets: views that show a phenomenon, by title.
        many: what a learner met many of in training.
        formula: the true function, LaTeX, or "".
        compared: what learners are compared with beside the points.
        scoring: the same in more words, to go on with after "The error compares the line with".
    """

    @classmethod
    def fits(cls, distribution: TaskDistribution) -> bool:
        """Whether it is a function of one number between known bounds."""
        return distribution.spec == LINE and distribution.span is not None

    def __init__(self, distribution: TaskDistribution):
        assert distribution.span is not None
        story, self._fixed = story_of(distribution.name), known.fixed(distribution)
        self.distribution, self.many, self.formula = distribution, story.many, story.formula
        self.presets = {preset.title: preset for preset in story.presets} if _usual(distribution) else {}
        self._uniform = any(axis.moves == "inputs" for axis in distribution.axes)
        x = wide(distribution.span)
        self.grid, self.even = np.linspace(*x, GRID), np.linspace(*x, EVEN)

        sample = None if self._fixed else distribution.draw(stream("page", 0, 2), SAMPLE)
        self._true = bool(sample and sample.truth)
        values = known.values_of(distribution, sample, self.grid)
        refuse_beyond([*distribution.span, *values, *known.trained_numbers(distribution, sample)])
        self.sliders = sliders_of(distribution, sample, story)
        self.near = heights(*values)
        first = next(iter(self.presets.values()), None)
        opening = first.values if first else drawn_at(distribution, self.sliders, 1)
        self.bounds = Bounds(x, outer(self.near), {one.name: one.ends for one in self.sliders}, opening)

        rest = "the other rows of the task" if self._fixed else "the query points of the task"
        self.compared = "the true function" if self._true else rest
        where, none = (f" at {EVEN} even places", "a true function") if self._true else ("", "them")
        self.scoring = f"{self.compared}{where} (query MSE), or, without {none}, with your points"

    # ---- views -------------------------------------------------------------------------------------------

    def values(self, view: View) -> dict[str, float]:
        """Where all sliders stand."""
        return {name: view.values.get(name, self.bounds.opening[name]) for name in self.bounds.values}

    def at(self, view: View, values: Mapping[str, float]) -> View:
        """The view with sliders at some values; what stands as at first needs no word."""
        whole = {**view.values, **values}
        return view.changed(values={k: v for k, v in whole.items() if v != self.bounds.opening.get(k)})

    def draw(self, view: View, side: Range | None = None, outlier: float = 0.0) -> View:
        """The view with the support of its task: inputs and noise follow from its number alone."""
        points = self.known(view).support
        if self._true:
            generator, (x, y) = stream("page", view.task), points.T
            if self._uniform:
                low, high = side or self.bounds.x
                x = low + (high - low) * torch.rand(len(points), generator=generator).double().numpy()
            y = self.true_function(view, x)
            if noise := self.values(view).get(NOISE, 0.0):
                y = y + noise * torch.randn(len(points), generator=generator).double().numpy()
            if outlier:
                middle = int(np.argmin(np.abs(x)))
                y[middle] += -outlier if y[middle] > 0 else outlier
            points = np.stack([x, y], axis=1)
        return view.changed(points=tuple(self.bounds.place(float(x), float(y)) for x, y in points), truth=True)

    def new_task(self, view: View, number: int) -> View:
        """A task of the distribution, by its number."""
        return self.draw(self.at(view.changed(task=number), drawn_at(self.distribution, self.sliders, number)))

    def apply(self, view: View, title: str) -> View:
        """The view of a preset, with the learners and shots of this one."""
        preset = self.presets[title]
        return self.draw(self.at(view.changed(task=2), preset.values), preset.side, preset.outlier)

    # ---- what is known of a task -------------------------------------------------------------------------

    def known(self, view: View) -> Known:
        """The task of a view; while a hand moves its points, nothing of it is computed or read again."""
        return _known(self, view.task, min(view.shots, MAX_POINTS), tuple(self.values(view).items()))

    def again(self, view: View) -> Known:
        """The same; what could not be read before is tried again."""
        if self.known(view).trouble:
            _known.cache_clear()
        return self.known(view)

    def true_function(self, view: View, x: np.ndarray) -> np.ndarray:
        """The true function at inputs of any shape."""
        function = self.known(view).function
        assert function is not None
        return function(x)

    def points(self, view: View) -> np.ndarray:
        """The support points, (K, 2)."""
        drawn = view if view.points else self.draw(view)
        return np.asarray(drawn.points, dtype=np.float64)

    def scored(self, view: View) -> tuple[np.ndarray, np.ndarray] | None:
        """Inputs on which learners are scored, and the values there; None: they are scored on the support."""
        return self.known(view).scored if view.truth else None

    def curve(self, view: View) -> np.ndarray | None:
        """The true function on the grid, where learners are compared with it."""
        return self.known(view).curve if view.truth else None

    def rows(self, view: View) -> np.ndarray:
        """Other points of the task, (R, 2), where learners are compared with them."""
        return self.known(view).rows if view.truth else known.NOBODY

    def error(self, view: View) -> str:
        """What errors are of."""
        return "query MSE" if self.scored(view) else "support MSE"

    def window(self, view: View, points: np.ndarray) -> Range:
        """Lowest and highest y of the picture."""
        middle, half = (self.near[0] + self.near[1]) / 2, (self.near[1] - self.near[0]) / 2
        curve = self.curve(view)
        farthest = 0.0 if curve is None else 1.2 * float(np.abs(curve - middle).max())
        farthest = max(farthest, 1.1 * float(np.abs(points[:, 1] - middle).max()))
        return self.near if farthest <= half else self.bounds.y

    def work_out(self, number: int, shots: int, values: Mapping[str, float]) -> Known:
        """One task by its number."""
        if self._fixed:
            try:
                return known.by_list(self.distribution, number, shots)
            except EngineError as error:
                return known.unknown(self.bounds.x, sum(self.near) / 2, shots, str(error))
        task = known.drawn(self.distribution, number, shots)
        if not self._true:
            return known.by_points(task)
        hidden = moved(values)
        function = known.made_of(self.distribution, hidden) if hidden else known.truth_of(task)
        return known.by_function(task, function, self.grid, self.even)


@lru_cache(maxsize=256)
def _known(scene: LineScene, number: int, shots: int, values: tuple[tuple[str, float], ...]) -> Known:
    return scene.work_out(number, shots, dict(values))


def _usual(distribution: TaskDistribution) -> bool:
    """Whether it is the task as it is by default, but for how many points it has."""
    try:
        default = type(distribution)(shots=distribution.shots, queries=distribution.queries)
    except (TypeError, ValueError, EngineError):
        return False
    return default == distribution
