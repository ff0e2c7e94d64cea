"""Update rules, *Directions*: which way updates point, step by step, as a whole, and through training."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.figures import rules_directions as figures
from dashboard.views.rules import words
from dashboard.views.rules.controls import pick
from dashboard.widgets import page, shipped
from dashboard.widgets.layout import row
from dashboard.widgets.naming import titles
from engine.runs.ensembles import Ensemble
from probes.questions.updates import ALL, GRADIENT, LEAST_SQUARES, PROTOTYPES, REFERENCES, ByLearner, Likeness, Moment

TASKS, ALONG = shipped.UPDATES["tasks"], shipped.UPDATES["tasks_along"]
NAMES = {GRADIENT: "gradient descent", LEAST_SQUARES: "least-squares head", PROTOTYPES: "prototypes"}
MEASURES = {"cosine": "cosine", "distance": "Euclidean distance"}
LONGEST = 40  # steps drawn; learners with many more would squeeze the others


def show_directions(ensembles: list[Ensemble]) -> None:
    """Cosines and distances to gradient descent, to the least-squares head and to the prototypes."""
    with row():
        reference = pick("Compared with", REFERENCES, "reference", GRADIENT, NAMES)
        measure = pick("Measure", MEASURES, "measure", "cosine", MEASURES)
        parts = ["all layers", "layer 1", "layer 2", "output layer"]
        part = pick("Part of the network", parts, "part-of", ALL) if reference == GRADIENT else "output layer"
    told = page.answers_of("updates", ensembles, "Watching", tasks=TASKS, tasks_along=ALONG)
    found: list[ByLearner] = [one for answer in told for one in answer.answers]
    names = titles(ensembles)
    curves = passes(found, names, reference, measure, part)
    random = spread(found, part) if measure == "cosine" else None
    where = "of the whole network" if part == ALL else f"of {part.replace('output', 'the output')}"
    page.frame(
        words.STEP_QUESTIONS[reference],
        f"{MEASURES[measure].capitalize()} between what a step writes ({where}) and {words.TARGETS[reference]}, over "
        f"the inner step; means over {TASKS} held-out tasks, areas: range of the seeds; dotted: untrained.",
        figures.through(curves, "inner step", MEASURES[measure], random, page.dark()),
        "rules-passes",
        read=words.PASSES,
        data=curves,
        says=passes_sentence(curves, NAMES[reference]) if measure == "cosine" else "",
    )
    table = wholes(found, names)
    page.frame(
        "What does the whole adaptation amount to?",
        "Cosine between all that was written, from the first step to the last, and three directions; large: mean, "
        "small: seeds, grey tick: untrained.",
        figures.whole(table, list(NAMES.values()), page.dark()),
        "rules-whole",
        read=words.WHOLE,
        data=table.drop(columns="seeds"),
        says=whole_sentence(table, found, names),
    )
    show_training(found, names, reference, measure, part)


def show_training(found: list[ByLearner], names: dict[str, str], reference: str, measure: str, part: str) -> None:
    """The same through meta-training, for learners whose runs kept copies of their weights."""
    curves = along(found, names, reference, measure, part)
    if curves.empty:
        st.subheader("Does training bring it closer?", anchor=False)
        st.caption(
            "None of these runs kept copies of its weights along the way. Train with `--set training.keep_every=250` "
            "to see it."
        )
        return
    random = spread(found, part) if measure == "cosine" else None
    page.frame(
        "Does training bring it closer?",
        f"{MEASURES[measure].capitalize()} between the whole displacement and {words.TARGETS_WHOLE[reference]}, over "
        f"meta-updates, for runs that kept copies of their weights; {ALONG} held-out tasks, areas: range of the seeds.",
        figures.through(curves, "meta-update", MEASURES[measure], random, page.dark()),
        "rules-training",
        read=words.TRAINING,
        data=curves,
        says=f"{training_sentence(curves) if measure == 'cosine' else ''} {without(found, names)}".strip(),
    )


def at_part(likeness: Likeness, measure: str, parts: list[str], part: str, gradient: bool) -> np.ndarray:
    """Values without the axis of parts; NaN where the learner does not move that part."""
    values = np.asarray(getattr(likeness, measure))
    if not gradient:
        return values
    return values[..., parts.index(part)] if part in parts else np.full(values.shape[:-1], np.nan)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis) / known.sum(axis)


def passes(found: list[ByLearner], names: dict[str, str], reference: str, measure: str, part: str) -> pd.DataFrame:
    """One row for each learner, control or not, and step: the mean over seeds and the range of them."""
    frames = []
    for one in found:
        for control, moment in ((False, one.trained), (True, one.untrained)):
            values = at_part(moment.passes[reference], measure, one.parts, part, reference == GRADIENT)
            frames.append(_curve(one.learner, names, control, np.arange(1, values.shape[2] + 1), _mean(values, 1)))
    return pd.concat(frames)


def _curve(learner: str, names: dict[str, str], control: bool, x: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
    """Values (seeds, stops) as rows, those that are not known left out."""
    kept = np.isfinite(rows).all(0) & (np.arange(len(x)) < LONGEST)
    x, rows = x[kept], rows[:, kept]
    what: dict[str, Any] = {"learner": learner, "title": names[learner], "control": control, "x": x}
    low, high = (rows.min(0), rows.max(0)) if len(x) else (x, x)
    return pd.DataFrame({**what, "mean": rows.mean(0), "low": low, "high": high})


def along(found: list[ByLearner], names: dict[str, str], reference: str, measure: str, part: str) -> pd.DataFrame:
    """The whole displacement through training, for learners that kept weights."""
    frames = []
    for one in (one for one in found if one.along):

        def value(moment: Moment, one: ByLearner = one) -> np.ndarray:
            return _mean(at_part(moment.whole[reference], measure, one.parts, part, reference == GRADIENT), 1)

        x = np.array([moment.iteration for moment in one.along])
        frames.append(_curve(one.learner, names, False, x, np.stack([value(moment) for moment in one.along], 1)))
    return pd.concat(frames) if frames else pd.DataFrame(columns=["learner", "x", "mean"])


def spread(found: list[ByLearner], part: str) -> float:
    """Twice the standard deviation of the cosine of random directions with the gradient, at its widest."""
    known = [one.random[..., one.parts.index(part)] for one in found if part in one.parts]
    return 2 * max((float(np.nanstd(values)) for values in known), default=0.0)


def wholes(found: list[ByLearner], names: dict[str, str]) -> pd.DataFrame:
    """Cosines of whole displacements: one row for each learner, reference and control."""
    rows = []
    for one in found:
        for control, moment in ((False, one.trained), (True, one.untrained)):
            for reference, title in NAMES.items():
                values = at_part(moment.whole[reference], "cosine", one.parts, ALL, reference == GRADIENT)
                seeds = _mean(values, 1)
                rows.append((one.learner, names[one.learner], title, control, float(np.mean(seeds)), seeds.tolist()))
    return pd.DataFrame(rows, columns=["learner", "title", "reference", "control", "mean", "seeds"])


def passes_sentence(curves: pd.DataFrame, reference: str) -> str:
    """First and last step of every learner, those that are exactly there named together."""
    told, exact = [], []
    for _, rows in curves[~curves.control].groupby("learner", sort=False):
        first, last = rows["mean"].iloc[0], rows["mean"].iloc[-1]
        title = rows.title.iloc[0]
        if min(first, last) > 0.999:
            exact.append(title)
        else:
            told.append(f"**{title}** {first:z.2f} → {last:z.2f}")
    text = f"Cosine to {reference}, first step → last: {', '.join(told)}." if told else ""
    return f"{text} Exactly there throughout: {', '.join(exact)}." if exact else text


def whole_sentence(table: pd.DataFrame, found: list[ByLearner], names: dict[str, str]) -> str:
    """What OP-LSTM's displacement is most like, layer by layer, and the sign of its gamma."""
    trained = table[~table.control]
    told = []
    for one in (one for one in found if one.gamma.size):
        mine = trained[trained.learner == one.learner].set_index("reference")["mean"]
        layers = _mean(one.trained.whole[GRADIENT].cosine, 1).mean(0)
        by_layer = ", ".join(f"{name} {value:z.2f}" for name, value in zip(one.parts[1:], layers[1:], strict=True))
        others = ", ".join(f"{name} {value:z.2f}" for name, value in mine.drop(mine.idxmax()).items())
        text = (
            f"**{names[one.learner]}**: nearest to {mine.idxmax()} ({mine.max():.2f}; {others}). Layer by layer, its "
        )
        text += f"likeness to gradient descent is {by_layer}."
        turned = int((one.gamma < 0).sum())
        if turned:
            text += f" Its γ is negative in {turned} of {len(one.gamma)} seeds: there its cells say the opposite."
        told.append(text)
    if told:
        return " ".join(told)
    best = trained.loc[trained.groupby("learner", sort=False)["mean"].idxmax()]
    return " · ".join(f"{r.title}: nearest to {r.reference} ({r.mean:.2f})" for r in best.itertuples())


def without(found: list[ByLearner], names: dict[str, str]) -> str:
    """The learners whose runs kept no copies."""
    left = [names[one.learner] for one in found if not one.along]
    return f"Kept no copies: {', '.join(left)}." if left else ""


def training_sentence(curves: pd.DataFrame) -> str:
    """Start, first copy after it, and end of training."""
    told = []
    for _, rows in curves.groupby("learner", sort=False):
        if rows["mean"].min() > 0.999:
            continue
        first, second, last = (rows.iloc[i] for i in (0, min(1, len(rows) - 1), -1))
        told.append(
            f"**{rows.title.iloc[0]}** {first['mean']:.2f} untrained, {second['mean']:.2f} after {int(second.x):,} "
            f"updates, {last['mean']:.2f} after {int(last.x):,}"
        )
    return f"Cosine of the whole displacement: {'; '.join(told)}." if told else ""
