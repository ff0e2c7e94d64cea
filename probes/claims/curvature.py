"""Claim 2: does learning an update rule put more curvature into the meta-loss than learning an initialisation?"""

from collections.abc import Mapping, Sequence

from probes.claims.finding import Beside, Finding, listed, over, several, table, told, unknown
from probes.tools.comparisons import Effect
from probes.tools.decisions import above


def more_curved(
    primary: Mapping[str, Sequence[Beside]],
    others: Sequence[tuple[str, Beside]] = (),
    forms: Sequence[tuple[str, str, Effect | None]] = (),
) -> Finding:
    """Curvature of learned rules' meta-loss as a multiple of MAML's.

    Args:
        primary: by the title of the learned rule, |lambda| |theta|^2 over all that is meta-learned, beside MAML's.
        others: further forms and learners, with a name each: they are shown and do not decide.
        forms: of those that decide, other forms over the sets of runs: (learner, form, effect).
    """
    claim = "Learning the update rule puts more curvature into the meta-loss than learning an initialisation."
    criterion = (
        "|λ| |θ|², the curvature of the meta-loss in its sharpest direction with all meta-parameters measured in their "
        "own length (it does not depend on their scale), as a multiple of MAML's: geometric mean on the same tasks and "
        "over the sets of runs, 95 % interval over tasks and trainings. Decided by "
        f"{listed(list(primary)) if primary else 'second-order learned rules'}, trained with exact meta-gradients as "
        "MAML is. Holds if each interval lies above 1, does not hold if one lies below; other forms are told beside."
    )
    found = several(primary, above, "{}, |λ| |θ|², all")
    if found is None:
        return unknown(claim, criterion)
    words = [f"{title} {told(one.effect)}" for title, one in found.parts.items()]
    by_form: dict[str, list[str]] = {}
    for title, form, effect in forms:
        by_form.setdefault(form, []).append(f"{title} {told(effect)}")
    also = "; ".join(f"{form}: {listed(some)}" for form, some in by_form.items())
    evidence = f"Times MAML's: {'; '.join(words)} ({over(next(iter(primary.values())))})."
    evidence += f" In other forms: {also}." if also else ""
    return Finding(claim, found.decision, evidence, criterion, table([*found.rows, *others], "times MAML's"))
