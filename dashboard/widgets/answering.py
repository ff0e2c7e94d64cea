"""Answers to all visitors of the live page: learners adapt to the points of everybody who waits at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.widgets.crew import CREW
from dashboard.widgets.together import Together
from engine.jobs.helper import Errand
from engine.runs.ensembles import Ensemble
from probes.tools.adaptation import Adaptation, Drawing, adaptations

MOST_AT_ONCE = 16  # drawings, so that memory stays bounded


@dataclass(frozen=True, eq=False)
class Question:
    """What several learners make of one drawing.

    Attributes:
        drawing: the points, and the true function if there is one.
        ensembles: the learners.
        steps: inner steps to score.
        drawn: those to draw; None: all of them.
        grid, query_x: where to draw, and where to score if there is a target.
    """

    drawing: Drawing
    ensembles: Sequence[Ensemble]
    steps: tuple[int, ...]
    drawn: tuple[int, ...] | None
    grid: np.ndarray
    query_x: np.ndarray


def answer_all(questions: Sequence[Question]) -> list[list[Adaptation]]:
    """One answer per learner for each question; questions alike are asked of a learner at once."""
    alike: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    for number, question in enumerate(questions):
        drawing = question.drawing
        where = (question.grid.tobytes(), question.query_x.tobytes())
        shape = (len(drawing.points), drawing.target is None, question.steps, question.drawn, *where)
        for place, ensemble in enumerate(question.ensembles):
            alike.setdefault((id(ensemble), *shape), []).append((number, place))
    parts = [some[at : at + MOST_AT_ONCE] for some in alike.values() for at in range(0, len(some), MOST_AT_ONCE)]
    errands = []
    for some in parts:
        one, drawings = questions[some[0][0]], [questions[number].drawing for number, _ in some]
        asked = (drawings, one.grid, one.steps, one.query_x, one.drawn)
        errands.append(Errand(adaptations, one.ensembles[some[0][1]], asked))
    found: dict[tuple[int, int], Adaptation] = {}
    for some, said in zip(parts, CREW.each(errands), strict=True):
        found |= dict(zip(some, said, strict=True))
    return [[found[number, place] for place in range(len(q.ensembles))] for number, q in enumerate(questions)]


DESK: Together[Question, list[Adaptation]] = Together(answer_all)
