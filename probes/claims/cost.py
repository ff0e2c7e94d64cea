"""Claim 4: does an exact meta-gradient cost O(N^2)?"""

from collections.abc import Sequence

from probes.claims.finding import Finding, unknown
from probes.tools.cost import EXACT, Fit
from probes.tools.decisions import FAILS, HOLDS, UNDECIDED, Decision

QUADRATIC = 2.0


def quadratic(fits: Sequence[Fit], largest: int) -> Finding:
    """Exponents fitted to measured time and memory against N, up to N = `largest`."""
    claim = "An exact second-order meta-gradient costs O(N²) in the number of parameters N."
    criterion = (
        "Cost ~ N^p, fitted to measured time and peak memory over the largest two decades; 95 % intervals over the "
        "sizes measured, on one machine. Does not hold if every interval lies below 2, holds if every one contains 2 "
        "and not 1. There are no seeds here: what decides is the sizes."
    )
    exact = [fit for fit in fits if fit.way == EXACT]
    if not exact:
        return unknown(claim, criterion, "There is no measurement yet.")
    below = all(fit.high < QUADRATIC for fit in exact)
    around = all(1 < fit.low <= QUADRATIC <= fit.high for fit in exact)
    verdict = FAILS if below else HOLDS if around else UNDECIDED
    steepest = max(exact, key=lambda fit: fit.high)
    by_cost = [
        f"{min(some):.2f} to {max(some):.2f} {word}"
        for cost, word in (("seconds", "in time"), ("peak_bytes", "in memory"))
        if (some := [fit.exponent for fit in exact if fit.cost == cost])
    ]
    evidence = (
        f"Computed by Hessian-vector products, the exact gradients grow with N to the power {' and '.join(by_cost)} "
        f"(up to N = {largest:,}); the highest end of an interval is {steepest.high:.2f}."
    )
    return Finding(claim, Decision(verdict, float("nan"), float("nan")), evidence, criterion, _table(exact))


def _table(fits: Sequence[Fit]) -> str:
    rows = [f"| {fit.learner} | {fit.cost} | {fit.exponent:.2f} [{fit.low:.2f}, {fit.high:.2f}] |" for fit in fits]
    return "\n".join(["| learner | cost | exponent |", "|---|---|---|", *rows])
