"""The figures of the page Attribution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.figures import attribution as figures
from dashboard.figures import attribution_inside as inside
from dashboard.figures.attribution_reach import reach
from dashboard.views.attribution import words
from dashboard.views.attribution.controls import pick, take_query
from dashboard.widgets import page
from dashboard.widgets.naming import titles
from engine.runs.ensembles import Ensemble
from probes.questions.attribution import Attributions, OfLearner

SHAPLEY, LEAVE, INTEGRATED, WALKED = "Shapley value", "leave one out", "integrated gradients", "walked labels"
METHODS = (SHAPLEY, LEAVE, INTEGRATED, WALKED)
EVERYWHERE = (SHAPLEY, LEAVE, WALKED)  # known at all queries at once
FAR = 1.5
MOST = 8  # learners in a figure
CHART = "attribution-influence"


def asked(ensembles: Sequence[Ensemble], values: dict[str, Any]) -> Attributions | None:
    """The answers about each learner alone, put together."""
    found = [one for one in page.answer_each("attribution", ensembles, **values) if one is not None]
    if not found:
        return None
    first = found[0]
    answers = [answer for one in found for answer in one.answers]
    return Attributions(first.points, first.grid, first.at, first.exact, first.truth, answers)


def at_query(one: OfLearner, at: int) -> dict[str, np.ndarray]:
    """By method, (seeds, K)."""
    return {
        SHAPLEY: one.shapley[..., at],
        LEAVE: one.leave_one_out[..., at],
        INTEGRATED: one.integrated,
        WALKED: one.walked[..., at],
    }


def show_influence(found: Attributions, ensembles: Sequence[Ensemble]) -> None:
    """The main figure: who moved the prediction, at the points themselves."""
    names = titles(ensembles)
    shown = pick("Lines and bars show", METHODS, "method", SHAPLEY)
    values = [at_query(one, found.at) for one in found.answers]
    panels = [
        figures.Influence(one.learner, names[one.learner], one.before, one.after, mine)
        for one, mine in zip(found.answers[:MOST], values, strict=False)
    ]
    by_method = {method: [mine[method] for mine in values] for method in METHODS}
    page.frame(
        "Which points made this prediction?",
        f"Above: y over x, every learner after adapting to {len(found.points)} points, and {shown} as lines to the "
        "query (click a curve to move it). Below: influence of each point, in units of y, over its x.",
        figures.influence(panels, shown, found.points, found.grid, found.truth, found.at, page.dark()),
        CHART,
        read=words.POINTS,
        data=influence_rows(found, names, values),
        says=f"{words.influence_sentence(found, names, by_method, shown)} {words.missing_sentence(found, names)}",
        on_select=lambda: take_query(CHART),
        selection_mode="points",
    )


def influence_rows(found: Attributions, names: dict[str, str], values: Sequence[dict[str, np.ndarray]]) -> pd.DataFrame:
    """One row for each learner, seed and point."""
    rows = []
    for one, mine in zip(found.answers, values, strict=True):
        for i, seed in enumerate(one.seeds):
            for j, (x, y) in enumerate(found.points):
                by_method = {method: float(v[i, j]) for method, v in mine.items()}
                rows.append({"learner": names[one.learner], "seed": seed, "x": x, "y": y, **by_method})
    return pd.DataFrame(rows)


def show_reach(found: Attributions, ensembles: Sequence[Ensemble]) -> None:
    """Influence at every query."""
    names = titles(ensembles)
    method = pick("Influence as", EVERYWHERE, "reach", SHAPLEY)
    fields = {SHAPLEY: "shapley", LEAVE: "leave_one_out", WALKED: "walked"}
    values = [getattr(one, fields[method]).mean(0) for one in found.answers]
    page.frame(
        "How far does each point reach?",
        f"{method[0].upper()}{method[1:]} of each support point (rows, its own place dotted) for the prediction at "
        "each x (columns), mean of seeds; one scale for all.",
        reach(
            [(names[one.learner], v) for one, v in zip(found.answers[:MOST], values, strict=False)],
            found.points,
            found.grid,
            found.at,
            page.dark(),
        ),
        "attribution-far",
        read=words.REACH,
        data=pd.concat(
            [
                pd.DataFrame(
                    {
                        "learner": names[one.learner],
                        "point x": np.repeat(found.points[:, 0], len(found.grid)),
                        "query x": np.tile(found.grid, len(found.points)),
                        "influence": v.ravel(),
                    }
                )
                for one, v in zip(found.answers, values, strict=True)
            ]
        ),
        says=words.reach_sentence(found, names, values, FAR),
    )


def show_inside(found: Attributions, ensembles: Sequence[Ensemble]) -> None:
    """Layers and units, for learners with a network that adapts."""
    names = titles(ensembles)
    kept = [one for one in found.answers if one.layers]
    if left := [names[one.learner] for one in found.answers if not one.layers]:
        st.caption(f"Not in what follows: {', '.join(left)}: no layers of theirs adapt.")
    if not kept:
        st.info("Choose a learner with a network that adapts, such as MAML.", icon=":material/info:")
        return
    x = f"x = {found.grid[found.at]:.1f}"
    page.frame(
        "Which layer's change moved the prediction?",
        f"Shapley value of each layer's change for the prediction at {x}, in units of y; dots: seeds.",
        inside.layers([(one.learner, names[one.learner], one.layers, one.by_layer) for one in kept], page.dark()),
        "attribution-layers",
        read=words.LAYERS,
        data=pd.DataFrame(
            [
                {"learner": names[one.learner], "seed": seed, "layer": layer, "share": float(one.by_layer[i, j])}
                for one in kept
                for i, seed in enumerate(one.seeds)
                for j, layer in enumerate(one.layers)
            ]
        ),
        says=words.layers_sentence(kept, names),
    )
    page.frame(
        "Which units carry it, before and after?",
        f"Conductance of every hidden unit for the prediction at {x}, after adapting over before; dots: units of all "
        "seeds.",
        inside.units(
            [(one.learner, names[one.learner], u.layer, u.before, u.after) for one in kept[:MOST] for u in one.units],
            page.dark(),
        ),
        "attribution-units",
        read=words.UNITS,
        data=unit_rows(kept, names),
        says=words.units_sentence(kept, names),
    )


def unit_rows(answers: Sequence[OfLearner], names: dict[str, str]) -> pd.DataFrame:
    """One row for each learner, layer, seed and unit."""
    frames = []
    for one in answers:
        for layer in one.units:
            seeds, units = layer.before.shape
            frames.append(
                pd.DataFrame(
                    {
                        "learner": names[one.learner],
                        "layer": layer.layer,
                        "seed": np.repeat(one.seeds, units),
                        "unit": np.tile(np.arange(units), seeds),
                        "before": layer.before.ravel(),
                        "after": layer.after.ravel(),
                    }
                )
            )
    return pd.concat(frames)
