"""Learning behaviour, *What holds here*: claims 1, 3, 5 and 6, from records and answers that are shipped."""

from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np
import streamlit as st

from dashboard.widgets import contests, shipped
from dashboard.widgets.holds import Reading, of
from engine.learners import make
from probes.claims import first_order, learned_optimisers, objectives, specialisation
from probes.claims.finding import Pair
from probes.questions.behaviour import Curve
from probes.questions.heads import Contribution
from probes.questions.shots import ByShots
from probes.tools.comparisons import compare, of_change

TRAINED = (5, 10, 20)  # the same for scarce data
TASKS = 200
SPECIALISTS = ("maml", "reptile")
AHEAD, FACTORS, DIFFERENCES = "Looking ahead", "Factors", "Adaptation"


@st.cache_data(show_spinner=False, ttl=600)
def readings() -> list[Reading]:
    """All of them."""
    against = contests.contests
    found = curves()
    starts, ends = paired_curves(found)
    first = {make(name).title: starts(name, "finetuning") for name in SPECIALISTS}
    return [
        of(
            learned_optimisers.gap_closes(against("maml", "meta-lstm"), against("meta-lstm-enhanced", "maml")),
            DIFFERENCES,
        ),
        of(learned_optimisers.on_par(against("turtle-first-order", "meta-lstm")), DIFFERENCES),
        of(learned_optimisers.second_order_is_better(against("turtle", "meta-lstm")), DIFFERENCES),
        of(first_order.little(against("fomaml", "maml")), FACTORS),
        of(
            first_order.much(against("turtle-first-order", "turtle"), against("meta-lstm", "meta-lstm-enhanced")),
            FACTORS,
        ),
        of(objectives.finetuning_starts_best(first, nothing(found)), AHEAD),
        of(objectives.maml_ends_better(ends("maml", "finetuning")), AHEAD),
        of(objectives.reptile_minds_both(starts("reptile", "maml"), ends("reptile", "finetuning")), AHEAD),
        of(specialisation.heads_help(heads()), FACTORS),
        of(specialisation.scarcity_helps(*scarce()), FACTORS),
    ]


def curves() -> dict[int, dict[str, Curve]]:
    """Losses by inner step, by points in training and learner."""
    names = ("finetuning", *SPECIALISTS)
    every = {k: shipped.answers("behaviour", k, names, tasks=TASKS) for k in shipped.SETS}
    return {k: {name: said.curves[0] for name, (_, said) in found.items()} for k, found in every.items()}


def paired_curves(
    found: Mapping[int, Mapping[str, Curve]],
) -> tuple[Callable[[str, str], list[Pair]], Callable[[str, str], list[Pair]]]:
    """How to pair two learners before any step, and after their last one, in every set that has both."""

    def at(stop: int) -> Callable[[str, str], list[Pair]]:
        def pairs(mine: str, other: str) -> list[Pair]:
            both = {k: (by[mine], by[other]) for k, by in found.items() if mine in by and other in by}
            return [
                Pair(shipped.where(k), compare(a.losses[..., stop], b.losses[..., stop]).effect)
                for k, (a, b) in both.items()
                if a.tasks == b.tasks
            ]

        return pairs

    return at(0), at(-1)


def nothing(found: Mapping[int, Mapping[str, Curve]]) -> float:
    """The error of saying 0 everywhere, as a multiple of finetuning's before any step: mean over the sets."""
    starts = [by["finetuning"] for by in found.values() if "finetuning" in by]
    return float(np.mean([curve.nothing / np.nanmean(curve.losses[..., 0]) for curve in starts])) if starts else np.nan


def heads() -> dict[str, list[Pair]]:
    """A fresh output layer beside the learned one, after the last step."""
    found: dict[str, list[Pair]] = {make(name).title: [] for name in SPECIALISTS}
    for k in shipped.SETS:
        for _, said in shipped.answers("heads", k, SPECIALISTS, tasks=TASKS).values():
            one: Contribution = said.answers[0]
            effect = of_change(one.learned[..., -1], one.fresh[..., -1])
            found[make(one.learner).title].append(Pair(shipped.where(k), effect))
    return found


def scarce() -> tuple[dict[str, tuple[int, int, Pair]], list[str]]:
    """Trained with few points beside trained with most, tested with few; and who has no such two trainings."""
    by_shots = {k: shipped.answers("shots", k, SPECIALISTS, tasks=TASKS, shots=TRAINED) for k in TRAINED}
    pairs, left_out = {}, []
    for name in SPECIALISTS:
        known = {k: found[name] for k, found in by_shots.items() if name in found}
        most = max(known, default=0)
        alike = [k for k in known if k < most and asdict(known[k][0].learner) == asdict(known[most][0].learner)]
        if not alike:
            left_out.append(make(name).title)
            continue
        few = min(alike)
        mine, other = (at_points(known[k][1].answers[0], few) for k in (few, most))
        pairs[make(name).title] = few, most, Pair(f"tested with {few} points", compare(mine, other).effect)
    return pairs, left_out


def at_points(said: ByShots, points: int) -> np.ndarray:
    """Losses (seeds, tasks) with a number of support points."""
    return np.asarray(said.losses[..., int(np.flatnonzero(said.shots == points)[0])])
