"""One pre-stated test for each claim: what holds, what does not, and how many seeds it would take to tell.

A claim says that an effect lies on one side of a level (a learner errs less: below 0; not much more: below the
logarithm of a margin). With a 95 % interval over tasks and trainings,

    holds            the whole interval lies on the claimed side
    does not hold    the whole interval lies on the other side
    not decided      the level is inside, or there is no interval

so that at the level itself, where neither is true, one or the other is said in at most 5 % of the cases. Over several
sets of runs the mean effect decides (`comparisons.pooled`). *Mixed* is said instead if, corrected for the number of
sets (Holm), one set alone is for the claim and another alone is against it. A claim of several parts holds if each
part does (an intersection-union test, which needs no correction; Berger, 1982), and does not hold if a part is
contrary after Holm's correction. `python -m probes simulate` shows how often all this errs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from probes.tools.comparisons import LEVEL, Effect, holm, pooled

HOLDS, FAILS, MIXED, UNDECIDED = "holds", "does not hold", "mixed", "not decided"
VERDICTS = (HOLDS, FAILS, MIXED, UNDECIDED)
MARGIN = 1.25  # times the error: what "competitive" and "costs little" allow
POWER = 0.8
MOST = 100  # seeds: beyond it no number is told
NOTHING = 0.1  # standard errors from the level: an effect so near to it would take any number


@dataclass(frozen=True)
class Decision:
    """What a test says of a claim.

    Attributes:
        verdict: one of `VERDICTS`.
        p_for, p_against: twice the one-sided p-values of lying on the claimed and on the other side.
        needed: about how many seeds of each learner would decide it; more than `MOST`: too many to tell. None: decided,
            or not to be told.
        effect: what was tested; None for a claim of several parts.
        why: why nothing is decided and no number of seeds told, as a sentence; otherwise empty.
    """

    verdict: str
    p_for: float
    p_against: float
    needed: int | None = None
    effect: Effect | None = None
    why: str = ""

    @property
    def needs(self) -> str:
        """What it would take to decide an undecided claim, as a sentence; empty for a decided one."""
        if self.verdict != UNDECIDED:
            return ""
        if self.needed is None:
            return self.why
        many = f"more than {MOST}" if self.needed > MOST else f"about {self.needed}"
        return f"{many[:1].upper()}{many[1:]} seeds of each learner would be needed."


Test = Callable[[Effect], Decision]


def below(effect: Effect, level: float = 0.0) -> Decision:
    """The claim that an effect lies below a level."""
    return _sided(effect, level, -1)


def above(effect: Effect, level: float = 0.0) -> Decision:
    """The claim that an effect lies above a level."""
    return _sided(effect, level, 1)


def superior(effect: Effect) -> Decision:
    """The claim that the first learner errs less: its log ratio of errors lies below 0."""
    return below(effect, 0.0)


def non_inferior(effect: Effect, margin: float = MARGIN) -> Decision:
    """The claim that the first learner's error is at most `margin` times the other's."""
    return below(effect, float(np.log(margin)))


def equivalent(effect: Effect, margin: float = MARGIN) -> Decision:
    """The claim that neither learner's error is more than `margin` times the other's: the interval lies in between."""
    edge = float(np.log(margin))
    two = below(effect, edge), above(effect, -edge)
    against = min(one.p_against for one in two)
    verdict = FAILS if against <= LEVEL else HOLDS if all(one.verdict == HOLDS for one in two) else UNDECIDED
    undecided = [one for one in two if one.verdict == UNDECIDED]
    needed, why = _hardest(undecided) if verdict == UNDECIDED else (None, "")
    return Decision(verdict, max(one.p_for for one in two), against, needed, effect, why)


def all_of(parts: Sequence[Decision]) -> Decision:
    """A claim of several parts: each has to hold."""
    if not parts:
        return Decision(UNDECIDED, float("nan"), float("nan"))
    least = float(np.min(np.append(holm([part.p_against for part in parts]), np.inf)))
    contrary = any(p <= LEVEL for p in holm([part.p_against for part in parts]))
    verdict = FAILS if contrary else HOLDS if all(part.verdict == HOLDS for part in parts) else UNDECIDED
    needed, why = (None, "")
    if verdict == UNDECIDED:
        needed, why = _hardest([part for part in parts if part.verdict != HOLDS])
    return Decision(verdict, max(part.p_for for part in parts), least, needed, None, why)


def over_sets(effects: Sequence[Effect], test: Test = superior) -> Decision:
    """One test of the mean effect over sets of runs; mixed where single sets, corrected, are for and against."""
    known = [one for one in effects if np.isfinite(one.estimate) and np.isfinite(one.error)]
    if not known:
        return Decision(UNDECIDED, float("nan"), float("nan"), why=ONE_SEED if effects else "")
    found, alone = test(pooled(known)), [test(one) for one in known]
    called = holm([min(one.p_for, one.p_against) for one in alone]) <= LEVEL
    sides = {one.p_for < one.p_against for one, sure in zip(alone, called, strict=True) if sure}
    if len(sides) < 2:
        return found
    return Decision(MIXED, found.p_for, found.p_against, None, found.effect)


ONE_SEED = "One seed tells nothing of other trainings."
NEAR = "The effect is too near to the edge of the claim to tell how many seeds it would take."
CONTRARY = "One part is contrary by itself, but not once corrected for the number of parts (Holm)."
TASKS = "More test tasks would be needed, rather than more seeds."


def _sided(effect: Effect, level: float, sign: int) -> Decision:
    if not effect.parts or not np.isfinite(effect.estimate) or not np.isfinite(effect.error):
        return Decision(UNDECIDED, float("nan"), float("nan"), None, effect, ONE_SEED if effect.seeds < 2 else "")
    held, contrary = (float(effect.p_side(way, level)) for way in (sign, -sign))
    verdict = HOLDS if held <= LEVEL else FAILS if contrary <= LEVEL else UNDECIDED
    needed, why = seeds_needed(effect, level) if verdict == UNDECIDED else (None, "")
    return Decision(verdict, held, contrary, needed, effect, why)


def seeds_needed(effect: Effect, level: float = 0.0) -> tuple[int | None, str]:
    """How many seeds of each learner would tell the effect from a level, with 80 % power, were all else as seen.

    The variance between seeds shrinks with their number, that of tasks stays; degrees of freedom grow along. It is a
    rough number, as rough as the effect and the spread that three seeds show.

    Returns:
        The number (`MOST` + 1: more than `MOST`), or None and why there is none, as a sentence.
    """
    distance = abs(float(effect.estimate) - level)
    seeds = float(sum(part for part, _ in effect.parts)) * effect.seeds  # the variance with one seed
    task = float(effect.task_part[0])
    if distance <= NOTHING * float(effect.error):
        return None, NEAR
    n = np.arange(max(effect.seeds, 2), MOST + 1)
    freedom = float(effect.freedom) * (n - 1) / max(effect.seeds - 1, 1)
    reach = stats.t.ppf(1 - LEVEL / 2, freedom) + stats.t.ppf(POWER, freedom)
    enough = reach * np.sqrt(seeds / n + task) <= distance
    if enough.any():
        return int(n[np.argmax(enough)]), ""
    normal = stats.norm.ppf(1 - LEVEL / 2) + stats.norm.ppf(POWER)
    return (MOST + 1, "") if normal * np.sqrt(task) < distance else (None, TASKS)


def _hardest(parts: Sequence[Decision]) -> tuple[int | None, str]:
    """The largest number of seeds that a part needs; None and the reason if one of them has no number."""
    for part in parts:
        if part.needed is None:
            return None, part.why or (CONTRARY if part.verdict == FAILS else "")
    return max((part.needed for part in parts if part.needed is not None), default=None), ""
