"""What the part *Learned rules* shows, as tables: answers of the probe in, plain values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard.figures.panels import Course, Panel, Row, Triple
from probes.questions.meta_gradients import ALL, INITIALISATION, KEPT, RULE, TRAINED, UNTRAINED, Measured
from probes.tools.intervals import Interval, of_any_sign, over_tasks_and_seeds

BASELINE = "maml"
BLOCKS = {ALL: "all that is meta-learned", INITIALISATION: "the initialisation", RULE: "the rule"}
SHARED = (("eigenvalue", INITIALISATION), ("scaled", INITIALISATION), ("scaled", ALL))  # compared with MAML's


@dataclass(frozen=True)
class Measure:
    """A form of curvature: its name for people, and its axis. Those that are `sizes` are compared by magnitude."""

    title: str
    axis: str
    sizes: bool = True


CURVATURES = {
    "eigenvalue": Measure("|λ|", "|λ|, loss per unit²"),
    "scaled": Measure("|λ| · |θ|²", "|λ| |θ|², units of loss"),
    "along": Measure("along g", "|gᵀHg| / gᵀg, loss per unit²"),
    "rise": Measure("rise at 2 %", "rise of the loss at 2 %", sizes=False),
    "trace": Measure("trace", "tr H, loss per unit²", sizes=False),
}
SIZES = tuple(name for name, measure in CURVATURES.items() if measure.sizes)


def at(measured: Sequence[Measured], name: str, block: str, moment: str = TRAINED) -> Measured | None:
    """One learner's block at one moment; None where it has none."""
    return next((m for m in measured if (m.learner, m.block, m.moment) == (name, block, moment)), None)


def values(one: Measured, field: str) -> np.ndarray:
    """A measure (seeds, groups); of a curvature that is compared by magnitude, its magnitude."""
    found = np.asarray(getattr(one, field), float)
    return np.abs(found) if field in SIZES else found


def interval(one: Measured, field: str) -> Interval:
    """Its mean with an interval over seeds and groups of tasks (over seeds, if there is one group alone).

    Magnitudes and ratios of lengths span powers of ten: theirs is the geometric mean.
    """
    found = values(one, field)
    found = found.T if found.shape[1] == 1 else found
    if field in (*SIZES, "ratio"):
        return _geometric(np.log(found))
    if field == "loss":
        return over_tasks_and_seeds(found)
    plain = of_any_sign(found)
    if field == "cosine":
        return Interval(plain.mean, max(plain.low, -1.0), min(plain.high, 1.0), plain.tasks, plain.seeds)
    return plain


def _geometric(logarithms: np.ndarray) -> Interval:
    log = of_any_sign(logarithms)
    mean, low, high = (float(np.exp(value)) for value in (log.mean, log.low, log.high))
    return Interval(mean, low, high, log.tasks, log.seeds, log.error, log.freedom, log=True)


def triple(one: Measured, field: str) -> Triple:
    """(mean, low, high)."""
    found = interval(one, field)
    return found.mean, found.low, found.high


def panel(measured: Sequence[Measured], names: dict[str, str], block: str, field: str, **looks: Any) -> Panel:
    """One measure of all learners at their trained weights, with seeds and untrained controls."""
    found, seeds, controls = {}, {}, {}
    for name in names:
        if (one := at(measured, name, block)) is None or not values(one, field).size:
            continue
        found[name] = triple(one, field)
        by_seed = values(one, field)
        powers = field in (*SIZES, "ratio")
        seeds[name] = np.exp(np.log(by_seed).mean(1)) if powers else by_seed.mean(1)
        if (drawn := at(measured, name, block, UNTRAINED)) is not None:
            controls[name] = interval(drawn, field).mean
    return Panel(values=found, seeds=seeds, controls=controls, **looks)


def times(mine: Measured | None, other: Measured | None, field: str) -> Interval | None:
    """One magnitude as a multiple of another, on the same groups of tasks and with the same seeds: geometric means."""
    if mine is None or other is None or values(mine, field).shape != values(other, field).shape:
        return None
    return _geometric(np.log(values(mine, field)) - np.log(values(other, field)))


def ratio_panels(measured: Sequence[Measured], names: dict[str, str]) -> list[Panel]:
    """Curvature as a multiple of MAML's, in the forms that learners can share, and the rise as it is."""
    found = []
    for field, block in SHARED:
        known, controls = (
            {name: r for name in names if name != BASELINE and (r := _multiple(measured, name, block, field, moment))}
            for moment in (TRAINED, UNTRAINED)
        )
        where = "initialisation" if block == INITIALISATION else "all"
        title = f"{CURVATURES[field].title}<br>{where}"
        drawn = {name: mean for name, (mean, _, _) in controls.items()}
        found.append(Panel(title, "times MAML's", known, controls=drawn, log=True, reference=1.0))
    looks = {"title": "rise at 2 %<br>all", "axis": "squared error", "reference": 0.0}
    rise = panel(measured, names, ALL, "rise", **looks)
    return [*found, Panel(rise.title, rise.axis, rise.values, reference=rise.reference)]


def _multiple(measured: Sequence[Measured], name: str, block: str, field: str, moment: str) -> Triple | None:
    found = times(at(measured, name, block, moment), at(measured, BASELINE, block, moment), field)
    return None if found is None or not np.isfinite(found.mean) else (found.mean, found.low, found.high)


def courses(measured: Sequence[Measured], names: dict[str, str], block: str, field: str) -> list[Course]:
    """A measure along the training, of learners whose training kept weights."""
    found = []
    for name, title in names.items():
        mine = [m for m in measured if (m.learner, m.block) == (name, block) and m.moment in (UNTRAINED, KEPT)]
        mine = [m for m in mine if values(m, field).size]
        if len(mine) > 2:
            mean, low, high = np.array([triple(m, field) for m in mine]).T
            found.append(Course(name, title, np.array([m.iteration for m in mine]), mean, low, high))
    return found


def rows(names: dict[str, str]) -> list[Row]:
    """The learners as rows of a figure."""
    return [Row(name, title) for name, title in names.items()]


def table(measured: Sequence[Measured], names: dict[str, str]) -> pd.DataFrame:
    """Every measure of every learner, block and moment."""
    found = []
    for one in measured:
        row: dict[str, Any] = {
            "learner": names[one.learner],
            "moment": one.moment if one.moment != KEPT else f"after {one.iteration:,} updates",
            "block": BLOCKS[one.block],
            "parameters": one.size,
        }
        for field in ("cosine", "ratio", *CURVATURES, "loss"):
            if values(one, field).size:
                row |= dict(zip((field, f"{field} low", f"{field} high"), triple(one, field), strict=True))
        row |= {
            "cosine of means": one.cosine_mean.mean(),
            "ratio of means": float(np.exp(np.log(one.ratio_mean).mean())),
        }
        found.append(row)
    return pd.DataFrame(found)


def ratio_table(columns: Sequence[Panel], names: dict[str, str]) -> pd.DataFrame:
    """What the panels show."""
    return pd.DataFrame(
        [
            {
                "learner": names[name],
                "measure": one.title.replace("<br>", ", "),
                "unit": one.axis,
                "mean": mean,
                "low": low,
                "high": high,
            }
            for one in columns
            for name, (mean, low, high) in one.values.items()
        ]
    )


def course_table(parts: Sequence[tuple[str, Sequence[Course]]]) -> pd.DataFrame:
    """One row for each measure, learner and iteration."""
    return pd.DataFrame(
        [
            {"measure": title, "learner": course.title, "updates": int(i), "mean": mean, "low": low, "high": high}
            for title, found in parts
            for course in found
            for i, mean, low, high in zip(course.iterations, course.mean, course.low, course.high, strict=True)
        ]
    )
