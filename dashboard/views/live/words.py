"""What the live page says: the headline, what the picture shows in numbers, what learners met before, their rules."""

import re
from collections.abc import Sequence

import numpy as np

from dashboard.scenes import LineScene
from dashboard.widgets.numbers import number
from dashboard.widgets.state import View
from engine.runs.ensembles import Ensemble
from probes.tools.adaptation import Adaptation

LONG_EQUATION = 50  # letters; a longer one may be broken within


def headline(points: int, ideas: int) -> str:
    """How many points, how many learners are on."""
    words = (
        "No One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen Fifteen Sixteen "
        "Seventeen Eighteen Nineteen Twenty"
    ).split()
    said = [words[n] if n < len(words) else str(n) for n in (points, ideas)]
    plural = "" if ideas < 2 else "s"  # no idea, one idea, two ideas
    return f"{said[0]} point{'s' * (points != 1)}. {said[1]} idea{plural} of what comes next."


def experience(many: str, ensembles: Sequence[Ensemble]) -> str:
    """How many of what the learners met before, from the records of their runs."""
    taught = [e for e in ensembles if e.learner.meta_trained]
    untaught = [e.learner.title for e in ensembles if not e.learner.meta_trained]
    settings = [run.record.get("training", {}) for e in taught for run in e.runs]
    tasks = [s["iterations"] * s["meta_batch"] for s in settings if "iterations" in s and "meta_batch" in s]
    fewest, most = min(tasks, default=0), max(tasks, default=0)
    count = "many" if not most else f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    met = f"{'The others' if untaught else 'Each learner'} met {count} {many} in training. " if taught else ""
    return f"{_listing(untaught)} learned nothing before. {met}" if untaught else met


def inline(formula: str) -> str:
    """A LaTeX formula as Markdown that breaks between its equations, at `\\quad`, unless one of them is very long."""
    parts = [part.strip() for part in formula.split(r"\quad")]
    if any(part.count("{") != part.count("}") for part in parts):
        return f"${formula}$"
    return " &ensp;".join(f"${part}$" if _letters(part) > LONG_EQUATION else f"${{{part}}}$" for part in parts)


def _letters(equation: str) -> int:
    """About how many letters an equation takes on the page."""
    return len(re.sub(r"[{}^_\\!\s]", "", re.sub(r"\\[A-Za-z]+", "x", equation)))


def _listing(names: Sequence[str]) -> str:
    """A, B and C."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _trained_with(points: int, view: View, ensembles: Sequence[Ensemble]) -> str:
    """With how many points the learners were trained, where that is not the number on the pad."""
    taught = [e.learner.meta_trained for e in ensembles]
    if points == view.shots or not any(taught):
        return ""
    who = "These learners" if all(taught) else "Those that were meta-trained"
    return f" {who} were trained with {view.shots}." if all(taught) else f" {who} had {view.shots}."


def sentence(scene: LineScene, view: View, ensembles: Sequence[Ensemble], found: Sequence[Adaptation]) -> str:
    """What the picture says in numbers."""
    if not found:
        return "Every learner is switched off: click one in the list to see its curve."
    by_name = {ensemble.learner.name: ensemble for ensemble in ensembles}
    pairs = [(by_name[a.learner], a) for a in found]
    lost = [e.learner.title for e, a in pairs if not np.isfinite(a.errors[-1]).all()]
    diverged = f" {_listing(lost)} diverged: the inner steps overshoot on these points." if lost else ""
    ends = sorted((float(a.errors[-1].mean()), e.learner.title) for e, a in pairs if e.learner.title not in lost)
    count, what = len(scene.points(view)), scene.error(view)
    trained = _trained_with(count, view, [ensemble for ensemble, _ in pairs])
    counted = f"{count} point{'s' if count != 1 else ''}."
    if not ends:
        return f"{counted}{trained}{diverged}"
    if len(ends) == 1:
        return f"{counted}{trained} {ends[0][1]} ends at a {what} of {number(ends[0][0])}.{diverged}"
    return (
        f"{counted}{trained} {ends[0][1]} ends nearest ({what} {number(ends[0][0])}), "
        f"{ends[-1][1]} farthest ({number(ends[-1][0])}), mean of the seeds.{diverged}"
    )
