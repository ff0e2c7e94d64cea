"""Loss landscape, *Cost*: what an exact meta-gradient costs as networks grow, from the measurement that is shipped."""

import json

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.figures import cost as figures
from dashboard.figures.cost import Series
from dashboard.views.landscape import words
from dashboard.widgets import library, page
from dashboard.widgets.layout import pair
from dashboard.widgets.numbers import interval, number
from engine.learners import LEARNERS
from probes import answers
from probes.tools.cost import EXACT, EXPLICIT, FIRST, Cost, Point

SHIPPED = library.CHECKPOINTS / "cost" / "cpu.json"
COMMAND = "python -m probes cost --out checkpoints/cost/cpu.json"
WAYS = {FIRST: "first-order", EXACT: "exact", EXPLICIT: "written out"}
COSTS = {
    "seconds": ("Does an exact meta-gradient take O(N²) time?", "Processor time", "seconds"),
    "peak_bytes": ("Does it need O(N²) memory?", "Peak memory", "bytes"),
}


def show_cost() -> None:
    """Time and peak memory of first-order and exact meta-gradients against the number of parameters."""
    found = measurement()
    if found is None:
        st.info(f"There is no measurement yet. `{COMMAND}` makes one.", icon=":material/info:")
        return
    machine, settings = found.machine, found.settings
    st.markdown(sentence(found))
    for place, (cost, (question, what, unit)) in zip(pair("landscape-cost"), COSTS.items(), strict=True):
        with place:
            page.frame(
                question,
                f"{what} of one meta-gradient with T = {settings['steps']} inner steps against the number of "
                "parameters N. Marks: measured; broad lines: fitted over the largest two decades.",
                figures.costs(unit, series(found, cost), page.dark()),
                f"landscape-cost-{unit}",
                read=words.COST,
                data=table(found),
            )
    st.caption(
        f"Measured on {machine['cores']} {machine['processor']} cores with {machine['threads']} thread"
        f"{'s' * (machine['threads'] > 1)} of PyTorch {machine['torch']}, one task of {settings['shots']} + "
        f"{settings['queries']} points, least of {settings['repeats']} repeats. On your machine: `{COMMAND}`."
    )


def measurement() -> Cost | None:
    """The measurement that is shipped; None if there is none that fits."""
    try:
        found: Cost = answers.restored(Cost, json.loads(SHIPPED.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found


def title(learner: str, way: str) -> str:
    """What a line is called."""
    return f"{LEARNERS[learner].title}, {WAYS[way]}" if learner in LEARNERS else f"{learner}, {WAYS[way]}"


def series(found: Cost, cost: str) -> list[Series]:
    """Every learner and way that an exponent was fitted to."""
    lines = []
    for fit in (fit for fit in found.fits if fit.cost == cost):
        points = [p for p in found.points if (p.learner, p.way) == (fit.learner, fit.way)]
        n, values = np.array([p.n for p in points]), np.array([getattr(p, cost) for p in points], float)
        ends = (fit.exponent, fit.low, fit.high, fit.constant, fit.least)
        lines.append(Series(fit.learner, title(fit.learner, fit.way), fit.way, n, values, *ends))
    return lines


def table(found: Cost) -> pd.DataFrame:
    """One row for each measurement."""
    return pd.DataFrame(
        [
            {
                "learner": p.learner,
                "gradient": WAYS[p.way],
                "width": p.width,
                "N": p.n,
                "seconds": p.seconds,
                "peak bytes": p.peak_bytes,
            }
            for p in found.points
        ]
    )


def sentence(found: Cost) -> str:
    """The exponents, the constant factor over first order, and what written-out Hessians cost."""
    told = []
    for learner in dict.fromkeys(fit.learner for fit in found.fits):
        exact = {fit.cost: fit for fit in found.fits if (fit.learner, fit.way) == (learner, EXACT)}
        pairs = _pairs(found, learner, FIRST, EXACT)
        if len(exact) < len(COSTS) or not pairs:
            continue
        largest = pairs[-1][0].n
        seconds, peak = (
            np.median([getattr(b, cost) / getattr(a, cost) for a, b in pairs if a.n >= exact[cost].least])
            for cost in COSTS
        )
        power = {cost: interval(fit.exponent, fit.low, fit.high) for cost, fit in exact.items()}
        told.append(
            f"**{LEARNERS[learner].title}**'s exact meta-gradient grows with N to the power "
            f"{power['seconds']} in time and {power['peak_bytes']} in memory, up to N = "
            f"{largest:,}: {number(seconds)} times a first-order one in time, {number(peak)} times in memory."
        )
    written = {fit.cost: fit for fit in found.fits if fit.way == EXPLICIT}
    pairs = _pairs(found, "maml", EXACT, EXPLICIT)
    if len(written) == len(COSTS) and pairs:
        exact, explicit = pairs[-1]
        told.append(
            "The same gradient with every Hessian written out grows with N to the power "
            f"{written['seconds'].exponent:.2f} in time and {written['peak_bytes'].exponent:.2f} in memory; at N = "
            f"{exact.n:,} it takes {number(explicit.seconds / exact.seconds)} times as long and "
            f"{number(explicit.peak_bytes / exact.peak_bytes)} times the memory."
        )
    linear = [fit for fit in found.fits if fit.way == EXACT]
    if linear and all(fit.high < 2 for fit in linear):
        told.insert(0, "**On these networks, no: it costs a constant factor.**")
    return " ".join(told)


def _pairs(found: Cost, learner: str, one: str, other: str) -> list[tuple[Point, Point]]:
    """Measurements of two ways at the same sizes, in the order of the sizes."""
    first, second = ({p.n: p for p in found.points if (p.learner, p.way) == (learner, way)} for way in (one, other))
    return [(first[n], second[n]) for n in first if n in second]
