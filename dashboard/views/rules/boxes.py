"""Update rules, *Black boxes*: which algorithm a learner resembles, and whether it minds the order of the points."""

import numpy as np
import pandas as pd

from dashboard.figures import rules_boxes as figures
from dashboard.views.rules import words
from dashboard.views.rules.controls import pick
from dashboard.widgets import page
from dashboard.widgets.layout import row
from dashboard.widgets.naming import titles
from dashboard.widgets.numbers import number
from engine.runs.ensembles import Ensemble
from probes.questions import blackbox
from probes.questions.blackbox import Box, Boxes
from probes.tools.algorithms import SINES

CONFIG = {"tasks": 40, "shots": (1, 2, 3, 5, 10, 20), "ordered": 3}
ALIKE = 0.2  # a correlation of errors below is no likeness worth a name
EXACT = 1e-3  # of the learner's error: an algorithm with less has no mistakes to share


def show_boxes(ensembles: list[Ensemble]) -> None:
    """Errors by shots, whose mistakes are alike, and orders of the support."""
    found: list[Boxes] = page.answers_of("blackbox", ensembles, "Trying every support size on", **CONFIG)
    if not found:
        return
    names, first = titles(ensembles), found[0]
    boxes = [box for one in found for box in one.boxes]
    show_errors(first, boxes, names)
    show_mistakes(first, boxes, names)
    show_orders(first, boxes, names)


def show_errors(first: Boxes, boxes: list[Box], names: dict[str, str]) -> None:
    """Learners and algorithms on the same tasks."""
    rows = error_rows(first, boxes, names)
    page.frame(
        "What would a textbook algorithm do with these points?",
        f"Mean squared error over the number of support points, {first.truth.shape[0]} held-out tasks; learners in "
        "colour, algorithms in grey; shaded: points in training. Errors below 10⁻⁴ are drawn there.",
        figures.errors(rows, boxes[0].trained_shots, page.dark()),
        "rules-errors",
        read=words.algorithms(any(one.name == SINES for one in first.algorithms)),
        data=rows,
        says=error_sentence(first, boxes, names),
    )


def show_mistakes(first: Boxes, boxes: list[Box], names: dict[str, str]) -> None:
    """Correlations of errors at one number of points."""
    options = [int(k) for k in first.shots]
    trained = boxes[0].trained_shots
    with row():
        k = pick("Support points", options, "points", trained if trained in options else options[len(options) // 2])
    values, columns, parted = mistake_table(first, boxes, names, options.index(k))
    table = pd.DataFrame(values, columns=columns)
    table.insert(0, "learner", [names[box.learner] for box in boxes])
    page.frame(
        "Who makes the same mistakes?",
        f"Correlation of errors against the true functions, {k} support points; left of the line: algorithms; right: "
        "the learners themselves. “–”: the algorithm makes no mistakes to share.",
        figures.mistakes(values, [names[box.learner] for box in boxes], columns, parted, page.dark()),
        "rules-mistakes",
        read=words.MISTAKES,
        data=table,
        says=mistake_sentence(values, boxes, names, columns, parted),
    )


def show_orders(first: Boxes, boxes: list[Box], names: dict[str, str]) -> None:
    """All orders of one support set on top of each other."""
    panels = [(box.learner, names[box.learner], box.order.said) for box in boxes]
    rows = [
        {
            "learner": names[box.learner],
            "seed": seed,
            "spread": float(np.sqrt(np.square(box.order.spread[i]).mean())),
            "error": float(np.sqrt(np.square(box.order.error[i]).mean())),
            "share": float((box.order.spread[i] / box.order.error[i]).mean()),  # as *What holds here* takes it
            "largest share": float((box.order.spread[i] / box.order.error[i]).max()),
        }
        for box in boxes
        for i, seed in enumerate(box.seeds)
    ]
    table = pd.DataFrame(rows)
    shape = boxes[0].order
    page.frame(
        "Does the order of the points matter?",
        f"One support set in {len(shape.said)} random orders, all predictions on top of each other (first seed); "
        "dots: support, dashed: the true function.",
        figures.orders(first.inputs, panels, shape.support, shape.truth, page.dark()),
        "rules-orders",
        read=words.ORDERS,
        data=table,
        says=order_sentence(table, shape.spread.shape[1]),
    )


def error_rows(first: Boxes, boxes: list[Box], names: dict[str, str]) -> pd.DataFrame:
    """One row for each learner or algorithm and number of points."""
    frames = []
    for box in boxes:
        e = box.error
        columns = {"name": box.learner, "title": names[box.learner], "algorithm": False, "shots": first.shots}
        frames.append(pd.DataFrame({**columns, "mean": e.mean(0), "low": e.min(0), "high": e.max(0)}))
    for one in first.algorithms:
        columns = {"name": one.name, "title": one.name, "algorithm": True, "shots": first.shots}
        frames.append(pd.DataFrame({**columns, "mean": one.error, "low": one.error, "high": one.error}))
    return pd.concat(frames)


def mistake_table(first: Boxes, boxes: list[Box], names: dict[str, str], at: int) -> tuple[np.ndarray, list[str], int]:
    """Correlations of errors at one number of points, means over seeds (of two learners: over pairs of them)."""
    values = []
    for box in boxes:
        own = box.error[:, at].mean()
        cells = [
            float(box.mistakes[one.name][:, at].mean()) if one.error[at] > EXACT * own else np.nan
            for one in first.algorithms
        ]
        for other in boxes:
            shared = min(len(box.seeds), len(other.seeds))
            same = other is box
            pairs = [(i, (i + 1) % shared if same else i) for i in range(shared)] if shared > 1 or not same else []
            found = [blackbox.mistakes(box.said[at, i], other.said[at, j], first.truth) for i, j in pairs]
            cells.append(float(np.mean(found)) if found else np.nan)
        values.append(cells)
    columns = [one.name for one in first.algorithms] + [names[box.learner] for box in boxes]
    return np.array(values), columns, len(first.algorithms)


def error_sentence(first: Boxes, boxes: list[Box], names: dict[str, str]) -> str:
    """At the training shots: the best learner beside the best algorithm that does not know the family."""
    at = int(np.argmin(np.abs(first.shots - boxes[0].trained_shots)))
    best = min(boxes, key=lambda box: box.error[:, at].mean())
    blind = [one for one in first.algorithms if one.name != SINES]
    best_of = "the best algorithm" if blind == first.algorithms else "the best algorithm that does not know the family"
    other = min(blind, key=lambda one: one.error[at])
    mine = float(best.error[:, at].mean())
    few = next((i for i, k in enumerate(first.shots) if k == 2), 0)
    return (
        f"With {int(first.shots[at])} points, **{names[best.learner]}** errs by {number(mine)}, {other.name}, "
        f"{best_of}, by {number(float(other.error[at]))}. With {int(first.shots[few])}: "
        + ", ".join(f"{names[box.learner]} {number(float(box.error[:, few].mean()))}" for box in boxes)
        + f", {other.name} {number(float(other.error[few]))}."
    )


def mistake_sentence(
    values: np.ndarray, boxes: list[Box], names: dict[str, str], columns: list[str], parted: int
) -> str:
    """Each learner's nearest algorithm by its mistakes, and how alike its own seeds err."""
    told = []
    for index, box in enumerate(boxes):
        cells = values[index, :parted]
        if not np.isfinite(cells).any():
            continue
        best = int(np.nanargmax(cells))
        own = values[index, parted + index]
        like = columns[best] if cells[best] >= ALIKE else "none of them"
        text = f"**{names[box.learner]}**: {like} ({cells[best]:.2f}"
        told.append(f"{text}; its own other seeds {own:.2f})" if np.isfinite(own) else f"{text})")
    return f"Errs most like (correlation): {', '.join(told)}." if told else ""


def order_sentence(table: pd.DataFrame, tasks: int) -> str:
    """Who minds, and by what share of their error."""
    mean = table.groupby("learner", sort=False)[["spread", "error", "share"]].mean()
    minds = mean[mean.spread > 1e-4]
    others = [str(name) for name in mean.index if name not in minds.index]
    told = [
        f"**{name}**: {number(r.share)} of its error, in the mean of tasks (root mean squares: {number(r.spread)} of "
        f"{number(r.error)})"
        for name, r in minds.iterrows()
    ]
    text = f"Spread over orders, {tasks} tasks and all seeds: {', '.join(told)}." if told else ""
    if others:
        largest = float(table.loc[table.learner.isin(others), "largest share"].max())
        text += f" None beyond rounding (at most {number(largest, 1)} of the error): {', '.join(others)}."
    return text.strip()
