"""SAP operations, *What holds here*: the readings about what SAP adapts, and how each is decided.

The functions that decide take answers and contests, and nothing else; `readings` fetches what is shipped.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from dashboard.figures.operations import spoken
from dashboard.views.operations import structure
from dashboard.views.operations.anatomy import TASKS, worth_relation
from dashboard.widgets import contests, shipped
from dashboard.widgets.contests import Contest
from dashboard.widgets.holds import HOLDS, UNDECIDED, Reading, decided, not_tested, of
from engine.learners import make
from probes.claims import sap
from probes.claims.finding import MISSING, told
from probes.questions.subspace import Anatomy
from probes.tools.comparisons import Effect
from probes.tools.decisions import above, all_of, over_sets
from probes.tools.intervals import Interval, over_seeds

FEW = 40  # numbers of an operation that counts as low-dimensional
COMPARABLE = ("maml", "t-net", "mt-net", "warp-maml", "film")
SHIFTS = ("scalar-shift", "vector-shift")
STRENGTHS, WORTH, MATCH, OTHERS = "Strengths", "Worth", "Match with the tasks", "Other learners"


@st.cache_data(show_spinner=False, ttl=600)
def readings() -> list[Reading]:
    """All of them, from records and answers that are shipped."""
    found: dict[str, Anatomy] = {}
    for learner in ("sap", "sap-first-order"):
        for shots in shipped.SETS:
            asked = shipped.answers("subspace", shots, (learner,), tasks=TASKS, importance=True)
            found |= {f"{e.learner.title}, {shots} points": said.anatomies[0] for e, said in asked.values()}
    return [
        of(sap.matches(structure.experiments()), MATCH),
        beats({make(name).title: contests.contests("sap", name) for name in COMPARABLE}),
        preferred(found),
        shifts_are_strong(found),
        not_tested("On images, simple low-dimensional operations get high strengths."),
        strength_is_worth(found),
        order_costs(contests.contests("sap", "sap-first-order")),
    ]


def beats(compared: Mapping[str, Sequence[Contest]]) -> Reading:
    """Claim 11: SAP beats comparable gradient-based learners on sine."""
    claim = "SAP beats comparable gradient-based learners on sine."
    criterion = (
        f"Comparable: {', '.join(compared)}, which all adapt by gradients from a learned start. "
        "Test errors, in the geometric mean over all shipped sets of runs that have both. Holds if the ratio "
        "with its 95 % interval lies below 1 against each; does not hold if it lies above 1 against one, corrected for "
        "their number (Holm)."
    )
    known = {title: found for title, found in compared.items() if found}
    if not known:
        return Reading(claim, UNDECIDED, "No shipped set of runs has SAP and another.", criterion, OTHERS)
    parts = {title: contests.verdict(found) for title, found in known.items()}
    ratios = "; ".join(contests.briefly(found, title) for title, found in known.items())
    left = [title for title, one in parts.items() if one.verdict != HOLDS]
    said = f"Not beaten beyond the interval: {', '.join(left)}." if left else "It beats each of them."
    evidence = f"SAP's error, as a multiple of theirs (tasks and trainings): {ratios}. {said}"
    tables = [contests.table(found, "SAP", title) for title, found in known.items()]
    return decided(claim, all_of(list(parts.values())), evidence, criterion, OTHERS, "\n\n".join(tables))


def preferred(found: Mapping[str, Anatomy]) -> Reading:
    """Claim 12 on sine, with strengths normalised."""
    claim = "Low-dimensional operations are preferred, once strengths are divided by their start."
    criterion = (
        f"Mean of strength / start over operations with at most {FEW} numbers, less that over larger ones, one "
        "difference per seed, in the mean over sets of runs; asked of all operations, and of those that share a "
        "softmax with larger ones. Holds if both intervals lie above 0; does not hold if one lies below 0 (Holm)."
    )
    if not found:
        return Reading(claim, UNDECIDED, MISSING, criterion, STRENGTHS)
    every = {name: gaps(one) for name, one in found.items()}
    asked = [over_sets([Effect.of(pair[which]) for pair in every.values()], above) for which in (0, 1)]
    first, (everywhere, inside) = next(iter(every.items()))
    means = [told(one.effect, "+.2f") if one.effect else "not known" for one in asked]
    evidence = (
        f"In the mean over {len(every)} sets of runs: {means[0]} times the start over all operations, {means[1]} where "
        f"small and large ones share a softmax ({first}: {told(everywhere, '+.2f')} and {told(inside, '+.2f')})."
    )
    rows = [f"| {name} | {told(a, '+.3f')} | {told(b, '+.3f')} |" for name, (a, b) in every.items()]
    table = "\n".join(["| runs | all operations | in one softmax |", "|---|---|---|", *rows])
    return decided(claim, all_of(asked), evidence, criterion, STRENGTHS, table)


def gaps(found: Anatomy) -> tuple[Interval, Interval]:
    """Strength over start, small less large operations: over all, and over the mixes that hold both kinds."""
    relative = found.strengths / found.start
    small = (found.sizes > 0) & (found.sizes <= FEW)
    large = found.sizes > FEW
    mix = np.array([name.split(".")[0] + ("+" if name.endswith("shift") else "*") for name in found.operations])
    inside = np.isin(
        mix, [one for one in np.unique(mix) if (small & (mix == one)).any() and (large & (mix == one)).any()]
    )

    def gap(among: np.ndarray) -> Interval:
        if not (small & among).any() or not (large & among).any():
            return over_seeds(np.array([]))
        return over_seeds(relative[:, small & among].mean(1) - relative[:, large & among].mean(1))

    return gap(np.ones_like(small)), gap(inside)


def shifts_are_strong(found: Mapping[str, Anatomy]) -> Reading:
    """Claim 12 on sine: what FiLM would adapt gets high strengths."""
    claim = "Scalar and vector shifts get high strengths, as FiLM would have it."
    criterion = (
        "For each shift in the hidden layers: does the interval over seeds of strength / start lie above 1? Holds if "
        "all do; does not hold if one lies below 1 (Holm). Asked of SAP in the first set of runs."
    )
    if not found:
        return Reading(claim, UNDECIDED, MISSING, criterion, STRENGTHS)
    name, one = next(iter(found.items()))
    relative = one.strengths / one.start
    shifts = [i for i, operation in enumerate(one.operations) if operation.split(".")[1] in SHIFTS]
    intervals = [over_seeds(relative[:, i]) for i in shifts]
    parts = [f"{spoken(one.operations[i])} {told(at)}" for i, at in zip(shifts, intervals, strict=True)]
    evidence = f"{name}, times the start: {'; '.join(parts)}."
    return decided(claim, all_of([above(Effect.of(at), 1.0) for at in intervals]), evidence, criterion, STRENGTHS)


def strength_is_worth(found: Mapping[str, Anatomy]) -> Reading:
    """What reading strengths takes for granted."""
    claim = "The stronger an operation, the more it matters."
    criterion = (
        "Rank correlation, over operations, of strength / start with the error when the operation alone does not "
        "adapt; one per seed. Holds if its mean over sets of runs lies above 0 with its interval, does not hold if "
        "below; mixed if single sets, corrected for their number (Holm), are on both sides."
    )
    asked = {name: worth_relation(one) for name, one in found.items() if len(one.still)}
    if not asked:
        return Reading(claim, UNDECIDED, MISSING, criterion, WORTH)
    decision = over_sets([Effect.of(one) for one in asked.values()], above)
    mean = f"; mean {told(decision.effect, '+.2f')}" if decision.effect and len(asked) > 1 else ""
    evidence = "; ".join(f"{name} {told(one, '+.2f')}" for name, one in asked.items())
    return decided(claim, decision, f"Rank correlations: {evidence}{mean}.", criterion, WORTH)


def order_costs(found: Sequence[Contest]) -> Reading:
    """Claim 3, for SAP."""
    claim = "First-order meta-gradients cost SAP accuracy (on images 0.2 to 7.3 points)."
    return contests.reading(claim, found, ("SAP", "first-order SAP"), OTHERS, also="On images: not tested here.")
