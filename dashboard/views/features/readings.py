"""Features, *What holds here*: claims 7 and 8, from answers that are shipped."""

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.views.features import tables
from dashboard.widgets import page, shipped
from dashboard.widgets.holds import Reading, not_tested, of
from engine.learners import make
from probes.claims import broad_features
from probes.questions.broadness import Broadness

SHOTS = 10  # of the default set of runs
BROAD, SPECIALISTS = "finetuning", ("maml", "reptile")
BROADNESS = "Broadness"


@st.cache_data(show_spinner=False, ttl=600)
def readings() -> list[Reading]:
    """All of them."""
    found = shipped.ensembles(SHOTS)
    known = [said for e in found if (said := page.known("broadness", [e])) is not None]
    joined: Broadness | None = tables.joined(known) if known else None
    by_seed: dict[str, pd.DataFrame] = {}
    near = None
    if joined is not None:
        runs = tables.run_rows(joined, {e.learner.name: e.learner.title for e in found})
        by_seed = {str(name): rows for name, rows in runs.groupby("learner", sort=False)}
        near = tables.relations(runs)["near", "learners"]

    def both(column: str) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
        every = {name: by_seed[name][column].to_numpy() for name in (BROAD, *SPECIALISTS) if name in by_seed}
        return every.pop(BROAD, None), {make(name).title: values for name, values in every.items()}

    return [
        of(broad_features.broader(*both("broadness")), BROADNESS),
        of(broad_features.goes_with_error(near), BROADNESS),
        of(broad_features.wins_far(*both("far")), BROADNESS),
        not_tested("MAML is best on a shallow network, but its features tell classes apart less with depth (images)."),
    ]
