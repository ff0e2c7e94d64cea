"""Attribution, *What holds here*: what influence over many tasks says about the readings, and how each is decided.

The functions that decide take answers, and nothing else; `readings` fetches what is shipped.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import streamlit as st

from dashboard.widgets import shipped
from dashboard.widgets.holds import FAILS, UNDECIDED, Reading, decided, not_tested, of
from dashboard.widgets.numbers import interval, number
from engine.learners import make
from probes.claims import op_lstm, specialisation
from probes.claims.finding import MISSING, told
from probes.questions.shares import Shares
from probes.tools.comparisons import Effect
from probes.tools.decisions import above, all_of
from probes.tools.intervals import Interval, of_any_sign

SHOTS = 5
ASKED = ("finetuning", "maml", "reptile", "lstm", "lstm-sequential", "op-lstm")
NO_CHANGE, SOME_CHANGE = 1e-3, 0.01  # shares of all influence
SPECIALISED, BROAD = ("maml", "reptile"), "finetuning"
REACH, UNITS = "Reach", "Layers and units"


@st.cache_data(show_spinner=False, ttl=600)
def readings() -> list[Reading]:
    """All of them, from answers that are shipped."""
    asked = shipped.answers("shares", SHOTS, ASKED)
    found: dict[str, Shares] = {name: said.answers[0] for name, (_, said) in asked.items()}
    return [
        order_matters(found),
        of(specialisation.reaches_far({make(n).title: found[n] for n in SPECIALISED if n in found}), REACH),
        of(op_lstm.reaches_as_maml(found), REACH),
        replace(shipped.descent(), where="Directions* of *Update rules"),
        broader(found),
        not_tested("Finetuned features stay discriminative with depth, MAML's do not (images)."),
    ]


def order_matters(found: Mapping[str, Shares]) -> Reading:
    """Claim 9: what a point does depends on its place for the sequential LSTM only."""
    claim = "What a point does depends on its place in the order for a plain LSTM; mean pooling removes that."
    criterion = (
        f"Share of all influence that the reverse order changes. Holds if it is at most {NO_CHANGE:g} on every task "
        f"and seed for the pooled LSTM and above {SOME_CHANGE:g} beyond the interval for the sequential one; does not "
        "hold if the first is larger or the second smaller."
    )
    if not {"lstm", "lstm-sequential"} <= set(found):
        return Reading(claim, UNDECIDED, MISSING, criterion)
    pooled = float(np.nanmax(found["lstm"].turned))
    read = of_any_sign(found["lstm-sequential"].turned)
    minds = above(Effect.of(read), SOME_CHANGE)
    decision = replace(minds, verdict=FAILS) if pooled > NO_CHANGE else minds
    evidence = (
        f"With the points in reverse, {_percent(read)} % of the influence changes if they are read one after the "
        f"other, at most {number(pooled, 1)} of it if they are pooled ({read.tasks} tasks, {read.seeds} seeds)."
    )
    return decided(claim, decision, evidence, criterion)


def broader(found: Mapping[str, Shares]) -> Reading:
    """Claim 7: finetuning's features are broader."""
    claim = "Finetuning's features are broader: more units carry a prediction than for MAML and Reptile."
    criterion = (
        "Units of the last hidden layer that carry a prediction after adapting (by conductance), finetuning's less the "
        "other's. Holds if the interval lies above 0 for both; does not hold if it lies below 0 for one (Holm)."
    )
    known = {name: found[name].carrying[1] for name in (BROAD, *SPECIALISED) if name in found}
    if len(known) <= len(SPECIALISED):
        return Reading(claim, UNDECIDED, MISSING, criterion, UNITS)
    gaps = {name: of_any_sign(known[BROAD] - known[name]) for name in SPECIALISED}
    parts = [f"{np.nanmean(known[name]):.1f} of {make(name).title} ({told(gap, '+.1f')})" for name, gap in gaps.items()]
    evidence = f"{np.nanmean(known[BROAD]):.1f} units of finetuning carry a prediction, {', '.join(parts)}."
    return decided(claim, all_of([above(Effect.of(gap)) for gap in gaps.values()]), evidence, criterion, UNITS)


def _percent(found: Interval) -> str:
    return interval(100 * found.mean, 100 * found.low, 100 * found.high)
