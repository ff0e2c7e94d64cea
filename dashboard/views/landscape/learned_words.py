"""What the part *Learned rules* says: answers of the probe in, sentences out."""

from collections.abc import Collection, Sequence

import numpy as np

from dashboard.views.landscape.learned_tables import BASELINE, SHARED, SIZES, at, interval, times, triple, values
from dashboard.widgets import families, numbers
from dashboard.widgets.numbers import number
from probes.questions.meta_gradients import ALL, INITIALISATION, Measured
from probes.tools.comparisons import THESE, Effect, sides
from probes.tools.intervals import Interval, of_any_sign
from probes.tools.statistics import LEAST, relation

BESIDE = {-1: "Below MAML's", 1: "Above MAML's", 0: "Not to be told from MAML's"}
ALONE = "The cosine is, of learned optimisers"
LEARNED = "learned-optimiser"  # the family that learns how to update
UNSURE = "not surely in any form"  # of curvature: no comparison is decided


def gradient_sentence(measured: Sequence[Measured], names: dict[str, str], block: str) -> str:
    """How far first-order gradients point off, MAML first, and whether learned rules differ from it."""
    base = at(measured, BASELINE, block)
    learned = [n for n in names if families.of(n) == LEARNED and at(measured, n, block) is not None]
    told = []
    if base is not None:
        told.append(f"At **MAML**'s trained weights the cosine is {numbers.interval(*triple(base, 'cosine'))}.")
    ones = {name: one for name in learned if (one := at(measured, name, block)) is not None}
    gaps = {
        name: Effect.of(of_any_sign(one.cosine - base.cosine))
        for name, one in ones.items()
        if base is not None and one.cosine.shape == base.cosine.shape
    }
    decided = dict(zip(gaps, sides(list(gaps.values())), strict=True))
    groups: dict[str, list[str]] = {}
    for name, one in ones.items():
        word = BESIDE[decided[name]] if name in decided else ALONE
        groups.setdefault(word, []).append(f"{names[name]} ({interval(one, 'cosine').mean:.2f})")
    told += [f"{word}: {', '.join(texts)}." for word, texts in groups.items()]
    if gaps:
        told.append(f"({_sure(gaps.values())}.)")
    return " ".join(told)


def _sure(effects: Collection[Effect]) -> str:
    """Over what words about several learners are sure."""
    over = "over tasks and trainings" if all(one.parts for one in effects) else f"over tasks, for {THESE} alone"
    return f"{over}, corrected for {len(effects)} comparisons by Holm's method" if len(effects) > 1 else over


def curvature_sentence(measured: Sequence[Measured], names: dict[str, str]) -> str:
    """How many times MAML's each learned optimiser's curvature is, and whether that shows at a finite distance."""
    found = {
        (name, form): ratio
        for name in names
        if families.of(name) == LEARNED
        for form in SHARED
        if (ratio := _beside(measured, name, *form)) is not None and np.isfinite(ratio.mean)
    }
    if not found:
        return ""
    effects = [Effect.of(one) for one in found.values()]
    decided = dict(zip(found, sides(effects), strict=True))
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for name, _ in found):
        means = [one.mean for (who, _), one in found.items() if who == name]
        more = [side > 0 for (who, _), side in decided.items() if who == name]
        word = "in every form" if all(more) else "in some forms" if any(more) else UNSURE
        ends = " to ".join(dict.fromkeys(number(end(means)) for end in (min, max)))
        groups.setdefault(word, []).append(f"{names[name]} ({ends} times)")
    told = [
        f"**{word}** {', '.join(groups[word])}" for word in ("in every form", "in some forms", UNSURE) if word in groups
    ]
    said = f"Of the learned optimisers, surely more curved than MAML are {'; '.join(told)} ({_sure(effects)})."
    return said + _rises(measured, names)


def _beside(measured: Sequence[Measured], name: str, field: str, block: str) -> Interval | None:
    return times(at(measured, name, block), at(measured, BASELINE, block), field)


def _rises(measured: Sequence[Measured], names: dict[str, str]) -> str:
    """Whether a random change by 2 % costs learned optimisers more than it costs MAML."""
    base = at(measured, BASELINE, ALL)
    if base is None or not values(base, "rise").size:
        return ""
    mine = {name: one for name in names if families.of(name) == LEARNED and (one := at(measured, name, ALL))}
    gaps = {
        name: Effect.of(of_any_sign(values(one, "rise") - values(base, "rise")))
        for name, one in mine.items()
        if values(one, "rise").shape == values(base, "rise").shape
    }
    more = [names[name] for name, side in zip(gaps, sides(list(gaps.values())), strict=True) if side > 0]
    cost = number(interval(base, "rise").mean)
    if more:
        return f" A random change of every tensor by 2 % costs MAML {cost}, and more only {', '.join(more)}."
    return (
        f" But a random change of every tensor by 2 % costs none of them surely more than MAML ({cost} for MAML): that "
        "a typical small change meets that curvature is not shown."
    )


def training_sentence(measured: Sequence[Measured], names: dict[str, str], pairs: Sequence[tuple[str, str]]) -> str:
    """Where trained first-order, is the same learner's meta-loss more curved than where trained exactly?"""
    found = {
        exact: ratio
        for first, exact in pairs
        if (ratio := times(at(measured, first, INITIALISATION), at(measured, exact, INITIALISATION), "eigenvalue"))
        is not None
        and np.isfinite(ratio.mean)
    }
    if not found:
        return ""
    told = [f"{names[name]} {numbers.interval(r.mean, r.low, r.high)}" for name, r in found.items()]
    effects = [Effect.of(one) for one in found.values()]
    beyond = sum(side != 0 for side in sides(effects))
    return (
        f"Training first-order instead of exactly multiplies |λ| of the initialisation: {', '.join(told)} "
        f"({beyond or 'none'} of {len(told)} decided, {_sure(effects)})."
    )


def relation_sentence(measured: Sequence[Measured], names: dict[str, str], block: str, field: str) -> str:
    """Over all trained runs: do first-order gradients point further off where the meta-loss is more curved?"""
    cosines, curved, groups = [], [], []
    for name in names:
        one = at(measured, name, block)
        if one is not None and values(one, field).size:
            by_seed = values(one, field).mean(1) if field not in SIZES else np.log(values(one, field)).mean(1)
            cosines += list(values(one, "cosine").mean(1))
            curved += list(by_seed)
            groups += [name] * len(by_seed)
    if len(set(groups)) < LEAST:
        return ""
    whole, within = (relation(np.array(curved), np.array(cosines), of) for of in (None, groups))
    text = (
        f"Over these {whole.n} runs, cosine and this curvature have a rank correlation of {whole.spearman:.2f} "
        f"(permutation p = {number(whole.spearman_p)}); among runs of the same learner {within.spearman:.2f} "
        f"(p = {number(within.spearman_p)})."
    )
    return text.replace("-0.", "−0.")
