"""Claim 3: whom a first-order meta-gradient costs, in error and in direction."""

from collections.abc import Mapping, Sequence

import numpy as np

from probes.claims.finding import NO_SETS, OVER, Beside, Finding, decided, listed, over, several, table, told, unknown
from probes.tools.comparisons import Effect
from probes.tools.decisions import MARGIN, Decision, above, below, non_inferior


def little(pairs: Sequence[Beside]) -> Finding:
    """FOMAML beside MAML."""
    claim = "First-order meta-gradients cost MAML little."
    criterion = (
        f"Error of first-order MAML as a multiple of MAML's, {OVER}: holds if the interval lies below {MARGIN:g}, does "
        "not hold if above."
    )
    if not pairs:
        return unknown(claim, criterion, NO_SETS)
    found = decided(pairs, non_inferior)
    evidence = f"First-order MAML's error is {told(found.effect)} times MAML's ({over(pairs)})."
    return Finding(claim, found, evidence, criterion, table([("first-order / exact", one) for one in pairs]))


def costs_much(effect: Effect) -> Decision:
    """The test of *much*: more than the margin that *little* allows."""
    return above(effect, float(np.log(MARGIN)))


def much(pairs: Sequence[Beside], confounded: Sequence[Beside]) -> Finding:
    """TURTLE first-order beside second-order.

    Args:
        pairs: first-order TURTLE beside TURTLE, which differ in nothing else.
        confounded: the original meta-learner LSTM beside the enhanced one, which differ in their inputs too.
    """
    claim = "First-order meta-gradients cost learned optimisers much."
    criterion = (
        f"Error of first-order TURTLE as a multiple of TURTLE's, {OVER}: holds if the interval lies above {MARGIN:g}, "
        "does not hold if below. The two forms of the meta-learner LSTM differ in their inputs too, so that they are "
        "told beside and do not decide."
    )
    if not pairs:
        return unknown(claim, criterion, NO_SETS)
    found = decided(pairs, costs_much)
    evidence = f"First-order TURTLE's error is {told(found.effect)} times TURTLE's ({over(pairs)})."
    if confounded:
        other = decided(confounded, costs_much)
        evidence += (
            f" Of the LSTM, the original form (first-order, but with preprocessed inputs as well) errs "
            f"{told(other.effect)} times as much as the enhanced one: how much of it is the first order is not tested."
        )
    rows = [("TURTLE", one) for one in pairs] + [("meta-learner LSTM, inputs differ", one) for one in confounded]
    return Finding(claim, found, evidence, criterion, table(rows))


def points_further_off(cosines: Mapping[str, Sequence[Beside]], means: Mapping[str, float]) -> Finding:
    """How far first-order meta-gradients point off, at the same weights, for learned rules less for MAML.

    Args:
        cosines: by the title of the learned rule, its cosine less MAML's.
        means: the mean cosine of each, and of MAML under "MAML".
    """
    claim = "A first-order meta-gradient points further off for learned update rules than for MAML."
    criterion = (
        "Cosine of the first-order to the exact meta-gradient at the trained weights, over all that is meta-learned: "
        f"that of {listed(list(cosines)) if cosines else 'the learned rules'} less MAML's on the same tasks, mean over "
        "the sets of runs, 95 % interval over tasks and trainings. Holds if each interval lies below 0, does not hold "
        "if one lies above."
    )
    found = several(cosines, below)
    if found is None:
        return unknown(claim, criterion)
    words = [f"{title} {means[title]:.2f} ({told(one.effect, '+')})" for title, one in found.parts.items()]
    evidence = f"Cosine for MAML {means['MAML']:.2f}; {', '.join(words)}; brackets: less MAML's."
    return Finding(claim, found.decision, evidence, criterion, table(found.rows, "cosine less MAML's", "+"))
