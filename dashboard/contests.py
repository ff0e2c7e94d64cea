"""Two learners against each other in every set of shipped runs that has both, from the test errors in the records."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard import library
from dashboard.behaviour.tables import number
from dashboard.holds import UNDECIDED, Reading, side, verdict_of
from dashboard.library import Result
from probes.intervals import Interval, of_runs

TASK = "sine"
WORDS = {1: "lower", -1: "higher", 0: "undecided"}


@dataclass(frozen=True)
class Contest:
    """One set of runs: its name, the mean test errors, and how many times the other's the first one's is."""

    where: str
    mine: float
    other: float
    ratio: Interval

    @property
    def outcome(self) -> int:
        """1: the first learner's error is lower beyond the interval; -1: higher; 0: undecided."""
        return -side(self.ratio, 1.0)


def contest(where: str, mine: Sequence[Result], other: Sequence[Result]) -> Contest:
    """One contest from the records of both learners' seeds."""
    ratio = of_runs(*([(one.error, one.half_width) for one in runs] for runs in (mine, other)))
    means = [sum(one.error for one in runs) / len(runs) for runs in (mine, other)]
    return Contest(where, *means, ratio)


def contests(mine: str, other: str, collections: Sequence[str] | None = None) -> list[Contest]:
    """All sets of shipped runs, the default one first, in which both learners were trained with the same shots."""
    found = []
    for name in collections or [name for name in library.roots() if not name.startswith(library.OWN)]:
        results = library.results(name, TASK)
        for shots in sorted({one.shots for one in results}):
            pair = [[one for one in results if (one.learner, one.shots) == (who, shots)] for who in (mine, other)]
            if all(pair):
                found.append(contest(f"{library.title(name)}, {shots} points", *pair))
    return found


def reading(
    claim: str, criterion: str, found: Sequence[Contest], titles: tuple[str, str], where: str, also: str = ""
) -> Reading:
    """A reading that says that the first learner's error is the lower one: its verdict over all sets of runs."""
    if not found:
        return Reading(claim, UNDECIDED, "No shipped set of runs has both.", criterion, where)
    verdict = verdict_of([one.outcome for one in found])
    return Reading(claim, verdict, f"{told(found, *titles)} {also}".strip(), criterion, where, table(found, *titles))


def told(found: Sequence[Contest], first: str, second: str) -> str:
    """Where the first learner is ahead and behind, and the numbers of the first set."""
    one = found[0]
    return (
        f"Error of {first} beside {second}: {counted(found)} sets of runs; {one.where}: "
        f"{number(one.mine)} against {number(one.other)}, "
        f"{_ratio(one.ratio)} times."
    )


def counted(found: Sequence[Contest]) -> str:
    """In how many sets of runs the first learner's error is lower, higher and undecided."""
    counts = [f"{word} in {n}" for side, word in WORDS.items() if (n := sum(c.outcome == side for c in found))]
    return f"{', '.join(counts)} of {len(found)}"


def _ratio(found: Interval) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


def table(found: Sequence[Contest], first: str, second: str) -> str:
    """All sets as a Markdown table."""
    head = f"| runs | {first} | {second} | ratio | |\n|---|---|---|---|---|"
    rows = [
        f"| {c.where} | {number(c.mine)} | {number(c.other)} | {_ratio(c.ratio)} | {WORDS[c.outcome]} |" for c in found
    ]
    return "\n".join([head, *rows])
