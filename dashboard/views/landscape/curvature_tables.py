"""What the part *Curvature* shows, as tables and sentences: answers of the probe in, plain values out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.figures.panels import Course, Panel, Row, Triple
from dashboard.figures.spectra import Spectrum
from dashboard.widgets.numbers import number, percent
from engine.learners import Learner
from engine.learners.maml import MAML
from engine.runs.ensembles import Ensemble
from probes.questions.curvature import Curvature, Curved
from probes.tools.intervals import of_any_sign
from probes.tools.spectrum import smoothed
from probes.tools.surfaces import TRAINED

GRID = 400
BOUND = 1e6  # where a rise is cut
WIDTH = 0.12  # of a bump, in units of the axis: asinh of the eigenvalue by the unit
Measures = dict[str, tuple[str, str, bool]]
MEASURES: Measures = {  # title, axis, logarithmic
    "high": ("largest eigenvalue", "λ₁, loss per unit²", True),
    "low": ("smallest eigenvalue", "λₙ, loss per unit²", False),
    "trace": ("trace", "tr H, loss per unit²", True),
    "sharpness": ("sharpness", "rise of the loss in the ball", True),
    "loss": ("loss", "loss at the centre", True),
}
SHOWN = ("high", "low", "trace", "sharpness")


def curved(answers: Sequence[Curvature], *, trained: bool = True) -> list[Curved]:
    """What is known at the trained weights, or along the training."""
    return [one for answer in answers for one in answer.curved if (one.iteration == TRAINED) == trained]


def left_out(answers: Sequence[Curvature]) -> list[str]:
    """Why learners are missing, each reason once."""
    return list(dict.fromkeys(reason for answer in answers for reason in answer.left_out.values()))


def by_seed(one: Curved, measure: str) -> np.ndarray:
    """A measure of each seed, (seeds,); a rise beyond all bounds, as of an inner loop that diverges, is cut."""
    found = np.asarray(getattr(one, measure), float)
    if measure == "sharpness":
        return np.minimum(np.nan_to_num(found, nan=BOUND), BOUND)
    return found[:, 0] if measure in ("high", "low") else found


def triple(one: Curved, measure: str) -> Triple:
    """(mean, low, high) over seeds: geometric, with the interval of logarithms, where all are positive and large."""
    found = by_seed(one, measure)
    if MEASURES[measure][2] and (found > 0).all():
        log = of_any_sign(np.log(found)[:, None].T)
        mean, low, high = (float(np.exp(v)) for v in (log.mean, log.low, log.high))
        return mean, low, high
    plain = of_any_sign(found[None])
    return plain.mean, plain.low, plain.high


def panels(found: Sequence[Curved], radius: float) -> list[Panel]:
    """One panel per measure."""
    columns = []
    for measure in SHOWN:
        title, axis, log = MEASURES[measure]
        every = np.concatenate([by_seed(one, measure) for one in found])
        log = log and bool((every > 0).all())
        if measure == "sharpness":
            title = f"sharpness within {percent(radius)} of |c|"
        columns.append(
            Panel(
                title,
                axis,
                {one.learner: triple(one, measure) for one in found},
                {one.learner: by_seed(one, measure) for one in found},
                log=log,
                reference=None if log else 0.0,
            )
        )
    return columns


def rows(found: Sequence[Curved], names: dict[str, str]) -> list[Row]:
    """The learners, in order."""
    return [Row(one.learner, names[one.learner]) for one in found]


def table(found: Sequence[Curved], names: dict[str, str], seeds: dict[str, list[int]]) -> pd.DataFrame:
    """One row for each learner, moment and seed."""
    return pd.DataFrame(
        [
            {
                "learner": names[one.learner],
                "moment": "trained" if one.iteration == TRAINED else f"{one.iteration:,} updates",
                "seed": seed,
                "parameters": one.size,
                "|c|": float(one.norm[i]),
                "loss": float(one.loss[i]),
                "|gradient|": float(one.slope[i]),
                **{f"λ{k + 1}": float(v) for k, v in enumerate(one.high[i])},
                **{f"λn-{k}" if k else "λn": float(v) for k, v in enumerate(one.low[i])},
                "trace": float(one.trace[i]),
                "trace ±": float(one.trace_error[i]),
                "sharpness": float(one.sharpness[i]),
            }
            for one in found
            for i, seed in enumerate(seeds[one.learner])
        ]
    )


def sentence(found: Sequence[Curved], names: dict[str, str]) -> str:
    """Who is sharpest, and who has a way down that is curved."""
    top = {one.learner: triple(one, "high")[0] for one in found}
    sharp, flat = max(top, key=lambda n: top[n]), min(top, key=lambda n: top[n])
    text = f"Largest eigenvalue: **{names[sharp]}** {number(top[sharp])}"
    if sharp != flat:
        text += f", down to {number(top[flat])} for {names[flat]}"
    low = {one.learner: float(by_seed(one, "low").mean()) for one in found}
    most = min(low, key=lambda n: low[n])
    if low[most] >= 0:
        return f"{text}. None is negative."
    return f"{text}. The most negative one is that of **{names[most]}**, -{number(-low[most])} (mean over seeds)."


def stability_sentence(found: Sequence[Curved], ensembles: Sequence[Ensemble]) -> str:
    """How near the inner loops of plain gradient descent are to where they would no longer be stable."""
    rates = {e.learner.name: (e.learner.title, rate) for e in ensembles if (rate := descent_rate(e.learner))}
    told = [
        f"{title} {number(triple(one, 'high')[0])} of {2 / rate:g}"
        for one in found
        for title, rate in [rates.get(one.learner, ("", 0.0))]
        if rate
    ]
    return f"Gradient descent at rate α is stable while λ < 2/α: {', '.join(told)}." if told else ""


def descent_rate(learner: Learner) -> float | None:
    """The rate of an inner loop that is plain gradient descent on all weights; None for any other."""
    plain = isinstance(learner, MAML) and learner.inner_clip is None
    return float(learner.inner_lr) if plain else None


def unit(found: Sequence[Curved]) -> float:
    """Where the axis of eigenvalues turns from linear to logarithmic: a thousandth of the largest one."""
    return float(np.nanmax([np.abs(one.high[:, 0]).max() for one in found])) / 1000 or 1.0


def spectra(found: Sequence[Curved], names: dict[str, str]) -> list[Spectrum]:
    """Every learner's eigenvalues, seeds averaged, on an axis of asinh(eigenvalue / unit)."""
    by = unit(found)
    low = min(float(np.nanmin(one.low)) for one in found)
    high = max(float(np.nanmax(one.high)) for one in found)
    grid = np.linspace(np.arcsinh(low / by) - 0.6, np.arcsinh(high / by) + 0.6, GRID)
    return [
        Spectrum(
            one.learner,
            names[one.learner],
            np.sinh(grid) * by,
            grid,
            one.size * beyond(one.nodes, one.weights, np.sinh(grid) * by),
            one.size * smoothed(np.arcsinh(one.nodes / by), one.weights, grid, WIDTH),
            one.high,
            one.low,
        )
        for one in found
        if one.nodes.size
    ]


def beyond(nodes: np.ndarray, weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The share of a spectrum at least as far from 0 as each place (n,), on the same side."""
    theta, w = np.ravel(nodes), np.ravel(weights) / weights.sum()
    same = np.where(places[:, None] > 0, theta >= places[:, None], theta <= places[:, None])
    return same @ w


def spectrum_rows(found: Sequence[Spectrum]) -> pd.DataFrame:
    """One row for each learner and place."""
    parts = [
        pd.DataFrame(
            {"learner": s.title, "eigenvalue": s.eigenvalue, "at least as far from 0": s.beyond, "density": s.density}
        )
        for s in found
    ]
    return pd.concat(parts, ignore_index=True)


def spectrum_sentence(found: Sequence[Curved], names: dict[str, str]) -> str:
    """How few directions carry the curvature."""
    told = []
    for one in found:
        top = float(np.nanmean(one.high[:, 0]))
        part = float((one.weights * (np.abs(one.nodes) > 0.01 * top)).sum() / one.weights.sum())
        told.append(f"{names[one.learner]} {part * one.size:.0f} of {one.size:,}")
    return f"Eigenvalues beyond 1 % of the largest, about: {', '.join(told)}." if told else ""


def courses(found: Sequence[Curved], names: dict[str, str], measure: str) -> list[Course]:
    """A measure along the training."""
    lines = []
    for learner in dict.fromkeys(one.learner for one in found):
        own = [one for one in found if one.learner == learner]
        mean, low, high = np.array([triple(one, measure) for one in own]).T
        lines.append(Course(learner, names[learner], np.array([float(one.iteration) for one in own]), mean, low, high))
    return lines
