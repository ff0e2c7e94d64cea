"""What the page Attribution says beside its figures, and the sentences with numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from dashboard.widgets.numbers import number, percent
from probes.questions.attribution import Attributions, OfLearner
from probes.tools.conductance import carrying

POINTS = r"""
Two of the methods ask about **points**, by taking them away and adapting again:

- **Shapley value**: what the point adds to the prediction, averaged over the orders in which points may join,
 $\varphi_i = \mathbb{E}_P \left[ f(x^*; P \cup i) - f(x^*; P) \right]$. All of them sum to the whole change from the
 learner before its first inner step to the learner after its last.
- **Leave one out**: $f(x^*; S) - f(x^*; S \setminus i)$. Two points that say the same each look useless.

and two about **labels**, with all inputs in place:

- **Integrated gradients** (arXiv 1703.01365, by Captum) through the whole inner loop:
 $(y_i - y'_i) \int_0^1 \partial f(x^*; y' + s (y - y')) / \partial y_i \, ds$, from labels $y'$ that say nothing.
- **Walked labels**: the same line, in short stretches in which one label moves after the other; each gets what changes
 as it moves.

The last two agree where $f$ is smooth in the labels. It is not for learners that backpropagate through ReLUs: a unit
that switches at a support point makes their steps *jump* (as does Adam, where a gradient changes its sign). No
derivative sees that, and integrated gradients then miss their sum however fine the integral; the sentence above the
figure says by how much. A walk never misses it.

Orange pushes the prediction up, blue pulls it down; lines to the query are as wide as the influence is large. Thin
curve: before the first step; grey dots: the true wave; black ranges: seeds.
"""

REACH = r"""
Each row is a support point (its own place is the dot), each column a query: what the point adds to the prediction
there. A learner that only interpolates shows a diagonal: points matter near themselves. A learner that knows the family
shows whole rows: a point says something about the amplitude and the phase, and so about the wave everywhere.
"""

LAYERS = r"""
Shapley values of the layers' changes: every set of layers is given its adapted weights, the others their first ones,
and the contribution of a layer is averaged over all orders. They sum to the change of the prediction at $x^*$. Learners
that adapt something else (SAP's operations, FiLM's scales, a warp) are folded into the ReLU network that they amount
to. The plain LSTMs have no network that adapts.
"""

UNITS = r"""
**Conductance** (arXiv 1805.12233, by Captum): integrated gradients of the prediction from input 0 to $x^*$, as far as
they pass through the unit; over a layer they sum to $f(x^*) - f(0)$. A dot on the diagonal: a unit that carries the
same before and after adapting. **Carrying units** is $(\sum_u |c_u|)^2 / \sum_u c_u^2$: 40 if all carry alike, 1 if one
carries all.
"""


def influence_sentence(
    found: Attributions, titles: Mapping[str, str], methods: Mapping[str, Sequence[np.ndarray]], shown: str
) -> str:
    """For each learner: the prediction before and after, and the point that moved it most."""
    told = []
    for one, values in zip(found.answers, methods[shown], strict=True):
        before, after = float(one.before[:, found.at].mean()), float(one.after[:, found.at].mean())
        mean = values.mean(0)
        if not np.isfinite(mean).any():
            told.append(f"**{titles[one.learner]}** ran away on some of the points")
            continue
        top = int(np.nanargmax(np.abs(mean)))
        told.append(
            f"**{titles[one.learner]}** goes from {before:.2f} to {after:.2f}, most by the point at "
            f"x = {found.points[top, 0]:.1f} ({mean[top]:+.2f})"
        )
    return f"At x = {found.grid[found.at]:.1f}: {'; '.join(told)}."


def missing_sentence(found: Attributions, titles: Mapping[str, str]) -> str:
    """By how much integrated gradients miss their sum, and how exact Shapley values are."""
    missed = [f"{titles[one.learner]} {percent(float(one.completeness_error.mean()))}" for one in found.answers]
    parts = [f"Integrated gradients miss their sum by (share of the sum of their sizes): {', '.join(missed)}."]
    if found.exact:
        parts.append(f"Shapley values weigh all {2 ** len(found.points):,} coalitions.")
    else:
        error = [f"{titles[one.learner]} ±{number(float(one.shapley_error.mean()))}" for one in found.answers]
        parts.append(f"Shapley values are sampled; standard error of one value: {', '.join(error)}.")
    return " ".join(parts)


def reach_sentence(found: Attributions, titles: Mapping[str, str], values: Sequence[np.ndarray], far: float) -> str:
    """How much of all influence is far from the point that it comes from."""
    away = np.abs(found.points[:, :1] - found.grid) > far  # (K, queries)
    told = []
    for one, mine in zip(found.answers, values, strict=True):
        size = np.abs(mine)
        told.append(f"{titles[one.learner]} {percent(np.nansum(size * away) / max(np.nansum(size), 1e-12))}")
    even = float(away.mean())
    return (
        f"Share of all influence that falls more than {far:g} away from its point: {', '.join(told)} "
        f"(if it were spread evenly: {percent(even)})."
    )


def layers_sentence(answers: Sequence[OfLearner], titles: Mapping[str, str]) -> str:
    """The layer that moved the prediction most, by learner."""
    told = []
    for one in answers:
        size = np.abs(one.by_layer).mean(0)
        share = size / max(size.sum(), 1e-12)
        told.append(f"{titles[one.learner]} {one.layers[int(share.argmax())]} ({percent(share.max())})")
    return f"Most of the movement: {', '.join(told)}; sizes of the layers' contributions, mean over seeds."


def units_sentence(answers: Sequence[OfLearner], titles: Mapping[str, str]) -> str:
    """Carrying units before and after, and how alike the two are, in the last hidden layer."""
    told = []
    for one in answers:
        last = one.units[-1]
        before, after = (float(np.mean(carrying(values))) for values in (last.before, last.after))
        pairs = zip(last.before, last.after, strict=True)
        alike = np.mean([np.corrcoef(a, b)[0, 1] if a.std() and b.std() else np.nan for a, b in pairs])
        r = f", r = {alike:.2f}" if np.isfinite(alike) else ""
        told.append(f"{titles[one.learner]} {before:.0f} → {after:.0f}{r}")
    return (
        f"Carrying units of the last hidden layer, before → after adapting: {'; '.join(told)} "
        "(r: correlation of the units' conductances before and after)."
    )
