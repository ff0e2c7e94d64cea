"""Claim 1: what parts MAML from the meta-learner LSTM, and where TURTLE stands."""

from collections.abc import Sequence

from probes.claims.finding import NO_SETS, OVER, Beside, Finding, decided, over, table, told, unknown
from probes.tools.decisions import HOLDS, MARGIN, Test, all_of, equivalent, non_inferior, superior


def gap_closes(gap: Sequence[Beside], closed: Sequence[Beside]) -> Finding:
    """Raw inputs and exact meta-gradients close the gap to MAML.

    Args:
        gap: MAML beside the original meta-learner LSTM.
        closed: the enhanced one (raw inputs, second order) beside MAML.
    """
    claim = "Raw inputs and second-order meta-gradients close the gap between MAML and the meta-learner LSTM."
    criterion = (
        f"Two parts, each of {OVER}: MAML errs less than the original meta-learner LSTM (there is a gap), and the "
        f"enhanced one errs at most {MARGIN:g} times as much as MAML (it is closed). Holds if both intervals say so, "
        "does not hold if one says the contrary."
    )
    if not gap or not closed:
        return unknown(claim, criterion, NO_SETS)
    parts = decided(gap, superior), decided(closed, non_inferior)
    evidence = (
        f"MAML's error is {told(parts[0].effect)} times that of the original LSTM: "
        f"{'the gap is there' if parts[0].verdict == HOLDS else 'a gap is not shown'}; that of the LSTM with raw "
        f"inputs and second order is {told(parts[1].effect)} times MAML's ({over(gap)})."
    )
    rows = [("MAML / original LSTM", one) for one in gap] + [("enhanced LSTM / MAML", one) for one in closed]
    return Finding(claim, all_of(parts), evidence, criterion, table(rows))


def on_par(pairs: Sequence[Beside]) -> Finding:
    """First-order TURTLE beside the original meta-learner LSTM."""
    claim = "First-order TURTLE is on par with the original meta-learner LSTM."
    criterion = (
        f"Ratio of errors, {OVER}: holds if the interval lies between {1 / MARGIN:g} and {MARGIN:g}, does not hold if "
        "it lies beyond either."
    )
    return _beside(claim, criterion, pairs, "First-order TURTLE", equivalent)


def second_order_is_better(pairs: Sequence[Beside]) -> Finding:
    """Second-order TURTLE beside the original meta-learner LSTM."""
    claim = "Second-order TURTLE is better than the original meta-learner LSTM."
    criterion = f"Ratio of errors, {OVER}: holds if the interval lies below 1, does not hold if above."
    return _beside(claim, criterion, pairs, "TURTLE", superior)


def _beside(claim: str, criterion: str, pairs: Sequence[Beside], who: str, test: Test) -> Finding:
    if not pairs:
        return unknown(claim, criterion, NO_SETS)
    found = decided(pairs, test)
    evidence = f"{who}'s error is {told(found.effect)} times that of the original LSTM ({over(pairs)})."
    return Finding(claim, found, evidence, criterion, table([(f"{who} / original LSTM", one) for one in pairs]))
