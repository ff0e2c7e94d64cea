"""What a claim comes to: its verdict with the numbers that decided, in sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from probes import numbers
from probes.tools.comparisons import Effect
from probes.tools.decisions import UNDECIDED, Decision, Test, all_of, over_sets
from probes.tools.intervals import Interval

MISSING = "The shipped answers that would tell are not here."
NO_SETS = "No shipped set of runs has both."
NOTHING = Decision(UNDECIDED, float("nan"), float("nan"))
OVER = "the mean over the sets of shipped runs that have both, 95 % interval over tasks and trainings"


class Beside(Protocol):
    """Two learners in one set of runs."""

    @property
    def where(self) -> str:
        """The set, for people."""

    @property
    def effect(self) -> Effect:
        """Of the first learner beside the second."""


@dataclass(frozen=True)
class Pair:
    """Two learners (or moments) in one set of runs, from answers."""

    where: str
    effect: Effect


@dataclass(frozen=True)
class Finding:
    """One claim.

    Attributes:
        claim: what it says, in a sentence.
        decision: what its test says.
        evidence: a sentence with the numbers that decided.
        criterion: when it would hold, when not.
        detail: Markdown: single outcomes.
    """

    claim: str
    decision: Decision
    evidence: str
    criterion: str
    detail: str = ""


def unknown(claim: str, criterion: str, why: str = MISSING) -> Finding:
    """A claim whose numbers are not here."""
    return Finding(claim, NOTHING, why, criterion)


def decided(pairs: Sequence[Beside], test: Test) -> Decision:
    """One test over all sets of runs."""
    return over_sets([one.effect for one in pairs], test)


@dataclass(frozen=True)
class Several:
    """One test of several learners, each over all sets of runs; the claim is that it holds for all of them.

    Attributes:
        parts: by the learner's title.
        decision: of all parts together.
        rows: single sets, for `table`.
    """

    parts: dict[str, Decision]
    decision: Decision
    rows: list[tuple[str, Beside]]


def several(pairs: Mapping[str, Sequence[Beside]], test: Test, row: str = "{}") -> Several | None:
    """One test for each learner; None where there is no learner, or one of them has no pair.

    Args:
        pairs: by the learner's title.
        test: of each.
        row: what a row of `table` is called; the title stands in the braces.
    """
    if not pairs or not all(pairs.values()):
        return None
    parts = {title: decided(some, test) for title, some in pairs.items()}
    rows = [(row.format(title), one) for title, some in pairs.items() for one in some]
    return Several(parts, all_of(list(parts.values())), rows)


def of_seeds(mine: np.ndarray, other: np.ndarray) -> Effect:
    """The difference of the means of one number per seed, (seeds,) each: Welch's t."""
    parts = tuple((float(x.var(ddof=1)) / len(x) if len(x) > 1 else float("nan"), len(x) - 1.0) for x in (mine, other))
    return Effect(float(mine.mean() - other.mean()), parts, seeds=min(len(mine), len(other)))


def told(found: Interval | Effect | None, form: str = "") -> str:
    """A mean or an effect with its interval, in a sentence; of an effect in logarithms, the ratio.

    The interval decides the digits; a `form` with a plus gives differences their sign.
    """
    if found is None:
        return "not known"
    if isinstance(found, Interval):
        return numbers.interval(found.mean, found.low, found.high, signed="+" in form)
    return numbers.interval(*found.shown, signed="+" in form, level=1.0 if found.log else 0.0)


def share(values: np.ndarray) -> str:
    """The mean of shares, in per cent; NaN: none."""
    return numbers.percent(float(np.nanmean(values)))


def over(pairs: Sequence[Beside]) -> str:
    """Over how many sets of runs and seeds."""
    seeds = min(one.effect.seeds for one in pairs)
    return f"{len(pairs)} set{'s' * (len(pairs) != 1)} of runs, {seeds} seeds each"


def table(rows: Iterable[tuple[str, Beside]], measure: str = "times", form: str = "") -> str:
    """Single sets as a Markdown table: what is compared, where, the effect."""
    lines = [f"| {what} | {one.where} | {told(one.effect, form)} |" for what, one in rows]
    return "\n".join([f"| | runs | {measure} |", "|---|---|---|", *lines])


def listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
