"""What the live page shows, computed: a view in, everything for the pad, the table and the exports out."""

import math
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from dashboard.components.pad import PadLearner, encode_curves
from dashboard.figures import palette
from dashboard.scenes import LineScene
from dashboard.widgets import families
from dashboard.widgets.answering import DESK, Question
from dashboard.widgets.state import MAX_POINTS, View, decimals
from engine.runs.ensembles import Ensemble
from probes.tools.adaptation import Adaptation, Drawing, stops

FINE = 12_000  # steps of a curve between the middle of the heights that points may have and their end
FAR = 2.5  # as far as that end curves are drawn at most


def families_of(ensembles: Sequence[Ensemble]) -> dict[str, str]:
    """The family of every learner by its name."""
    return {ensemble.learner.name: ensemble.learner.family for ensemble in ensembles}


def shown(view: View, ensembles: Sequence[Ensemble]) -> list[Ensemble]:
    """The learners that are switched on."""
    on = families.switched_on(view.on, families_of(ensembles))
    return [ensemble for ensemble in ensembles if ensemble.learner.name in on]


def answers(scene: LineScene, view: View, ensembles: Sequence[Ensemble], drawn: int | None = None) -> list[Adaptation]:
    """What every learner that is switched on makes of the points of the view; nothing is computed for the others.

    Args:
        scene: what the learners were trained on.
        view: the points, and what is compared with.
        ensembles: all learners of the collection.
        drawn: the place of the only stop that is looked at just now; None: curves at all of them.
    """
    with answered(scene, view, ensembles, drawn) as found:
        return found


def answered(
    scene: LineScene, view: View, ensembles: Sequence[Ensemble], drawn: int | None = None
) -> AbstractContextManager[list[Adaptation]]:
    """The same, for a block in which other visitors' answers wait for what is made of these."""
    steps = tuple(stops(ensembles))
    query_x, target = scene.scored(view) or (scene.even, None)
    only = None if drawn is None else steps[drawn : drawn + 1] or None
    return DESK.at_desk(
        Question(Drawing(scene.points(view), target), shown(view, ensembles), steps, only, scene.grid, query_x)
    )


def pad_data(
    scene: LineScene,
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
        scene: what the learners were trained on.
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
    points, curve, (low, high) = scene.points(view), scene.curve(view), scene.bounds.y
    middle, reach = (low + high) / 2, (high - low) / 2
    seeds = max((len(ensemble.runs) for ensemble in ensembles), default=1)
    first = families.shown_first(families_of(ensembles))
    scale = (middle, reach)
    rows = [_pad_learner(e, by_name.get(e.learner.name), len(steps), first, scale) for e in ensembles]
    for row in rows:
        row["label"] += " (yours)" if row["name"] in yours else ""
    return {
        "answer": answer,
        "turn": turn,
        "revision": revision,
        "points": points.tolist(),
        "rows": scene.rows(view).tolist(),
        "x_domain": list(scene.bounds.x),
        "y_domain": list(scene.window(view, points)),
        "grid": scene.grid.round(decimals(scene.bounds.x) + 1).tolist(),
        "truth": None if curve is None else curve.round(decimals(scene.bounds.y)).tolist(),
        "stops": steps,
        "drawn": _places(found, steps),
        "step_index": int(np.argmin([abs(s - step) for s in steps])),
        "learners": rows,
        "zero": middle,
        "unit": reach / FINE,
        "error_label": scene.error(view),
        "max_points": MAX_POINTS,
        "message": message,
        "band_label": f"bands: range of {seeds} seeds",
    }


def _places(found: Sequence[Adaptation], steps: list[int]) -> list[int]:
    """The stops that the answers have a curve for, by their place among all of them."""
    return [steps.index(int(step)) for step in found[0].drawn] if found else list(range(len(steps)))


def _pad_learner(
    ensemble: Ensemble, found: Adaptation | None, count: int, first: Sequence[str], scale: tuple[float, float]
) -> PadLearner:
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
        "curves": encode_curves(_drawable(found.band(), *scale), scale[1] / FINE) if found else "",
        "errors": _rounded(found.errors.mean(1)) if found else unknown,
        "errors_lo": _rounded(found.errors.min(1)) if found else unknown,
        "errors_hi": _rounded(found.errors.max(1)) if found else unknown,
        "note": learner.summary,
        "formula": learner.rule,
    }


def _listed(values: np.ndarray) -> list[Any]:
    """Nested lists for JSON, None where a value is not finite."""
    return np.where(np.isfinite(values), values, None).tolist()


def _drawable(band: np.ndarray, middle: float, reach: float) -> np.ndarray:
    """From the middle, within what the pad can encode; where a learner diverged, far outside the picture."""
    outside = FAR * reach
    return np.clip(np.nan_to_num(band, nan=np.inf) - middle, -outside, outside)


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


def export(scene: LineScene, view: View, ensembles: Sequence[Ensemble], found: Sequence[Adaptation]) -> dict[str, Any]:
    """The whole view as one JSON object: the task, the points, every curve and error of every seed and step."""
    on = [a.learner for a in found]
    return {
        "view": {key: value for key, value in vars(view).items() if key != "points"} | {"on": on},
        "points": scene.points(view).tolist(),
        "query": scene.rows(view).tolist(),
        "grid": scene.grid.tolist(),
        "truth": None if (curve := scene.curve(view)) is None else curve.tolist(),
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
