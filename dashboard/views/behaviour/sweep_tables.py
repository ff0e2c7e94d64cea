"""The tables and sentences of the page's sweeps: shots, shift, heads, scarce data, the toy."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from dashboard.figures.sweeps import Pair, Sweep
from dashboard.views.behaviour.tables import ran_away, sure_over, triple
from dashboard.widgets.numbers import number, percent
from engine.runs.ensembles import Ensemble
from engine.runs.groups import APART
from engine.studies.toy import Toy
from probes.questions.heads import Contribution
from probes.questions.shift import Shift
from probes.questions.shots import ByShots
from probes.tools.comparisons import Effect, compare, level_with_best, of_change, sides
from probes.tools.flow import Flow
from probes.tools.intervals import of_any_sign, over_tasks_and_seeds


def shot_sweeps(answers: Sequence[ByShots], names: dict[str, str]) -> list[Sweep]:
    """Loss against number of support points."""
    return [sweep(answer.learner, names, answer.shots, answer.losses) for answer in answers]


def shift_sweeps(answer: Shift, names: dict[str, str], *, relative: bool) -> list[Sweep]:
    """Loss along the first axis, or as a share of the loss of saying 0."""
    found = []
    for part in answer.answers:
        scale = part.nothing[:, 0] if relative else 1.0
        found.append(sweep(part.learner, names, answer.values, part.losses[..., 0] / scale))
    return found


def sweep(learner: str, names: dict[str, str], x: np.ndarray, losses: np.ndarray) -> Sweep:
    """Means of losses (seeds, tasks, n) with their intervals."""
    mean, low, high = np.array([triple(over_tasks_and_seeds(losses[..., i])) for i in range(len(x))]).T
    return Sweep(learner, names[learner], np.asarray(x, float), mean, low, high)


def sweep_rows(found: Sequence[Sweep], axis: str) -> pd.DataFrame:
    """One row for each learner and place."""
    rows: list[dict[str, Any]] = []
    for one in found:
        for x, mean, low, high in zip(one.x, one.mean, one.low, one.high, strict=True):
            rows.append({"learner": one.title, axis: x, "mean": mean, "low": low, "high": high})
    return pd.DataFrame(rows)


def pairs(answers: Sequence[Contribution], names: dict[str, str]) -> list[Pair]:
    """Score after the last step with the learned and with a fresh head."""
    found = []
    for part in answers:
        if part.learned_right is not None and part.fresh_right is not None:
            two = [triple(of_any_sign(right[..., -1])) for right in (part.learned_right, part.fresh_right)]
        else:
            two = [triple(over_tasks_and_seeds(losses[..., -1])) for losses in (part.learned, part.fresh)]
        found.append(Pair(part.learner, names[part.learner], two[0], two[1]))
    return found


def head_rows(answers: Sequence[Contribution], names: dict[str, str]) -> pd.DataFrame:
    """One row for each learner: both scores, and how many times the first the second is (each seed its own control).

    Of accuracies, what the second is less the first.
    """
    rows = []
    for part, pair in zip(answers, pairs(answers, names), strict=True):
        if part.learned_right is not None and part.fresh_right is not None:
            name = "difference"
            cost = Effect.of(of_any_sign(part.fresh_right[..., -1] - part.learned_right[..., -1]))
        else:
            name, cost = "times", of_change(part.learned[..., -1], part.fresh[..., -1])
        rows.append(
            {"learner": pair.title, "learned head": pair.learned[0], "fresh head": pair.fresh[0]}
            | dict(zip((name, "low", "high"), cost.shown, strict=True))
            | {"tasks": cost.tasks, "seeds": cost.seeds}
        )
    return pd.DataFrame(rows)


def head_sentence(answers: Sequence[Contribution], names: dict[str, str]) -> str:
    """What a fresh head costs each learner, most first."""
    rows = head_rows(answers, names)
    away = ran_away(names, ((a.learner, a.diverged[1], a.fresh[..., 0].size) for a in answers))
    if "difference" in rows:
        rows = rows[np.isfinite(rows["difference"])].sort_values("difference")
        told = [f"{row.learner} by {number(row.difference)}" for row in rows.itertuples()]
        return f"A fresh head changes the accuracy of {', '.join(told)}. {away}".strip() if told else ""
    rows = rows[np.isfinite(rows["times"])].sort_values("times", ascending=False)
    if rows.empty:
        return ""
    told = [f"{row.learner} by {number(row.times)}" for row in rows.itertuples()]
    return f"A fresh head multiplies the loss (geometric mean over seeds) of {', '.join(told)}. {away}".strip()


def shots_sentence(answers: Sequence[ByShots], names: dict[str, str]) -> str:
    """Who is best with the fewest and with the most points, and who cannot be told from it."""
    told = []
    for at in (0, -1):
        losses = [a.losses[..., at] for a in answers]
        best, level = level_with_best(losses)
        k = int(answers[0].shots[at])
        mean = over_tasks_and_seeds(losses[best]).mean
        others = f", level with {', '.join(names[answers[i].learner] for i in level)}" if level else ""
        told.append(f"with {k} point{'s' * (k != 1)} **{names[answers[best].learner]}** ({number(mean)}{others})")
    return f"Lowest mean loss {told[0]}; {told[1]}{_corrected(len(answers))}."


def _corrected(learners: int) -> str:
    """Over what *level* is decided, after a sentence with the best of several learners."""
    pairs = learners * (learners - 1) // 2
    return f" (level: {sure_over(pairs, of='pairs')})" if pairs else ""


def joined(answers: Sequence[Shift]) -> Shift:
    """The answers about one learner each as one answer about all of them."""
    return replace(answers[0], answers=[part for one in answers for part in one.answers])


def shift_sentence(found: Shift, names: dict[str, str], trained: tuple[float, float], *, relative: bool) -> str:
    """Who is best inside the training range (on average over its values) and who at the far end; who is level."""
    x = found.values
    inside = (x >= trained[0] - 1e-9) & (x <= trained[1] + 1e-9)
    if not inside.any() or inside[-1]:
        return ""
    every = [part.losses[..., 0] / (part.nothing[:, 0] if relative else 1.0) for part in found.answers]
    titles = [names[part.learner] for part in found.answers]
    near, far = [losses[..., inside].mean(-1) for losses in every], [losses[..., -1] for losses in every]
    told = []
    for losses in (near, far):
        best, level = level_with_best(losses)
        others = f", level with {', '.join(titles[i] for i in level)}" if level else ""
        told.append((best, f"**{titles[best]}** ({number(over_tasks_and_seeds(losses[best]).mean)}{others}"))
    best = told[1][0]
    factor = over_tasks_and_seeds(far[best]).mean / over_tasks_and_seeds(near[best]).mean
    return (
        f"Lowest mean loss where training was: {told[0][1]}); at {x[-1]:g}: {told[1][1]}; {number(factor)} times its "
        f"own inside){_corrected(len(every))}."
    )


def mapped(answers: Sequence[Shift]) -> tuple[pd.DataFrame, np.ndarray]:
    """Mean losses at every pair of values, and what the map shows (n, m): those, or the ratio of two learners'."""
    parts = [part for one in answers for part in one.answers]
    means = [
        np.array(
            [[over_tasks_and_seeds(p.losses[:, :, i, j]).mean for j in range(p.losses.shape[3])] for i in range(n)]
        )
        for p, n in ((part, part.losses.shape[2]) for part in parts)
    ]
    first = answers[0]
    rows: list[dict[str, Any]] = []
    for i, up in enumerate(first.values):
        for j, right in enumerate(first.second_values):
            row: dict[str, Any] = {first.axis: up, str(first.second): right}
            rows.append(row | {part.learner: mean[i, j] for part, mean in zip(parts, means, strict=True)})
    return pd.DataFrame(rows), means[0] / means[1] if len(means) > 1 else means[0]


def map_sentence(answers: Sequence[Shift], names: dict[str, str]) -> str:
    """In how many cells which of two learners is better, by the trainings too."""
    first, second = names.values()
    one, other = (part.losses for answer in answers for part in answer.answers)  # (seeds, tasks, n, m)
    places = list(np.ndindex(one.shape[2:]))
    decided = sides([compare(one[(..., *at)], other[(..., *at)]).effect for at in places])
    return (
        f"{first} is better in {decided.count(-1)} of {len(places)} cells, {second} in {decided.count(1)}; undecided "
        f"in {decided.count(0)} ({sure_over(len(places))})."
    )


def scarcity_sentence(found: Mapping[str, Mapping[int, ByShots]]) -> str:
    """For how many learners, and at which shots, those trained as they are tested are best, and how sure that is."""
    own, told, cases, effects = 0, [], [], []
    for title, by_shots in found.items():
        best = []
        for k in by_shots:
            at = {trained: one.losses[..., one.shots.tolist().index(k)] for trained, one in by_shots.items()}
            means = {trained: over_tasks_and_seeds(losses).mean for trained, losses in at.items()}
            known = {trained: mean for trained, mean in means.items() if np.isfinite(mean)}
            if k in known:
                winner = min(known, key=known.__getitem__)
                own += winner == k
                best.append(f"{k} → {winner}")
                others = [trained for trained in known if trained != k]
                cases.append(len(others))
                effects += [compare(at[k], at[trained]).effect for trained in others]
        told.append(f"{title} {', '.join(best)}")
    decided = iter(sides(effects))
    by_case = [[next(decided) for _ in range(n)] for n in cases]
    best_in, beaten = sum(all(one < 0 for one in case) for case in by_case), sum(1 in case for case in by_case)
    return (
        f"Trained as tested has the lowest mean in {own} of {len(cases)} cases; it is better than every other in "
        f"{best_in}, worse than one in {beaten}, the rest is undecided ({sure_over(len(effects))}). Shots at test → "
        f"shots in training with the lowest mean: {'; '.join(told)}."
    )


def unlike_sentence(trained: Mapping[str, Mapping[int, Ensemble]]) -> str:
    """Which learners' settings differ between the numbers of shots in training, by title; empty if none do."""
    told = []
    for title, by_shots in trained.items():
        settings = {
            k: asdict(one.learner)
            | {n: v for n, v in (one.runs[0].record.get("training") or {}).items() if n not in APART}
            for k, one in by_shots.items()
        }
        for name in dict.fromkeys(name for values in settings.values() for name in values):
            by_value: dict[str, list[str]] = {}
            for k, values in settings.items():
                by_value.setdefault(str(values.get(name)), []).append(str(k))
            if len(by_value) > 1:
                parts = [f"{value} at {' and '.join(at)}" for value, at in by_value.items()]
                told.append(f"{title}, {name} {', '.join(parts)}")
    return f"Trainings of a learner differ in more than their shots: {'; '.join(told)}." if told else ""


def toy_rows(toy: Toy, found: Flow, names: dict[str, str]) -> pd.DataFrame:
    """One row for each place where a learner of the toy ends: x, share of starts, loss there and after T steps."""
    rows: list[dict[str, Any]] = []
    for learner, title in names.items():
        for x, share in found.ends(learner):
            at = np.array(x)
            rows.append(
                {
                    "learner": title,
                    "x": x,
                    "share of starts": share,
                    "closed form": found.fixed[learner],
                    "direct loss": float(toy.direct_loss(at)),
                    "after T steps": float(toy.loss_after_adaptation(at)),
                }
            )
    return pd.DataFrame(rows)


def toy_sentence(rows: pd.DataFrame, found: Flow, steps: int) -> str:
    """Where each ends, what it pays at once, and what it has after T steps."""
    told = []
    for title, here in rows.groupby("learner", sort=False):
        if len(here) > 3:
            told.append(f"**{title}** has not settled after {found.visits[-1]:,} pairs of visits")
            continue
        places = []
        for _, row in here.iterrows():
            share = f" ({percent(row['share of starts'])} of starts)" if len(here) > 1 else ""
            losses = f"loss {number(row['direct loss'])}, then {number(row['after T steps'])}"
            places.append(f"{row.x:.1f}{share}: {losses}")
        told.append(f"**{title}** ends at {' or '.join(places)}")
    return f"{'; '.join(told)} after {steps} step{'s' * (steps != 1)}."
