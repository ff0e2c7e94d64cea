"""What the page Features shows, as tables and sentences: answers of the probes in, plain frames out."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from dashboard.widgets.numbers import number
from probes.questions.broadness import PARAMETERS, Broadness
from probes.questions.diversity import Diversity
from probes.tools.comparisons import LEVEL, of_seeds
from probes.tools.statistics import Relation, relation

MEASURES = {
    "effective_rank": "effective rank",
    "participation_ratio": "participation ratio",
    "dead": "share of dead units",
    "cosine": "mean pairwise cosine",
}


def joined(answers: Sequence[Diversity | Broadness]) -> Any:
    """The answers of a probe about one learner each as one answer about all of them."""
    first = answers[0]
    layers = [layer for answer in answers for layer in answer.layers]
    if isinstance(first, Diversity):
        return replace(first, layers=layers, seeds={k: v for one in answers for k, v in one.seeds.items()})
    runs = {}
    for field in fields(first.runs):
        parts = [getattr(one.runs, field.name) for one in answers]
        runs[field.name] = (
            np.concatenate(parts) if isinstance(parts[0], np.ndarray) else [entry for part in parts for entry in part]
        )
    return replace(first, layers=layers, runs=replace(first.runs, **runs))


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of one number for each seed, with a 95 % Student t interval; NaN ends for a single seed."""
    values = np.asarray(values, float)
    n, mean = len(values), float(np.mean(values))
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return mean, mean - half, mean + half


def told(values: np.ndarray, seeds: Sequence[int]) -> str:
    """Each seed's value, for a hover."""
    return "seeds " + ", ".join(f"{seed}: {number(value, 3)}" for seed, value in zip(seeds, values, strict=True))


def diversity_rows(answer: Diversity, names: dict[str, str], measure: str) -> pd.DataFrame:
    """One measure of every layer: learner, title, layer, width, moment, control, mean, low, high, seeds."""
    rows = []
    for layer in answer.layers:
        values = getattr(layer, measure)
        mean, low, high = interval(values)
        seeds = told(values, answer.seeds[layer.learner])
        what = (layer.learner, names[layer.learner], layer.layer, layer.width, layer.moment, layer.control)
        rows.append((*what, mean, low, high, seeds))
    columns = ["learner", "title", "layer", "width", "moment", "control", "mean", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def spectrum_curves(answer: Diversity, names: dict[str, str], layer: str, moment: str) -> pd.DataFrame:
    """Singular values of a layer by their number: learner, title, control, x, mean, low, high (over seeds)."""
    found = [one for one in answer.layers if one.layer == layer and one.moment == moment]
    values = [(one, np.where(one.spectrum > 1e-8, one.spectrum, np.nan)) for one in found]
    return _curves([(one.learner, one.control, np.arange(1, one.width + 1), rows) for one, rows in values], names)


def function_curves(answer: Broadness, names: dict[str, str], layer: str, moment: str) -> pd.DataFrame:
    """R^2 of fresh waves by their frequency: learner, title, control, x, mean, low, high (over seeds)."""
    found = [one for one in answer.layers if one.layer == layer and one.moment == moment and one.functions.size]
    return _curves([(one.learner, one.control, answer.frequencies, one.functions) for one in found], names)


def _curves(found: list[tuple[str, bool, np.ndarray, np.ndarray]], names: dict[str, str]) -> pd.DataFrame:
    frames = []
    for learner, control, every_x, values in found:
        kept = np.isfinite(values).all(0)
        rows = values[:, kept]
        what = {"learner": learner, "title": names[learner], "control": control, "x": every_x[kept]}
        frames.append(pd.DataFrame({**what, "mean": rows.mean(0), "low": rows.min(0), "high": rows.max(0)}))
    return pd.concat(frames) if frames else pd.DataFrame(columns=["learner", "title", "control", "x", "mean"])


def parameter_rows(answer: Broadness, names: dict[str, str]) -> pd.DataFrame:
    """What can be read off about the task: learner, title, layer, parameter, control, mean, low, high, seeds."""
    rows = []
    for layer in (one for one in answer.layers if one.parameters.size):
        seeds = [s for name, s in zip(answer.runs.learner, answer.runs.seed, strict=True) if name == layer.learner]
        for index, parameter in enumerate(PARAMETERS):
            values = layer.parameters[:, index]
            what = (layer.learner, names[layer.learner], layer.layer, parameter, layer.control)
            rows.append((*what, *interval(values), told(values, seeds)))
    columns = ["learner", "title", "layer", "parameter", "control", "mean", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def run_rows(answer: Broadness, names: dict[str, str]) -> pd.DataFrame:
    """Every run: learner, title, seed, broadness, near, far, and how many tasks diverged."""
    runs = answer.runs
    what = {"learner": runs.learner, "title": [names[name] for name in runs.learner], "seed": runs.seed}
    errors = {"near": runs.near, "far": runs.far}
    lost = {f"diverged {name}": runs.diverged[:, i].astype(int) for i, name in enumerate(errors)}
    return pd.DataFrame({**what, "broadness": runs.broadness, **errors, **lost})


def relations(runs: pd.DataFrame) -> dict[tuple[str, str], Relation]:
    """Broadness against the logarithm of the error: means of learners, all runs, and runs within learners."""
    found = {}
    means = runs.assign(near=np.log10(runs.near), far=np.log10(runs.far)).groupby("learner", sort=False)
    means = means[["broadness", "near", "far"]].mean()
    for error in ("near", "far"):
        x, y = runs.broadness.to_numpy(), np.log10(runs[error].to_numpy())
        found[error, "learners"] = relation(means.broadness.to_numpy(), means[error].to_numpy())
        found[error, "all runs"] = relation(x, y)
        found[error, "runs within learners"] = relation(x, y, list(runs.learner))
    return found


def relation_table(found: dict[tuple[str, str], Relation]) -> pd.DataFrame:
    """The correlations, one row each."""
    where = {"near": "as in training", "far": "another frequency"}
    rows = [
        (where[error], over, one.n, one.pearson, one.pearson_p, one.spearman, one.spearman_p)
        for (error, over), one in found.items()
    ]
    return pd.DataFrame(rows, columns=["tasks", "over", "n", "Pearson r", "p of r", "Spearman ρ", "p of ρ"])


def by_seed(answer: Diversity, names: dict[str, str], measure: str) -> dict[str, np.ndarray]:
    """A measure of each learner's last layer before adaptation, one value for each seed, by the learner's title."""
    last = sorted({layer.layer for layer in answer.layers})[-1]
    found = [one for one in answer.layers if (one.layer, one.moment, one.control) == (last, "before", False)]
    return {names[one.learner]: np.asarray(getattr(one, measure), float) for one in found}


def ends_apart(values: Mapping[str, np.ndarray], most: str, least: str) -> str:
    """Whether two learners, chosen as the extremes of all, could change places in other trainings.

    Args:
        values: of each learner, one for each seed, (seeds,).
        most: the one with the largest mean.
        least: the one with the smallest.
    """
    if not {most, least} <= set(values):
        return ""
    pairs = len(values) * (len(values) - 1) // 2
    p = pairs * of_seeds(values[most], values[least]).p()
    if not np.isfinite(p):
        return "; one seed tells nothing of other trainings"
    over = f"over trainings, corrected for {pairs:,} pairs" if pairs > 1 else "over trainings"
    return f"; the two {'differ' if p <= LEVEL else 'cannot be told apart'} {over}"


def diversity_sentence(rows: pd.DataFrame, measure: str, values: Mapping[str, np.ndarray] | None = None) -> str:
    """Who has most and least of a measure in the last layer, and whom adapting changes most.

    Args:
        rows: as `diversity_rows` makes them.
        measure: which one.
        values: of each seed, as `by_seed` finds them.
    """
    last = rows[rows.layer == sorted(rows.layer.unique())[-1]]
    before = last[~last.control & (last.moment == "before")].set_index("title")["mean"].dropna()
    after = last[~last.control & (last.moment == "after")].set_index("title")["mean"].dropna()
    control = last[last.control & (last.moment == "before")]["mean"].dropna()
    if before.empty:
        return ""
    layer, name = last.layer.iloc[0], MEASURES[measure]
    drawn = f"; untrained, they have {_span(control)}" if len(control) else ""
    if len(before) == 1:
        return f"In {layer}, the {name} of {before.index[0]} starts at {number(before.iloc[0], 3)}{drawn}."
    apart = ends_apart(values or {}, str(before.idxmax()), str(before.idxmin()))
    text = (
        f"In {layer}, before adaptation, **{before.idxmax()}** has the largest {name} ({number(before.max(), 3)}) and "
        f"**{before.idxmin()}** the smallest ({number(before.min(), 3)}){apart}{drawn}."
    )
    moved = (after - before).dropna()
    if len(moved) and (most := moved.abs().idxmax()) and abs(moved[most]) > 0.005 * max(abs(before[most]), 1e-9):
        text += f" Adapting changes it most for **{most}**: {number(before[most], 3)} to {number(after[most], 3)}."
    return text


def broadness_sentence(runs: pd.DataFrame) -> str:
    """Whose features are the broadest, and the narrowest."""
    means = runs.groupby("title", sort=False).broadness.mean()
    if len(means) == 1:
        return f"{means.index[0]} has a broadness of {means.iloc[0]:.2f}: the mean R² over all these frequencies."
    values = {str(title): one.to_numpy() for title, one in runs.groupby("title", sort=False).broadness}
    apart = ends_apart(values, str(means.idxmax()), str(means.idxmin()))
    return (
        f"Averaged over all these frequencies, the features that training left are broadest for **{means.idxmax()}** "
        f"(R² {means.max():.2f}) and narrowest for **{means.idxmin()}** ({means.min():.2f}){apart}."
    )


def parameter_sentence(rows: pd.DataFrame) -> str:
    """Whose last hidden layer holds the amplitude, and whose does not."""
    hidden = rows[~rows.control & (rows.layer != "prediction") & (rows.parameter == "amplitude")]
    last = hidden[hidden.layer == hidden.groupby("learner").layer.transform("max")]
    holds, lacks = last[last["mean"] >= 0.5], last[last["mean"] < 0.1]
    said = []
    if len(holds):
        said.append(f"After adaptation the last hidden layer tells the amplitude for {_listed(holds)}")
    if len(lacks):
        said.append(f"{'' if holds.empty else 'it '}tells next to nothing of it for {_listed(lacks)}")
    return ("; ".join(said)[:1].upper() + "; ".join(said)[1:] + ".") if said else ""


def relation_sentence(found: dict[tuple[str, str], Relation]) -> str:
    """Whether learners with broad features have small errors, in words that the p-values allow."""
    said = []
    for error, where in (("near", "on tasks as in training"), ("far", "on waves of another frequency")):
        one = found[error, "learners"]
        if not np.isfinite(one.spearman):
            return "A relation between learners needs at least three of them."
        if one.spearman_p < 0.05:
            text = f"{where}, broader features go with **{'smaller' if one.spearman < 0 else 'larger'}** errors"
        else:
            text = f"{where}, **no relation** shows"
        said.append(f"{text} (ρ = {one.spearman:.2f}, p = {number(one.spearman_p)})")
    text = f"Over {found['near', 'learners'].n} learners: {'; '.join(said)}."
    return f"{text} Runs that differ in their seed only are no new learners, so learners are what is counted here."


def _span(values: pd.Series) -> str:
    low, high = number(values.min(), 3), number(values.max(), 3)
    return low if low == high else f"{low} to {high}"


def _listed(rows: pd.DataFrame) -> str:
    parts = [f"**{title}** (R² {value:.2f})" for title, value in zip(rows.title, rows["mean"], strict=True)]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
