"""Claim 11: does what SAP adapts match what the tasks vary in 75 % of the cases?

How the dissertation counted could not be found. One count is primary:

    form      *published*: SAP as its code trains it, hidden operations there
    protocol  P1: which operations are switched on (strength above its start) against which factors vary. It is the only
              one of the three that counts cases, 15 families x 4 factors, as "in 75 % of the cases" says; the others
              give shares of a ranking, or of families, and need strengths to be comparable between operations

All others are shown beside it, as sensitivity: they do not decide.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from probes.claims.finding import Finding, of_seeds, told, unknown
from probes.tools.comparisons import Effect
from probes.tools.decisions import above, all_of, below
from probes.tools.intervals import over_seeds

REPORTED = 75.0  # per cent of the cases that match
NEAR = 5.0  # points: 3 of the 60 cases
FORM, PROTOCOL = "published", "P1"


def matches(found: Mapping[str, Mapping[str, Any]]) -> Finding:
    """The primary count, with all others beside it.

    Args:
        found: the results on synthetic families by the form of SAP.
    """
    claim = f"On synthetic families, what SAP adapts matches what varies in {REPORTED:.0f} % of the cases."
    criterion = (
        f"How it was counted is not known. Primary, as the only count of cases among the three: the {FORM} form, and "
        f"{PROTOCOL}, the share of the cases (family, factor) in which an operation's strength is above its start just "
        f"where its factor varies. Holds if its 95 % interval over trainings lies within {NEAR:.0f} points of "
        f"{REPORTED:.0f} % and above both controls (untrained; support and query of different tasks); does not hold if "
        "it lies beyond, or below a control. Other counts are shown as sensitivity."
    )
    if FORM not in found:
        return unknown(claim, criterion)
    rows, agree = [], 0
    counts = [(form, one, protocol) for form, one in found.items() for protocol in one["protocols"]]
    for form, one, protocol in counts:
        mine = over_seeds(_matching(one, protocol))
        agree += mine.low <= REPORTED <= mine.high
        names = ", ".join(f"{name} {_matching(each, protocol).mean():.0f}" for name, each in one["controls"].items())
        what = f"**{form}, {protocol}** (primary)" if (form, protocol) == (FORM, PROTOCOL) else f"{form}, {protocol}"
        rows.append(f"| {what} | {told(mine)} % | {names} % |")
    one = found[FORM]
    cases = _matching(one, PROTOCOL)
    mine = over_seeds(cases)
    beyond = {name: of_seeds(cases, _matching(control, PROTOCOL)) for name, control in one["controls"].items()}
    near = [above(Effect.of(mine), REPORTED - NEAR), below(Effect.of(mine), REPORTED + NEAR)]
    decision = all_of([*near, *(above(effect) for effect in beyond.values())])
    against = ", ".join(f"{name} {told(effect, '+')}" for name, effect in beyond.items())
    evidence = (
        f"In the {FORM} form, {told(mine)} % of the {len(one['families']) * len(one['factors'])} cases match "
        f"({mine.seeds} seeds); points more than the controls: {against}. Of all {len(counts)} counts, "
        f"{REPORTED:.0f} % lies in the interval of {agree}."
    )
    table = "\n".join(["| form, count | match | controls |", "|---|---|---|", *rows])
    return Finding(claim, decision, evidence, criterion, table)


def _matching(found: Mapping[str, Any], protocol: str) -> np.ndarray:
    """Per cent of the cases that match, one number for each seed."""
    return 100 * np.array(found["protocols"][protocol]["per_seed"], float)
