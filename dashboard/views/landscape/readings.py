"""Loss landscape, *What holds here*: claims 2, 3 and 4, from answers and the measurement that are shipped."""

import numpy as np
import streamlit as st

from dashboard.views.landscape.cost import measurement
from dashboard.views.landscape.learned import PROBE
from dashboard.views.landscape.learned_tables import CURVATURES, at, values
from dashboard.widgets import shipped
from dashboard.widgets.holds import Reading, of
from dashboard.widgets.shipped import SETS, where
from engine.learners import make
from probes.claims import cost, curvature, first_order
from probes.claims.finding import Finding, Pair, decided
from probes.questions.meta_gradients import ALL, INITIALISATION, Measured
from probes.tools.comparisons import BY_TASK, DIFFERENCE, compare
from probes.tools.decisions import above

BASE = "maml"
DECIDE = ("turtle", "meta-lstm-enhanced")  # learned rules with exact meta-gradients and raw inputs
BESIDE = ("turtle-first-order", "meta-lstm")
OTHER_FORMS = (("eigenvalue", INITIALISATION), ("scaled", INITIALISATION))
BLOCKS = {ALL: "all", INITIALISATION: "initialisation"}
RULES, COST = "Learned rules", "Cost"


@st.cache_data(show_spinner=False, ttl=600)
def readings() -> list[Reading]:
    """All of them."""
    measured = {k: _measured(k) for k in SETS}
    found = measurement()
    fits, largest = (found.fits, max(p.n for p in found.points if p.way == "exact")) if found else ([], 0)
    return [
        of(more_curved(measured), RULES),
        of(points_further_off(measured), RULES),
        of(cost.quadratic(fits, largest), COST),
    ]


def _measured(shots: int) -> list[Measured]:
    """What the probe said of the default runs, of all learners that matter here."""
    names = (BASE, *DECIDE, *BESIDE)
    return [one for _, said in shipped.answers(PROBE, shots, names).values() for one in said.measured]


def more_curved(measured: dict[int, list[Measured]]) -> Finding:
    """Claim 2, decided by one form, others beside."""
    primary = {make(name).title: _pairs(measured, name, "scaled", ALL) for name in DECIDE}
    others, told = [], []
    for form, block in OTHER_FORMS:
        title = f"{CURVATURES[form].title}, {BLOCKS[block]}"
        for name in DECIDE:
            found = _pairs(measured, name, form, block)
            others += [(f"{make(name).title}, {title}", one) for one in found]
            if found:
                told.append((make(name).title, title, decided(found, above).effect))
    others += [
        (f"{make(name).title}, |λ| |θ|², all", one) for name in BESIDE for one in _pairs(measured, name, "scaled", ALL)
    ]
    return curvature.more_curved(primary, others, told)


def points_further_off(measured: dict[int, list[Measured]]) -> Finding:
    """Claim 3, at the same weights."""
    cosines = {make(name).title: _pairs(measured, name, "cosine", ALL, DIFFERENCE) for name in DECIDE}
    means = {
        make(name).title: float(np.mean([one.cosine.mean() for k in SETS if (one := at(measured[k], name, ALL))]))
        for name in (BASE, *DECIDE)
        if any(at(measured[k], name, ALL) for k in SETS)
    }
    return first_order.points_further_off({t: p for t, p in cosines.items() if p}, means)


def _pairs(
    measured: dict[int, list[Measured]], name: str, field: str, block: str, measure: str = BY_TASK
) -> list[Pair]:
    """A learner beside MAML in every set that has both, on the same groups of tasks."""
    pairs = []
    for k, found in measured.items():
        mine, base = at(found, name, block), at(found, BASE, block)
        if mine is None or base is None:
            continue
        a, b = values(mine, field), values(base, field)
        if a.shape[1] == b.shape[1]:
            pairs.append(Pair(where(k), compare(a, b, measure).effect))
    return pairs
