"""What the surfaces show, as reliefs, tables and sentences: answers of the probe in, plain values out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.interpolate import RegularGridInterpolator

from dashboard.figures.landscape import Relief, Way
from dashboard.widgets.numbers import number, percent
from probes.questions import landscape
from probes.questions.landscape import Landscape, Plane

TASK, META = "task", "meta"
TRAP = 0.5  # a plane that holds less of the path shows something else


def planes(answers: Sequence[Landscape]) -> list[Plane]:
    """The planes of all answers."""
    return [plane for answer in answers for plane in answer.planes]


def left_out(answers: Sequence[Landscape]) -> list[str]:
    """Why learners are missing, each reason once."""
    return list(dict.fromkeys(reason for answer in answers for reason in answer.left_out.values()))


def reliefs(found: Sequence[Plane], names: dict[str, str], loss: str, directions: str) -> list[Relief]:
    """The planes as they are drawn."""
    word = "step" if loss == TASK else "update"
    return [
        Relief(
            plane.learner,
            names[plane.learner],
            f"seed {plane.seed}",
            note(plane, directions),
            plane.x,
            plane.y,
            plane.values,
            _way(plane.path, word),
            _way(plane.runs, "seed"),
        )
        for plane in found
    ]


def _way(way: landscape.Way, word: str) -> Way:
    xy = np.reshape(way.xy, (-1, 2))
    words = [f"{word} {int(at):,}" for at in way.at]
    return Way(words, np.asarray(way.at, float), xy[:, 0], xy[:, 1], way.loss, way.plane, way.off)


def note(plane: Plane, directions: str) -> str:
    """What stands beside a learner's name: eigenvalues, or the share of the path that the plane holds."""
    if len(plane.eigenvalues):
        return f"λ = {', '.join(number(float(v)) for v in plane.eigenvalues)}"
    if directions == "runs":
        return ""
    return f"plane holds {percent(plane.path.explained)} of the path" if np.isfinite(plane.path.explained) else ""


def walk_sentence(found: Sequence[Plane], names: dict[str, str], loss: str) -> str:
    """How far the paths go, and what becomes of the loss."""
    moved = [plane for plane in found if len(plane.path.away) > 1 and plane.path.away[0] > 0]
    if not moved:
        return ""
    what = "The inner loop" if loss == TASK else "Meta-training"
    far = max(moved, key=lambda plane: plane.path.away[0])
    near = min(moved, key=lambda plane: plane.path.away[0])
    text = f"{what} of **{names[far.learner]}** ends {percent(far.path.away[0])} of |c| from where it starts"
    if near is not far:
        text += f", that of **{names[near.learner]}** {percent(near.path.away[0])}"
    ends = [f"{names[p.learner]} {number(p.path.loss[0])} → {number(p.centre)}" for p in moved]
    return f"{text}. Loss at start and centre: {', '.join(ends)}."


def trap_sentence(found: Sequence[Plane], names: dict[str, str], loss: str) -> str:
    """How well the planes show what happens on the path."""
    known = [plane for plane in found if np.isfinite(plane.path.explained)]
    if not known:
        return ""
    held = [plane.path.explained for plane in known]
    ends = percent(min(held)) if len(held) == 1 else f"{percent(min(held))} to {percent(max(held))}"
    text = f"These planes hold {ends} of the path."
    worst = max(known, key=lambda plane: _gap(plane)[0])
    factor, at = _gap(worst)
    if factor < 1.05:
        return f"{text} The plane shows the loss on the path to within 5 % everywhere."
    true, seen = worst.path.loss[at], worst.path.plane[at]
    where = f"{'step' if loss == TASK else 'update'} {int(worst.path.at[at]):,} of {names[worst.learner]}"
    text += f" They are furthest from it at {where}: the true loss is {number(float(true))}, "
    text += f"the plane shows {number(float(seen))}."
    if min(held) < TRAP:
        text += " **What surrounds the centre here is not where learning walked.**"
    return text


def _gap(plane: Plane) -> tuple[float, int]:
    """The largest factor between the true loss and the plane's, and where."""
    true, seen = np.asarray(plane.path.loss), np.asarray(plane.path.plane)
    known = np.isfinite(true) & np.isfinite(seen) & (true > 0) & (seen > 0)
    if not known.any():
        return 1.0, 0
    gaps = np.where(known, np.abs(np.log(np.where(known, true, 1) / np.where(known, seen, 1))), 0)
    return float(np.exp(gaps.max())), int(gaps.argmax())


def runs_sentence(found: Sequence[Plane], names: dict[str, str]) -> str:
    """How high the loss is between two runs."""
    told = []
    for plane in found:
        if len(plane.runs.loss) < 2:
            continue
        loss = RegularGridInterpolator((plane.y, plane.x), np.nan_to_num(plane.values, nan=np.inf))
        a, b = plane.runs.xy[0], plane.runs.xy[1]
        way = np.array([loss((a + t * (b - a))[::-1])[0] for t in np.linspace(0.05, 0.95, 37)])
        top, ends = float(way.max()), max(float(plane.runs.loss[0]), float(plane.runs.loss[1]))
        told.append(f"{names[plane.learner]} {number(top)} (ends at most {number(ends)})")
    return f"Highest loss on the straight line between the first two runs: {', '.join(told)}." if told else ""


def rows(found: Sequence[Relief]) -> pd.DataFrame:
    """One row for each place of each plane."""
    parts = []
    for relief in found:
        x, y = np.meshgrid(relief.x, relief.y)
        columns = {"x": x.ravel(), "y": y.ravel(), "loss": np.ravel(relief.values)}
        parts.append(pd.DataFrame({"learner": relief.title, "run": relief.run, **columns}))
    return pd.concat(parts, ignore_index=True)


def path_rows(found: Sequence[Relief]) -> pd.DataFrame:
    """One row for each point of each path."""
    parts = [
        pd.DataFrame(
            {
                "learner": relief.title,
                "run": relief.run,
                "at": list(relief.path.at),
                "x": relief.path.x,
                "y": relief.path.y,
                "true loss": relief.path.loss,
                "loss on the plane": relief.path.plane,
                "off the plane": relief.path.off,
            }
        )
        for relief in found
    ]
    return pd.concat(parts, ignore_index=True)
