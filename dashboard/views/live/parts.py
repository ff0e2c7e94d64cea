"""What the live page shows, computed: a view in, everything for the pad, the table and the exports out."""

import math
import re
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from dashboard.components.pad import PadLearner, encode_curves
from dashboard.figures import palette
from dashboard.widgets import families
from dashboard.widgets.answering import DESK, Question
from dashboard.widgets.numbers import number
from dashboard.widgets.presets import PRESETS
from dashboard.widgets.state import DECIMALS, MAX_POINTS, X_DOMAIN, View, place
from engine.runs.ensembles import Ensemble
from engine.tasks import Sine, stream
from probes.tools.adaptation import Adaptation, Drawing, stops

GRID = np.linspace(*X_DOMAIN, 121)
QUERY = np.linspace(*X_DOMAIN, 50)  # a fixed, even set: the score of a curve does not depend on luck
UNIT = 0.001
OUTSIDE = 30.0
LONG_EQUATION = 50  # letters; a longer one may be broken within


def draw_points(view: View, side: tuple[float, float] = X_DOMAIN, outlier: float = 0.0) -> View:
    """The view with support points drawn from its task: inputs and noise follow from the task's number alone."""
    generator = stream("page", view.task)
    x = side[0] + (side[1] - side[0]) * torch.rand(view.shots, generator=generator).double().numpy()
    y = true_function(view, x) + view.noise * torch.randn(view.shots, generator=generator).double().numpy()
    if outlier:
        middle = int(np.argmin(np.abs(x)))
        y[middle] += -outlier if y[middle] > 0 else outlier
    return view.changed(points=tuple(place(float(a), float(b)) for a, b in zip(x, y, strict=True)), truth=True)


def new_task(view: View, number: int) -> View:
    """A task from the training distribution."""
    wave = Sine().waves(stream("page", number, 1), 1)
    amplitude, phase = (round(float(v), 2) for v in (wave.amplitude, wave.phase))
    return draw_points(view.changed(task=number, amplitude=amplitude, phase=phase, frequency=1.0, noise=0.0))


def apply_preset(view: View, title: str) -> View:
    """The view of a preset, with the learners and shots of this one."""
    preset = PRESETS[title]
    return draw_points(view.changed(task=2, **preset.changes), preset.side, preset.outlier)


def true_function(view: View, x: np.ndarray) -> np.ndarray:
    """a sin(f x + phi)."""
    return view.amplitude * np.sin(view.frequency * x + view.phase)


def points_of(view: View) -> np.ndarray:
    """The support points, (K, 2)."""
    drawn = view if view.points else draw_points(view)
    return np.asarray(drawn.points, dtype=np.float64)


def families_of(ensembles: Sequence[Ensemble]) -> dict[str, str]:
    """The family of every learner by its name."""
    return {ensemble.learner.name: ensemble.learner.family for ensemble in ensembles}


def shown(view: View, ensembles: Sequence[Ensemble]) -> list[Ensemble]:
    """The learners that are switched on."""
    on = families.switched_on(view.on, families_of(ensembles))
    return [ensemble for ensemble in ensembles if ensemble.learner.name in on]


def answers(view: View, ensembles: Sequence[Ensemble], drawn: int | None = None) -> list[Adaptation]:
    """What every learner that is switched on makes of the points of the view; nothing is computed for the others.

    Args:
        view: the points, and what is compared with.
        ensembles: all learners of the collection.
        drawn: the place of the only stop that is looked at just now; None: curves at all of them.
    """
    with answered(view, ensembles, drawn) as found:
        return found


def answered(
    view: View, ensembles: Sequence[Ensemble], drawn: int | None = None
) -> AbstractContextManager[list[Adaptation]]:
    """The same, for a block in which other visitors' answers wait for what is made of these."""
    steps = tuple(stops(ensembles))
    drawing = Drawing(points_of(view), true_function(view, QUERY) if view.truth else None)
    only = None if drawn is None else steps[drawn : drawn + 1] or None
    return DESK.at_desk(Question(drawing, shown(view, ensembles), steps, only, GRID, QUERY))


def pad_data(
    view: View,
    ensembles: Sequence[Ensemble],
    found: Sequence[Adaptation],
    *,
    answer: int,
    revision: str,
    message: str,
    turn: int = 0,
    yours: Collection[str] = (),
) -> dict[str, Any]:
    """The pad's data for a view and the learners' answers to it.

    Args:
        view: what is shown.
        ensembles: all learners of the collection.
        found: the answers of those that are on.
        answer: number of the edit that these are the answers to.
        revision: a new value makes the pad adopt the points; it drops what was done to those before.
        message: one sentence for the status line, or "".
        turn: number of the last change of the switches that was heard.
        yours: names of the learners that the user trained.
    """
    steps, by_name = stops(ensembles), {a.learner: a for a in found}
    step = steps[-1] if view.step is None else view.step
    points = points_of(view)
    highest = max(6.0, view.amplitude * 1.2 if view.truth else 0.0, float(np.abs(points[:, 1]).max()) * 1.1)
    limit = 6.0 if highest <= 6.0 else 12.0
    seeds = max((len(ensemble.runs) for ensemble in ensembles), default=1)
    first = families.shown_first(families_of(ensembles))
    rows = [_pad_learner(e, by_name.get(e.learner.name), len(steps), first) for e in ensembles]
    for row in rows:
        row["label"] += " (yours)" if row["name"] in yours else ""
    return {
        "answer": answer,
        "turn": turn,
        "revision": revision,
        "points": points.tolist(),
        "x_domain": list(X_DOMAIN),
        "y_domain": [-limit, limit],
        "grid": GRID.round(4).tolist(),
        "truth": true_function(view, GRID).round(DECIMALS).tolist() if view.truth else None,
        "stops": steps,
        "drawn": _places(found, steps),
        "step_index": int(np.argmin([abs(s - step) for s in steps])),
        "learners": rows,
        "unit": UNIT,
        "error_label": "query MSE" if view.truth else "support MSE",
        "max_points": MAX_POINTS,
        "message": message,
        "band_label": f"bands: range of {seeds} seeds",
    }


def _places(found: Sequence[Adaptation], steps: list[int]) -> list[int]:
    """The stops that the answers have a curve for, by their place among all of them."""
    return [steps.index(int(step)) for step in found[0].drawn] if found else list(range(len(steps)))


def _pad_learner(ensemble: Ensemble, found: Adaptation | None, count: int, first: Sequence[str]) -> PadLearner:
    """One row of the pad; a learner that is switched off has no numbers (and costs none)."""
    unknown: list[float | None] = [None] * count
    learner, style = ensemble.learner, palette.style(ensemble.learner.name)
    return {
        "name": learner.name,
        "label": learner.title,
        "family": learner.family,
        "family_label": palette.FAMILY_LABELS.get(learner.family, learner.family),
        "light": style.light,
        "dark": style.dark,
        "dash": style.dash,
        "on": found is not None,
        "first": learner.name in first,
        "meta_trained": learner.meta_trained,
        "seeds": len(ensemble.runs),
        "steps": learner.evaluation_steps,
        "trained_steps": learner.train_steps or learner.evaluation_steps,
        "curves": encode_curves(_drawable(found.band()), UNIT) if found else "",
        "errors": _rounded(found.errors.mean(1)) if found else unknown,
        "errors_lo": _rounded(found.errors.min(1)) if found else unknown,
        "errors_hi": _rounded(found.errors.max(1)) if found else unknown,
        "note": learner.summary,
        "formula": learner.rule,
    }


def _listed(values: np.ndarray) -> list[Any]:
    """Nested lists for JSON, None where a value is not finite."""
    return np.where(np.isfinite(values), values, None).tolist()


def _drawable(band: np.ndarray) -> np.ndarray:
    """Within what the pad can encode; where a learner diverged, far outside the picture."""
    return np.clip(np.nan_to_num(band, nan=OUTSIDE), -OUTSIDE, OUTSIDE)


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(f"{v:.4g}") if math.isfinite(v) else None for v in values]


def table(ensembles: Sequence[Ensemble], found: Sequence[Adaptation]) -> list[dict[str, Any]]:
    """Every number behind the picture: one row per learner, seed and step with its error."""
    return [
        {"learner": a.learner, "seed": run.seed, "step": int(step), "mse": float(a.errors[i, j])}
        for ensemble, a in _pairs(ensembles, found)
        for i, step in enumerate(a.steps)
        if step <= ensemble.learner.evaluation_steps
        for j, run in enumerate(ensemble.runs)
    ]


def _pairs(ensembles: Sequence[Ensemble], found: Sequence[Adaptation]) -> list[tuple[Ensemble, Adaptation]]:
    by_name = {ensemble.learner.name: ensemble for ensemble in ensembles}
    return [(by_name[a.learner], a) for a in found]


def headline(view: View, ideas: int) -> str:
    """How many points, how many learners are on."""
    words = (
        "No One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen Fifteen Sixteen "
        "Seventeen Eighteen Nineteen Twenty"
    ).split()
    points = len(points_of(view))
    said = [words[n] if n < len(words) else str(n) for n in (points, ideas)]
    plural = "" if ideas < 2 else "s"  # no idea, one idea, two ideas
    return f"{said[0]} point{'s' * (points != 1)}. {said[1]} idea{plural} of what comes next."


def experience(ensembles: Sequence[Ensemble]) -> str:
    """What the learners met before, from the records of their runs."""
    taught = [e for e in ensembles if e.learner.meta_trained]
    untaught = [e.learner.title for e in ensembles if not e.learner.meta_trained]
    settings = [run.record.get("training", {}) for e in taught for run in e.runs]
    tasks = [s["iterations"] * s["meta_batch"] for s in settings if "iterations" in s and "meta_batch" in s]
    fewest, most = min(tasks, default=0), max(tasks, default=0)
    count = "many" if not most else f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    met = f"{'The others' if untaught else 'Each learner'} met {count} sine waves in training. " if taught else ""
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


def _trained_with(view: View, ensembles: Sequence[Ensemble]) -> str:
    """With how many points the learners were trained, where that is not the number on the pad."""
    taught = [e.learner.meta_trained for e in ensembles]
    if len(points_of(view)) == view.shots or not any(taught):
        return ""
    who = "These learners" if all(taught) else "Those that were meta-trained"
    return f" {who} were trained with {view.shots}." if all(taught) else f" {who} had {view.shots}."


def sentence(view: View, ensembles: Sequence[Ensemble], found: Sequence[Adaptation]) -> str:
    """What the picture says in numbers."""
    if not found:
        return "Every learner is switched off: click one in the list to see its curve."
    pairs = _pairs(ensembles, found)
    lost = [e.learner.title for e, a in pairs if not np.isfinite(a.errors[-1]).all()]
    diverged = f" {_listing(lost)} diverged: the inner steps overshoot on these points." if lost else ""
    ends = sorted((float(a.errors[-1].mean()), e.learner.title) for e, a in pairs if e.learner.title not in lost)
    count, what = len(points_of(view)), "query MSE" if view.truth else "support MSE"
    trained = _trained_with(view, [ensemble for ensemble, _ in pairs])
    counted = f"{count} point{'s' if count != 1 else ''}."
    if not ends:
        return f"{counted}{trained}{diverged}"
    if len(ends) == 1:
        return f"{counted}{trained} {ends[0][1]} ends at a {what} of {number(ends[0][0])}.{diverged}"
    return (
        f"{counted}{trained} {ends[0][1]} ends nearest ({what} {number(ends[0][0])}), "
        f"{ends[-1][1]} farthest ({number(ends[-1][0])}), mean of the seeds.{diverged}"
    )


def export(view: View, ensembles: Sequence[Ensemble], found: Sequence[Adaptation]) -> dict[str, Any]:
    """The whole view as one JSON object: the task, the points, every curve and error of every seed and step."""
    on = [a.learner for a in found]
    return {
        "view": {key: value for key, value in vars(view).items() if key != "points"} | {"on": on},
        "points": points_of(view).tolist(),
        "grid": GRID.tolist(),
        "truth": true_function(view, GRID).tolist() if view.truth else None,
        "learners": [
            {
                "learner": a.learner,
                "runs": [{"seed": run.seed, "weights_sha256": run.sha256} for run in ensemble.runs],
                "steps": a.steps.tolist(),
                "curves": _listed(a.curves.round(5)),
                "mse": _listed(a.errors),
            }
            for ensemble, a in _pairs(ensembles, found)
        ],
    }
