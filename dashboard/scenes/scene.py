"""What the live page asks of every scene, whatever its inputs are; how its tasks are drawn is the scene's own."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from dashboard.scenes.stories import Preset
from dashboard.widgets.state import Bounds, View
from engine.tasks import TaskDistribution


@runtime_checkable
class Scene(Protocol):
    """How the tasks of one distribution are shown, and what learners are scored on.

    Attributes:
        distribution: what the runs were trained on.
        bounds: what a view may hold.
        presets: views that show a phenomenon, by title.
        many: what a learner met many of in training, such as "sine waves".
        compared: what learners are compared with beside the support, such as "the true function".
        scoring: the same in more words, to go on with after "The error compares the line with".
    """

    distribution: TaskDistribution
    bounds: Bounds
    presets: Mapping[str, Preset]
    many: str
    compared: str
    scoring: str

    @classmethod
    def fits(cls, distribution: TaskDistribution) -> bool:
        """Whether it can show a task."""
        ...

    def draw(self, view: View) -> View:
        """The view with the support of its task."""
        ...

    def new_task(self, view: View, number: int) -> View:
        """The view with the task of another number, as the distribution draws them, and with its support."""
        ...

    def apply(self, view: View, title: str) -> View:
        """The view that shows a phenomenon."""
        ...

    def error(self, view: View) -> str:
        """What errors are of."""
        ...
