"""Two learners against each other in every set of shipped runs that has both, from the test errors in the records."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.widgets import library
from dashboard.widgets.holds import Reading, decided
from dashboard.widgets.library import Result
from dashboard.widgets.numbers import number
from probes.claims.finding import told
from probes.tools.comparisons import Effect, of_records, sides
from probes.tools.decisions import MARGIN, Decision, Test, non_inferior, over_sets, superior

WORDS = {-1: "lower", 1: "higher", 0: "undecided"}
CRITERIA = {
    superior: "its ratio to that of {1}, with its 95 % interval, lies below 1; does not hold if above",
    non_inferior: f"its ratio to that of {{1}}, with its 95 % interval, lies below {MARGIN:g}; does not hold if above",
}


@dataclass(frozen=True)
class Contest:
    """One set of runs: its name, the mean test errors, and the log ratio of the first learner's to the other's.

    `sizes` says how many numbers each of them meta-learns (0: not known).
    """

    where: str
    mine: float
    other: float
    effect: Effect
    sizes: tuple[int, int] = (0, 0)

    @property
    def alike(self) -> bool:
        """Whether neither learner meta-learns more than `MARGIN` times as many numbers as the other."""
        return 0 < max(self.sizes) <= MARGIN * min(self.sizes)


def contest(where: str, mine: Sequence[Result], other: Sequence[Result]) -> Contest:
    """One contest from the records of both learners' seeds."""
    effect = of_records(*([(one.error, one.half_width) for one in runs] for runs in (mine, other)))
    means = [sum(one.error for one in runs) / len(runs) for runs in (mine, other)]
    sizes = (library.size(runs[0].path) if runs[0].path else 0 for runs in (mine, other))
    return Contest(where, *means, effect, (next(sizes), next(sizes)))


def contests(mine: str, other: str, collections: Sequence[str] | None = None) -> list[Contest]:
    """All sets of shipped runs, the default one first, in which both learners were trained with the same shots."""
    found, task = [], library.tasks(library.DEFAULT)[0]
    for name in collections or [name for name in library.roots() if not name.startswith(library.OWN)]:
        results = library.results(name, task)
        for shots in sorted({one.shots for one in results}):
            pair = [[one for one in results if (one.learner, one.shots) == (who, shots)] for who in (mine, other)]
            if all(pair):
                found.append(contest(f"{library.title(name)}, {shots} points", *pair))
    return found


def verdict(found: Sequence[Contest], test: Test = superior) -> Decision:
    """One test of the mean effect over all sets of runs."""
    return over_sets([one.effect for one in found], test)


def criterion(titles: tuple[str, str], test: Test = superior) -> str:
    """The test, as the page states it."""
    return (
        f"Test error of {titles[0]}, in the geometric mean over all shipped sets of runs that have both. Holds if "
        f"{CRITERIA[test].format(*titles)}; mixed if single sets, corrected for their number (Holm), are on both sides."
    )


def reading(
    claim: str, found: Sequence[Contest], titles: tuple[str, str], where: str, test: Test = superior, also: str = ""
) -> Reading:
    """A reading that says that the first learner's error is the lower one, or (`non_inferior`) not much higher."""
    says = f"{evidence(found, *titles, test)} {also}".strip()
    rows = table(found, *titles, test) if found else ""
    return decided(claim, verdict(found, test), says, criterion(titles, test), where, rows)


def evidence(found: Sequence[Contest], first: str, second: str, test: Test = superior) -> str:
    """The mean effect with its interval and over what it is, single sets, and the numbers of the first one."""
    if not found:
        return "No shipped set of runs has both."
    effect, one = verdict(found, test).effect, found[0]
    alone = f"{one.where}: {number(one.mine)} against {number(one.other)}."
    if effect is None:
        return f"Error of {first} beside {second}, {alone}"
    left = len(found) - len(_known(found))
    margin = f", where up to {MARGIN:g} counts as competitive" if test is non_inferior else ""
    return (
        f"The error of {first} is {told(effect)} times that of {second} ({effect.over}){margin}; {counted(found)}. "
        f"{alone[:1].upper()}{alone[1:]}"
        + (f" Left out: {left} set{'s' * (left != 1)} with a single seed of one of them." if left else "")
    )


def briefly(found: Sequence[Contest], other: str) -> str:
    """The mean effect beside another learner, in a list of several."""
    effect = verdict(found).effect
    sets = f"{len(found)} set{'s' * (len(found) != 1)}"
    return f"{other} {told(effect) if effect else 'not known'} ({sets})"


def _known(found: Sequence[Contest]) -> list[Contest]:
    return [one for one in found if np.isfinite(one.effect.error)]


def counted(found: Sequence[Contest]) -> str:
    """In how many single sets of runs the first learner's error is lower, higher and undecided."""
    if len(found) < 2:
        return "the only set of runs with both"
    outcomes = sides([one.effect for one in found])
    counts = [f"{word} in {n}" for side, word in WORDS.items() if (n := outcomes.count(side))]
    return f"alone (Holm) {', '.join(counts)}"


def table(found: Sequence[Contest], first: str, second: str, test: Test = superior) -> str:
    """All sets as a Markdown table, and their mean."""
    head = f"| runs | {first} | {second} | ratio | alone |\n|---|---|---|---|---|"
    rows = [
        f"| {c.where} | {number(c.mine)} | {number(c.other)} | {told(c.effect)} | {WORDS[side]} |"
        for c, side in zip(found, sides([one.effect for one in found]), strict=True)
    ]
    decision = verdict(found, test)
    if decision.effect is not None and len(found) > 1:
        rows.append(f"| **all** | | | **{told(decision.effect)}** | |")
    return "\n".join([head, *rows])
