"""Claim 7: finetuning learns broader features, and broadness goes with few-shot performance."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from probes.claims.finding import Finding, listed, of_seeds, told, unknown
from probes.numbers import number
from probes.tools.comparisons import LEVEL
from probes.tools.decisions import FAILS, HOLDS, UNDECIDED, Decision, above, all_of, superior
from probes.tools.statistics import Relation


def broader(mine: np.ndarray | None, others: Mapping[str, np.ndarray]) -> Finding:
    """Broadness of finetuning's features beside that of others, one number per seed."""
    claim = "Finetuning's features are broader than MAML's and Reptile's."
    criterion = (
        "Broadness (mean R² of fresh waves read off the last hidden layer, before adaptation), finetuning's less the "
        "other's, 95 % interval over trainings. Holds if it lies above 0 for both, does not hold if below for one."
    )
    if mine is None or not others:
        return unknown(claim, criterion)
    effects = {title: of_seeds(mine, values) for title, values in others.items()}
    parts = [f"{title} {others[title].mean():.2f} ({told(effect, '+')})" for title, effect in effects.items()]
    evidence = f"Broadness: finetuning {mine.mean():.2f}, {listed(parts)}; brackets: finetuning's less theirs."
    return Finding(claim, all_of([above(effect) for effect in effects.values()]), evidence, criterion)


def wins_far(mine: np.ndarray | None, others: Mapping[str, np.ndarray]) -> Finding:
    """Errors on tasks far from those of training, finetuning beside others, one number per seed."""
    claim = "Where test tasks are far from those of training, finetuning wins."
    criterion = (
        "Error on waves of another frequency (1.5 to 2.5, training had 1), finetuning's as a multiple of the other's, "
        "geometric mean over seeds, 95 % interval over trainings. Holds if it lies below 1 for both, does not hold if "
        "above for one."
    )
    if mine is None or not others:
        return unknown(claim, criterion)
    effects = {t: replace(of_seeds(np.log(mine), np.log(values)), log=True) for t, values in others.items()}
    parts = [f"{told(effect)} times {title}'s" for title, effect in effects.items()]
    evidence = f"There, finetuning's error is {listed(parts)}."
    return Finding(claim, all_of([superior(effect) for effect in effects.values()]), evidence, criterion)


def goes_with_error(near: Relation | None) -> Finding:
    """Whether learners with broader features err less on tasks as in training."""
    claim = "Broader features go with better few-shot performance."
    criterion = (
        "Spearman's rank correlation of broadness with the error on held-out tasks, over learners (their seeds are no "
        "new learners), two-sided permutation p. Holds if it is negative with p ≤ 0.05, does not hold if positive. "
        "The dissertation finds it for finetuning, over backbones on images: that is not tested here."
    )
    if near is None or not np.isfinite(near.spearman):
        return unknown(claim, criterion)
    sure = near.spearman_p <= LEVEL
    verdict = UNDECIDED if not sure else HOLDS if near.spearman < 0 else FAILS
    evidence = (
        f"Over {near.n} learners, broadness and error have a rank correlation of {near.spearman:+.2f} "
        f"(p = {number(near.spearman_p)})."
    ).replace("-0.", "−0.")
    why = "" if sure else "More learners would be needed, rather than more seeds."
    return Finding(claim, Decision(verdict, float("nan"), float("nan"), why=why), evidence, criterion)
