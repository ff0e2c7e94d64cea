"""How often are equal learners called different? The rules of `comparisons` and `decisions`, on made-up learners.

Learners of one kind have the same expected error. A training shifts the logarithm of all its errors by a normal number
(`SPREAD`); tasks are easy or hard for all, and easier for one learner than for another (lognormal: heavy tails).
Everything here is the code that decides on the pages, given many made-up results at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from probes.tools.comparisons import LEVEL, Effect, effect_of, effect_of_records, holm, pooled
from probes.tools.decisions import FAILS, HOLDS, MARGIN, MIXED, UNDECIDED

SEEDS, TASKS, SETS, LEARNERS = 3, 200, 9, 8
SPREAD = 0.3  # between trainings, standard deviation of the logarithm of the error
HARD, TASTE, REST = 1.0, 0.2, 0.2  # of tasks for all learners, for one, and for one training, on the same scale
WIDTH = 0.03  # of an error in a record, over its 2,000 test tasks
AT_ONCE = 100  # rounds in memory
BETTER = 0.2
NOW, THEN = "now", "before"
EITHER = f"{HOLDS} or {FAILS}"
UNEVEN = "equal learners, one six times as unsteady"
THEN_OVER_TASKS = "interval over tasks alone, each comparison by itself"
THEN_OVER_SETS = "lower in some set, higher in none"


@dataclass(frozen=True)
class Row:
    """How often a rule said something.

    Attributes:
        about: the made-up learners.
        where: on what they were compared.
        rule, said: which rule, and what it said.
        rate, rounds: in which share of how many rounds.
        wrong: whether it should not have said so.
    """

    about: str
    where: str
    rule: str
    said: str
    rate: float
    rounds: int
    wrong: bool = True

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of the rate."""
        return float(np.sqrt(max(self.rate * (1 - self.rate), 1 / self.rounds) / self.rounds))


def simulate(rounds: int = 4000, seed: int = 0) -> list[Row]:
    """All rows: comparisons on the same tasks, and verdicts over sets of runs from their records."""
    rng = np.random.default_rng(seed)
    return [*_comparisons(rng, rounds), *_verdicts(rng, rounds)]


# ---- Learning behaviour: learners beside a reference, on the same tasks --------------------------------


def _comparisons(rng: np.random.Generator, rounds: int) -> Iterator[Row]:
    where, equal = f"{TASKS} tasks", "equal learners"
    over_tasks, over_both = _compared(rng, rounds, 1.0)
    for p, rule in ((over_tasks, THEN), (over_both, NOW)):
        yield Row(equal, where, rule, "different", (p[:, 0] <= LEVEL).mean(), rounds)
    several = f"any of {LEARNERS} different"
    yield Row(equal, where, THEN, several, (over_tasks <= LEVEL).any(-1).mean(), rounds)
    yield Row(equal, where, NOW, f"{several} (Holm)", (holm(over_both) <= LEVEL).any(-1).mean(), rounds)
    _, better = _compared(rng, rounds, BETTER)
    told = f"different, as one of {LEARNERS} (Holm)"
    rate = (holm(better) <= LEVEL)[:, 0].mean()
    yield Row(f"{BETTER:g} times the error", where, NOW, told, rate, rounds, wrong=False)


def _compared(rng: np.random.Generator, rounds: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """p-values (rounds, learners) of learners beside a reference: over tasks alone, and over tasks and trainings."""
    found = []
    for at in range(0, rounds, AT_ONCE):
        shape = (LEARNERS + 1, min(AT_ONCE, rounds - at))
        log = HARD * rng.normal(size=(1, shape[1], 1, TASKS)) + TASTE * rng.normal(size=(*shape, 1, TASKS))
        log = log + SPREAD * rng.normal(size=(*shape, SEEDS, 1)) + REST * rng.normal(size=(*shape, SEEDS, TASKS))
        losses = np.exp(log)
        effect = effect_of(factor * losses[1:], losses[:1])
        found.append((effect.these.p().T, effect.p().T))
    over_tasks, over_both = zip(*found, strict=True)
    return np.concatenate(over_tasks), np.concatenate(over_both)


# ---- What holds here: verdicts over sets of runs, from the records -------------------------------------


def _verdicts(rng: np.random.Generator, rounds: int) -> Iterator[Row]:
    level = float(np.log(MARGIN))
    even = (SPREAD, SPREAD)
    cases = {
        "equal learners": (0.0, 0.0, even, 0.0),
        "equal on average, apart by 0.3 in single sets": (0.0, 0.3, even, 0.0),
        UNEVEN: (0.0, 0.0, (0.1, 0.6), 0.0),
        f"{MARGIN:g} times the error, a margin of {MARGIN:g}": (level, 0.0, even, level),
    }
    for about, (effect, apart, spreads, edge) in cases.items():
        each = _records(rng, (rounds, SETS), effect, apart, spreads)
        if not edge:
            then = by_sets(each)
            yield from (
                Row(about, f"{SETS} sets", THEN, said, (then == said).mean(), rounds) for said in (HOLDS, FAILS)
            )
        found = verdicts(each, edge)
        yield from (Row(about, f"{SETS} sets", NOW, said, (found == said).mean(), rounds) for said in (HOLDS, FAILS))
        yield Row(about, f"{SETS} sets", NOW, EITHER, np.isin(found, (HOLDS, FAILS)).mean(), rounds)
        if not apart:
            alone = verdicts(each[:1], edge)
            yield Row(about, "1 set", NOW, EITHER, np.isin(alone, (HOLDS, FAILS)).mean(), rounds)
    better = _records(rng, (rounds, SETS), float(np.log(0.6)), 0.0, even)
    holds = (verdicts(better, 0.0) == HOLDS).mean()
    yield Row("0.6 times the error", f"{SETS} sets", NOW, HOLDS, holds, rounds, wrong=False)


def _records(
    rng: np.random.Generator, shape: tuple[int, int], effect: float, apart: float, spreads: tuple[float, float]
) -> list[Effect]:
    """Two learners' records in every set, as effects of all rounds at once.

    The first errs exp(`effect`) times as much as the second, on average over exactly these sets; single sets are
    `apart` from it. Sets share their test tasks.
    """
    rounds, sets = shape
    own = apart * rng.normal(size=shape)
    own = effect + own - own.mean(-1, keepdims=True)
    runs = []
    for mean, spread in zip((own, np.zeros(shape)), spreads, strict=True):
        tasks = WIDTH * rng.normal(size=(rounds, 1, 1))
        runs.append(np.exp(mean[..., None] + tasks + spread * rng.normal(size=(*shape, SEEDS))))
    halves = 1.96 * WIDTH
    return [effect_of_records(*((one[:, i], halves * one[:, i]) for one in runs)) for i in range(sets)]


def verdicts(each: list[Effect], level: float) -> np.ndarray:
    """`decisions.over_sets` of every round: is the first learner's log ratio of errors below a level?"""
    alone, one = np.stack([effect.p(level) for effect in each], -1), pooled(each)
    signs = np.stack([np.sign(effect.estimate - level) for effect in each], -1) * (holm(alone) <= LEVEL)
    found = np.where(one.p(level) <= LEVEL, np.where(one.estimate < level, HOLDS, FAILS), UNDECIDED)
    return np.where((signs > 0).any(-1) & (signs < 0).any(-1), MIXED, found)


def by_sets(each: list[Effect]) -> np.ndarray:
    """The verdicts until now: lower beyond the interval in some set and higher in none holds, whatever the rest."""
    signs = np.stack([np.sign(effect.estimate) * (effect.p() <= LEVEL) for effect in each], -1)
    has, against = (signs < 0).any(-1), (signs > 0).any(-1)
    return np.where(has & against, MIXED, np.where(has, HOLDS, np.where(against, FAILS, UNDECIDED)))


def table(rows: list[Row]) -> str:
    """The rows as text."""
    head = ("made-up learners", "compared on", "rule", "said", "how often")
    cells = [
        (one.about, one.where, one.rule, one.said, f"{one.rate:6.1%} ± {one.error:.1%}{' (right)' * (not one.wrong)}")
        for one in rows
    ]
    widths = [max(len(line[i]) for line in (head, *cells)) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in (head, *cells)]
    rules = [
        f"{THEN}: {THEN_OVER_TASKS}; over sets: {THEN_OVER_SETS}",
        f"{NOW}: see probes.tools.comparisons, probes.tools.decisions",
    ]
    return "\n".join(line.rstrip() for line in [*lines, "", *rules])
