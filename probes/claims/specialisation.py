"""Claim 6: MAML and Reptile specialise, by learned output layers and by scarce data in training."""

from collections.abc import Mapping, Sequence

from probes.claims.finding import MISSING, NOTHING, Beside, Finding, Pair, listed, several, share, table, told, unknown
from probes.questions.shares import Shares
from probes.tools.comparisons import Effect
from probes.tools.decisions import above, all_of, superior
from probes.tools.intervals import of_any_sign


def heads_help(pairs: Mapping[str, Sequence[Beside]]) -> Finding:
    """A fresh output layer instead of the learned one.

    Args:
        pairs: by the learner's title, the error with a fresh head as a multiple of that with the learned one.
    """
    claim = "MAML and Reptile owe part of what they can to the output layer that they learn."
    criterion = (
        "Error after the last step with a fresh random output layer as a multiple of that with the learned one, same "
        "tasks and trainings, mean over the sets of runs, 95 % interval over tasks and trainings. Holds if it lies "
        "above 1 for both, does not hold if below for one."
    )
    found = several(pairs, above)
    if found is None:
        return unknown(claim, criterion)
    words = [f"{title} errs {told(one.effect)} times as much" for title, one in found.parts.items()]
    evidence = f"With a fresh output layer, {listed(words)}."
    return Finding(claim, found.decision, evidence, criterion, table(found.rows, "fresh / learned"))


def scarcity_helps(pairs: Mapping[str, tuple[int, int, Beside]], left_out: Sequence[str] = ()) -> Finding:
    """Trained with few points beside trained with many, both tested at few.

    Args:
        pairs: by the learner's title: few, many, error of the first as a multiple of the second.
        left_out: titles of learners without two trainings that differ in the number of points alone.
    """
    claim = "Scarce data in training makes MAML and Reptile specialists for scarce data."
    criterion = (
        "Error of the learner trained with few points as a multiple of the one trained with most, both tested with "
        "few, 95 % interval over tasks and trainings; few is the smallest number whose training differs in nothing "
        "else. Holds if it lies below 1 for both, does not hold if above for one."
    )
    alone = "no two trainings that differ in the number of points alone."
    reason = f"{listed(list(left_out))}: {alone}" if left_out else ""
    if not pairs:
        return unknown(claim, criterion, reason or MISSING)
    parts = {title: superior(one.effect) for title, (_, _, one) in pairs.items()}
    words = [
        f"{title}, trained with {few} points instead of {many} and tested with {few}, errs {told(parts[title].effect)} "
        "times as much"
        for title, (few, many, _) in pairs.items()
    ]
    evidence = f"{'; '.join(words)}. {reason}".strip()
    decision = all_of([*parts.values(), *(NOTHING for _ in left_out)])
    rows = [(f"{title}, {few} / {many}", one) for title, (few, many, one) in pairs.items()]
    return Finding(claim, decision, evidence, criterion, table(rows))


def reaches_far(found: Mapping[str, Shares]) -> Finding:
    """Influence far from the points, after meta-training less before: the same inner loop from a random start.

    Args:
        found: by the learner's title.
    """
    claim = "MAML and Reptile specialise to the tasks they were trained on: a point tells them about the wave far away."
    criterion = (
        "Share of influence that falls far from its point, less that of the same learner, with the same inner loop, "
        "as drawn before meta-training; 95 % interval over tasks and trainings. Holds if it lies above 0 for both, "
        "does not hold if below for one."
    )
    if not found:
        return unknown(claim, criterion)
    effects = {title: Effect.of(of_any_sign(100 * (one.far - one.drawn))) for title, one in found.items()}
    parts = [above(effect) for effect in effects.values()]
    words = [
        f"{title} {share(found[title].far)}, untrained {share(found[title].drawn)} ({told(effect, '+')} points)"
        for title, effect in effects.items()
    ]
    even = next(iter(found.values()))
    evidence = (
        f"Far influence: {'; '.join(words)}; spread evenly it would be {share(even.even)} "
        f"({len(even.even)} tasks, {len(even.seeds)} seeds)."
    )
    rows = [(title, Pair(f"{len(even.even)} tasks", effect)) for title, effect in effects.items()]
    return Finding(claim, all_of(parts), evidence, criterion, table(rows, "points", "+"))
