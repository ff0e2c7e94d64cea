"""The shipped runs that *What holds here* is judged on, and the answers that ship with them."""

from collections.abc import Sequence
from typing import Any

from dashboard.widgets import library, page
from dashboard.widgets.holds import Reading, of
from engine.runs.ensembles import Ensemble
from probes.claims import op_lstm
from probes.questions.updates import ByLearner

SETS = (10, 5)  # numbers of points in training, of the default collection
UPDATES = {"tasks": 50, "tasks_along": 20}  # of the shipped answers about what learners write
IN_DIRECTIONS = "Directions"  # the part of *Update rules* that shows them


def task() -> str:
    """The name of the task that the shipped runs were trained on, from their records."""
    return library.tasks(library.DEFAULT)[0]


def ensembles(shots: int) -> list[Ensemble]:
    """The shipped learners of the default collection, trained with a number of points."""
    return library.ensembles(library.DEFAULT, task(), shots)[0]


def where(shots: int) -> str:
    """A set of the default runs, for people."""
    return f"{library.title(library.DEFAULT)}, {shots} points"


def answers(probe: str, points: int, names: Sequence[str], **config: Any) -> dict[str, tuple[Ensemble, Any]]:
    """The answers about some of the default runs that are shipped or known, by the learner's name."""
    asked = {e.learner.name: e for e in ensembles(points) if e.learner.name in names}
    return {name: (e, said) for name, e in asked.items() if (said := page.known(probe, [e], **config)) is not None}


def op_lstm_updates() -> ByLearner | None:
    """What OP-LSTM writes, beside gradient descent."""
    found = answers("updates", SETS[0], ("op-lstm",), **UPDATES)
    return found["op-lstm"][1].answers[0] if found else None


def descent() -> Reading:
    """Claim 10, on every page that speaks of it: whether OP-LSTM's steps follow the gradient."""
    return of(op_lstm.like_descent(op_lstm_updates()), IN_DIRECTIONS)
