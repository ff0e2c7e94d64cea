"""Sentences about learned rules and readings of them, with numbers from the answers; and tables of them."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from dashboard.figures.rules_readings import Row
from dashboard.figures.rules_surfaces import label
from dashboard.widgets.numbers import number, percent
from probes.questions.rule import ALL_PARTS, BEFORE, FORGETFUL, OWN, SILENT, InPlace, OfLearner
from probes.tools import rule_readings
from probes.tools.rule_pictures import Moves
from probes.tools.rule_readings import BODY, FORGET_GATE, INPUT_GATE, MOVE, OUTPUT, READINGS
from probes.tools.rule_surfaces import RuleSurface, Surfaces

PARTS = {
    OUTPUT: "output cell",
    BODY: "body cell",
    MOVE: "move",
    INPUT_GATE: "input gate",
    FORGET_GATE: "forget gate",
}


def _mean(losses: np.ndarray) -> tuple[float, list[float]]:
    by_seed = [float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else np.nan for row in losses]
    return float(np.nanmean(by_seed)) if np.isfinite(by_seed).any() else np.nan, by_seed


def variants(one: OfLearner) -> list[Row]:
    """Every variant with its losses, in the order in which they are read."""
    rows = []
    for run in one.in_place:
        kind = {BEFORE: "before", OWN: "own", FORGETFUL: "control", SILENT: "control"}.get(run.reading, run.reading)
        rows.append(Row(title_of(run), *_mean(run.losses), kind))
    return rows


def title_of(run: InPlace) -> str:
    """What was put in the place of what."""
    if run.reading in {BEFORE, OWN, FORGETFUL}:
        return run.reading
    if run.reading == SILENT:
        return f"{PARTS[run.parts]} silent"
    where = "" if run.parts == ALL_PARTS else f", {PARTS[run.parts]} only"
    return f"{run.reading}{where}"


def surface_sentence(surface: RuleSurface, one: OfLearner, seed: int, at: int) -> str:
    """The linear reading of this seed at this pass, in words."""
    read = next(r for r in one.reads if (r.part, r.reading) == (surface.part, rule_readings.LINEAR))
    c, share = read.coefficients[seed, at - 1], read.share[seed, at - 1]
    named = [(name, float(v)) for name, v in zip(read.terms, c, strict=True)]
    terms = " ".join(f"{'−' if v < 0 else '+'} {number(abs(v))} {name}".removesuffix(" 1") for name, v in named)
    terms = terms.removeprefix("+ ")
    text = f"In pass {at}, seed {one.seeds[seed]} says about **h ≈ {terms}** ({percent(share)} of its variance)."
    met = surface.spread[seed, at - 1]
    if at > 1:
        text += f" What it remembers from before moves h by {number(float(met))} (standard deviation at a fixed input)."
    return text


def deviation_rows(picture: Surfaces) -> pd.DataFrame:
    """One row for each part, seed and state."""
    rows = [
        {"part": PARTS[s.part], "seed": seed, "state": "fresh" if t == 0 else f"pass {t}"}
        | {f"not {measure}": values[seed, t] for measure, values in s.deviations.items()}
        for s in picture.surfaces
        for seed in range(len(s.fresh))
        for t in range(s.carried.shape[1] + 1)
    ]
    return pd.DataFrame(rows)


def deviation_sentence(picture: Surfaces) -> str:
    """Means over seeds and passes."""
    told = []
    for s in picture.surfaces:
        mean = {measure: values[:, 1:].mean() for measure, values in s.deviations.items()}
        told.append(
            f"**{PARTS[s.part]}**: {percent(mean['additive'])} not additive, {percent(mean['odd'])} not odd, "
            f"{percent(mean['monotone'])} of its changes against gradient descent"
        )
    return f"Means of seeds and passes: {'; '.join(told)}."


def move_sentence(picture: Moves) -> str:
    """Slope, saturation, asymmetry and drift."""

    def seeds(values: np.ndarray, written: Callable[[float], str]) -> str:
        return " / ".join(written(float(value)) for value in values)

    return (
        f"By seed: slope at 0 **{seeds(picture.slope, number)}**; at the largest gradients "
        f"{seeds(picture.saturation, percent)} of that slope is lost; {seeds(picture.asymmetry, percent)} of m does "
        f"not turn with the sign of g; with no gradient at all it still moves by {seeds(picture.drift, number)}."
    )


def rate_sentence(picture: Moves) -> str:
    """Where rates are largest, and how many point the other way."""
    medians = {name: float(values[:, 2].mean()) for name, values in picture.rates.items()}
    most, least = max(medians, key=medians.__getitem__), min(medians, key=medians.__getitem__)
    low = {name: float(values[:, 1].mean()) for name, values in picture.rates.items()}
    turned = [label(name) for name, value in low.items() if value < 0]
    text = f"Largest in **{label(most)}** (median {medians[most]:.2f}), smallest in **{label(least)}** "
    text += f"({medians[least]:.2f})."
    return text + (
        f" A quarter or more are negative in {', '.join(turned)}: there the rule is turned round." if turned else ""
    )


def gate_sentence(sizes: np.ndarray, by_gate: dict[str, np.ndarray]) -> str:
    """The input gate at small and large gradients, first and last step; the forget gate's range."""
    i, f = by_gate["i"], by_gate["f"]
    told = []
    for step in (0, len(i) - 1):
        known = np.flatnonzero(np.isfinite(i[step]))
        small, large = known[len(known) // 4], known[-1]
        told.append(
            f"step {step + 1}: {number(i[step, small])} at |g| = {number(10 ** sizes[small])}, "
            f"{number(i[step, large])} at {number(10 ** sizes[large])}"
        )
    low, high = float(np.nanmin(f)), float(np.nanmax(f))
    return f"The learning rate is no constant. Input gate, {'; '.join(told)}. Forget gate from {low:.4f} to {high:.4f}."


def layer_sentence(by_tensor: dict[str, np.ndarray]) -> str:
    """Which layer moves fastest in the last step."""
    last = {name: float(values[-1]) for name, values in by_tensor.items()}
    most, least = max(last, key=last.__getitem__), min(last, key=last.__getitem__)
    return (
        f"In the last step it is fastest in **{label(most)}** ({number(last[most])}) and slowest in "
        f"**{label(least)}** ({number(last[least])}), {number(last[most] / last[least])} times slower."
    )


def term_sentence(one: OfLearner) -> str:
    """Mean shares by part and reading."""
    told = []
    for part in dict.fromkeys(read.part for read in one.reads):
        mean = {read.reading: read.share.mean() for read in one.reads if read.part == part}
        told.append(f"**{PARTS[part]}**: " + ", ".join(f"{name} {percent(mean[name])}" for name in READINGS))
    return f"Means of seeds and steps: {'; '.join(told)}."


def in_place_sentence(one: OfLearner) -> str:
    """What each whole reading explains of the performance."""
    found = {(run.reading, run.parts): _mean(run.losses)[0] for run in one.in_place}
    before, own = found[(BEFORE, ALL_PARTS)], found[(OWN, ALL_PARTS)]
    told = []
    for name in READINGS:
        loss = found[(name, ALL_PARTS)]
        told.append(f"**{name}** {percent((before - loss) / (before - own))} ({number(loss / own)} times its error)")
    text = (
        f"From {number(before)} before adapting, its own rule reaches {number(own)}. Of that fall: {', '.join(told)}."
    )
    if (cleared := found.get((FORGETFUL, ALL_PARTS))) is not None:
        text += f" With its memory cleared at each pass it ends at {number(cleared)}"
        text += f"; with a silent body cell at {number(found[(SILENT, BODY)])}." if (SILENT, BODY) in found else "."
    return text
