"""Claim 5: finetuning looks after the loss at once, MAML after the one some steps later, Reptile after both."""

from collections.abc import Mapping, Sequence

from probes.claims.finding import Beside, Finding, decided, listed, over, several, table, told, unknown
from probes.tools.decisions import above, all_of, superior

BOTH = (
    "Ratios of query errors before any step and after the last one of an evaluation, on the same held-out tasks, mean "
    "over the sets of runs, 95 % interval over tasks and trainings."
)


def finetuning_starts_best(starts: Mapping[str, Sequence[Beside]], nothing: float) -> Finding:
    """Others beside finetuning, before any step.

    Args:
        starts: by the other's title.
        nothing: the error of saying 0 everywhere, as a multiple of finetuning's before any step.
    """
    claim = "Finetuning, which minimises the loss before any step, starts best."
    criterion = (
        f"{BOTH} Holds if the errors of MAML and Reptile are higher before any step, does not hold if one is lower."
    )
    found = several(starts, above, "start, {} / finetuning")
    if found is None:
        return unknown(claim, criterion)
    words = [f"{title}'s error is {told(one.effect)} times finetuning's" for title, one in found.parts.items()]
    evidence = f"Before any step, {listed(words)}; saying 0 everywhere errs {nothing:.2f} times as much."
    return Finding(claim, found.decision, evidence, criterion, table(found.rows))


def maml_ends_better(ends: Sequence[Beside]) -> Finding:
    """MAML beside finetuning, after the last step."""
    claim = "MAML, which minimises the loss after some steps, ends better than finetuning."
    criterion = f"{BOTH} Holds if MAML's error is lower than finetuning's after the last step, does not hold if higher."
    if not ends:
        return unknown(claim, criterion)
    found = decided(ends, superior)
    evidence = f"After the last step, MAML's error is {told(found.effect)} times finetuning's ({over(ends)})."
    return Finding(claim, found, evidence, criterion, table([("end, MAML / finetuning", one) for one in ends]))


def reptile_minds_both(starts: Sequence[Beside], ends: Sequence[Beside]) -> Finding:
    """Reptile's start beside MAML's, its end beside finetuning's."""
    claim = "Reptile, which weighs every step, starts better than MAML and ends better than finetuning."
    criterion = (
        f"{BOTH} Holds if Reptile's error is lower than MAML's before any step and lower than finetuning's after the "
        "last one, does not hold if one of the two is the other way round."
    )
    if not starts or not ends:
        return unknown(claim, criterion)
    parts = decided(starts, superior), decided(ends, superior)
    evidence = (
        f"Reptile's error is {told(parts[0].effect)} times MAML's before any step, and {told(parts[1].effect)} times "
        f"finetuning's after the last one ({over(starts)})."
    )
    rows = [("start, Reptile / MAML", one) for one in starts] + [("end, Reptile / finetuning", one) for one in ends]
    return Finding(claim, all_of(parts), evidence, criterion, table(rows))
