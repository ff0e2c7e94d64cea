"""Learners that were trained both ways: with first- and with second-order meta-gradients."""

from collections.abc import Sequence

from engine.runs.ensembles import Ensemble


def first_order_pairs(ensembles: Sequence[Ensemble]) -> list[tuple[Ensemble, Ensemble]]:
    """(first-order, second-order) variants of one learner: of such classes, one derives from the other."""
    first = [e for e in ensembles if getattr(e.learner, "first_order", None) is True]
    second = [e for e in ensembles if getattr(e.learner, "first_order", None) is False]
    return [(a, b) for a in first for b in second if _related(type(a.learner), type(b.learner))]


def _related(one: type, other: type) -> bool:
    return issubclass(one, other) or issubclass(other, one)
