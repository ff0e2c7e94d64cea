"""What each operation is worth, and what it answers to."""

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.figures import operations_worth as worth_figures
from dashboard.figures.operations import spoken
from dashboard.figures.operations_worth import Dot
from dashboard.views.operations import few, words
from dashboard.views.operations.anatomy import TASKS, anatomy, answers_sentence, worth_rows, worth_sentence
from dashboard.widgets import page
from dashboard.widgets.escape import plain
from engine.runs.ensembles import Ensemble
from probes.tools import scoring
from probes.tools.intervals import over_tasks_and_seeds

INFO = ":material/info:"


def show_worth(ensemble: Ensemble) -> None:
    """What each operation is worth, and how few would do."""
    found = anatomy(ensemble, importance=True)
    if found is None or not len(found.still):
        return
    moving = [name for name, adapts in zip(found.operations, found.adapting, strict=True) if adapts]
    baseline = over_tasks_and_seeds(found.losses)
    order = sorted(range(len(moving)), key=lambda j: -np.nanmean(found.still[j]))
    rows = [
        (
            spoken(moving[j]),
            _dot(spoken(moving[j]), found.still[j], "not adapted"),
            _removed(moving[j], found.removed[j]),
        )
        for j in order
    ]
    error = f"query {scoring.measure(ensemble.distribution)}"
    gone = [moving[j] for j in order if _removed(moving[j], found.removed[j]) is None]
    page.frame(
        "What is each operation worth?",
        f"{error.capitalize()} if it does not adapt (filled) or is removed (open): mean with 95 % interval, "
        f"{TASKS} held-out tasks, {len(found.seeds)} seeds.",
        worth_figures.dots(rows, baseline.mean, ("not adapted", "removed", error), found.learner, dark=page.dark()),
        "sap-worth",
        read=words.WORTH + (f"\nWithout these it runs away: {', '.join(map(spoken, gone))}." if gone else ""),
        data=worth_rows(found, moving),
        says=worth_sentence(found, moving, baseline.mean),
    )
    few.show_few(ensemble, found, baseline.mean)


def show_answers(ensemble: Ensemble) -> None:
    """What the movements of the operations answer to."""
    found = anatomy(ensemble, importance=False)
    if found is None:
        return
    if not found.parameters:
        st.info(f"Tasks of {plain(ensemble.distribution.name)} have no hidden numbers to answer to.", icon=INFO)
        return
    moving = [name for name, adapts in zip(found.operations, found.adapting, strict=True) if adapts]
    values = found.correlations.mean(0)
    page.frame(
        "Which operation answers to what in the task?",
        f"Correlation, over {TASKS} held-out tasks, of an operation's movement with the task's "
        f"{' and '.join(found.parameters)}; mean over {len(found.seeds)} seeds.",
        worth_figures.answers(moving, found.parameters, values, dark=page.dark()),
        "sap-answers",
        read=words.ANSWERS,
        data=pd.DataFrame(
            [
                {
                    "operation": name,
                    "task parameter": parameter,
                    "seed": seed,
                    "r": found.correlations[s, j, k],
                    "mean movement": found.moved[s, :, j].mean(),
                }
                for j, name in enumerate(moving)
                for k, parameter in enumerate(found.parameters)
                for s, seed in enumerate(found.seeds)
            ]
        ),
        says=answers_sentence(found, moving),
    )


def _dot(label: str, losses: np.ndarray, what: str) -> Dot:
    found = over_tasks_and_seeds(losses)
    hover = f"{label}<br>{what}: {found.mean:.4g} ({found.low:.4g} to {found.high:.4g})"
    return Dot(label, found.mean, found.low, found.high, hover)


def _removed(name: str, losses: np.ndarray) -> Dot | None:
    """None where some task has no finite error: without it the inner loop runs away."""
    if not np.isfinite(losses).all() or losses.mean() > 1e3:
        return None
    return _dot(spoken(name), losses, "removed")
