"""Claim 10: what OP-LSTM's learning is like: how far its points reach, and whether its steps follow the gradient."""

from collections.abc import Mapping

from probes.claims.finding import NOTHING, Finding, share, told, unknown
from probes.questions.shares import Shares
from probes.questions.updates import ByLearner
from probes.tools.comparisons import Effect
from probes.tools.decisions import above, all_of, below
from probes.tools.directions import GRADIENT
from probes.tools.intervals import of_any_sign

NEAR = 0.80  # what the cosine to descent never falls below on miniImageNet once training is under way
EARLY = 500  # updates from which a copy of the weights counts as trained


def reaches_as_maml(found: Mapping[str, Shares]) -> Finding:
    """How far its points reach, between MAML's and the pooled LSTM's.

    Args:
        found: by the learner's registered name.
    """
    claim = "How far a point reaches, OP-LSTM is nearer to MAML than to the plain LSTM."
    criterion = (
        "Share of far influence of OP-LSTM, less the middle between MAML's and the pooled LSTM's, 95 % interval over "
        "tasks and trainings. Holds if it lies on MAML's side, does not hold if on the LSTM's; not decided where these "
        "two cannot be told apart. It is about what points do to predictions, not about the direction of steps."
    )
    if not {"op-lstm", "maml", "lstm"} <= set(found):
        return unknown(claim, criterion)
    mine, descent, box = (found[name].far for name in ("op-lstm", "maml", "lstm"))
    apart = of_any_sign(box - descent)
    away = Effect.of(of_any_sign(100 * (mine - (descent + box) / 2)))
    decision = below(away) if apart.low > 0 else above(away) if apart.high < 0 else NOTHING
    evidence = (
        f"Far influence: OP-LSTM {share(mine)}, MAML {share(descent)}, pooled LSTM {share(box)}; OP-LSTM "
        f"less the middle of these two: {told(away, '+')} points ({away.over})."
    )
    return Finding(claim, decision, evidence, criterion)


def like_descent(found: ByLearner | None) -> Finding:
    """OP-LSTM comes near gradient descent early in training, and stays."""
    claim = "OP-LSTM's adaptation soon points down the gradient, and does so in the end."
    criterion = (
        "On miniImageNet the cosine of its whole displacement to gradient descent is 0.96 after the first 2,500 "
        f"updates, never below {NEAR:.2f} after that, and 0.94 in the end. Holds if here the interval lies above "
        f"{NEAR:.2f} both at the first copy of the weights (at least {EARLY} updates) and at the last; does not hold "
        "if it lies below at one of them, corrected for two (Holm). That OP-LSTM *can* express gradient descent is a "
        "theorem about its form; this asks whether it learns to."
    )
    if found is None or not (kept := [one for one in found.along if (one.iteration or 0) >= EARLY]):
        return unknown(claim, criterion)
    early, late = (of_any_sign(one.whole[GRADIENT].cosine[..., 0]) for one in (kept[0], kept[-1]))
    decision = all_of([above(Effect.of(one), NEAR) for one in (early, late)])
    evidence = (
        f"The cosine is {told(early)} after {kept[0].iteration:,} updates and {told(late)} after "
        f"{kept[-1].iteration:,} ({late.tasks} tasks, {late.seeds} seeds); on "
        "miniImageNet it was 0.96 early, 0.80 in between and 0.94 late."
    )
    return Finding(claim, decision, evidence, criterion)
