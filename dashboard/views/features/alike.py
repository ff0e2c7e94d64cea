"""Tables and sentences of the page Features about pairs of layers and about maps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.figures.maps import Points
from engine.runs.ensembles import Ensemble
from probes.questions.maps import Map
from probes.questions.similarity import Similarity

CURVES = 60  # as many as one can look at


def item_labels(found: Similarity, names: dict[str, str]) -> list[str]:
    """What the rows of the heat map are called."""
    return [f"{names[item.learner]}, {item.layer}, {item.moment}" for item in found.items]


def blank(found: Similarity, labels: Sequence[str], shown: Sequence[int]) -> str:
    """One sentence on the layers shown that are like nothing, because they never change; "" if there are none."""
    constant = [labels[i] for i in shown if not np.isfinite(found.cka[i, i])]
    if not constant:
        return ""
    return f"Features that are the same at every input are like nothing and left blank: {'; '.join(constant)}."


def moments_of_one(found: Similarity, i: int, j: int) -> bool:
    """Whether two items are one layer at an earlier and a later moment."""
    one, other = found.items[i], found.items[j]
    return i < j and (one.learner, one.layer) == (other.learner, other.layer)


def pair_rows(found: Similarity, names: dict[str, str], shown: Sequence[int]) -> pd.DataFrame:
    """Every pair of the layers shown, each once."""
    labels = item_labels(found, names)
    rows = [
        (labels[i], labels[j], found.cka[i, j], found.low[i, j], found.high[i, j])
        for at, i in enumerate(shown)
        for j in shown[at + 1 :]
    ]
    return pd.DataFrame(rows, columns=["layer", "against", "CKA", "lowest seed", "highest seed"])


def places(inputs: np.ndarray) -> tuple[np.ndarray, str]:
    """Where inputs (points, ...) stand on an axis, (points,), and what it is: their number where they are not one."""
    alone = inputs[0].size == 1
    return (inputs.reshape(-1), "input") if alone else (np.arange(len(inputs)), "number of the input")


def kernel_rows(found: Similarity, first: int, second: int) -> pd.DataFrame:
    """The two kernels as a long table."""
    x, _ = places(found.inputs)
    one, other = np.meshgrid(x, x, indexing="ij")
    pair = {"first": found.kernels[first].ravel(), "second": found.kernels[second].ravel()}
    return pd.DataFrame({"x": one.ravel(), "x′": other.ravel(), **pair})


def similarity_sentence(found: Similarity, names: dict[str, str]) -> str:
    """Whose last layer adapting changes most and least."""
    moved = {}
    for learner in dict.fromkeys(item.learner for item in found.items):
        own = [i for i, item in enumerate(found.items) if item.learner == learner]
        by_moment = {found.items[i].moment: i for i in own if found.items[i].layer == found.items[own[-1]].layer}
        value = found.cka[by_moment["before"], by_moment["after"]]
        if np.isfinite(value):
            moved[names[learner]] = float(value)
    if not moved:
        return ""
    most, least = min(moved, key=moved.__getitem__), max(moved, key=moved.__getitem__)
    if most == least:
        return f"Adapting leaves the last hidden layer of {most} at a CKA of {moved[most]:.2f} with its start."
    return (
        f"Adapting changes the last hidden layer of **{most}** most (CKA before against after {moved[most]:.2f}) and "
        f"that of **{least}** least ({moved[least]:.2f})."
    )


def pair_sentence(found: Similarity, labels: list[str], first: int, second: int) -> str:
    """The number of one pair, with what another seed of the same layer reaches as a yardstick."""
    value = found.cka[first, second]
    if not np.isfinite(value):
        return "One of the two layers says the same at all inputs: there is nothing to compare."
    text = f"CKA **{value:.3f}**, seeds from {found.low[first, second]:.3f} to {found.high[first, second]:.3f}."
    own = [(labels[i], found.across_seeds[i]) for i in dict.fromkeys((first, second))]
    told = " and ".join(f"{among:.3f} for {label}" for label, among in own if np.isfinite(among))
    return f"{text} Another seed of the same layer reaches {told}." if told else text


def map_points(
    found: Map, ensembles: Sequence[Ensemble], names: dict[str, str], colour: str, label: str, chosen: np.ndarray
) -> Points:
    """The points of a map as they are drawn."""
    last = [e.learner.evaluation_steps for e in ensembles]
    waves = bool(found.amplitude.size)
    about = [f"amplitude {a:.2f}, phase {p:.2f}<br>" for a, p in zip(found.amplitude, found.phase, strict=True)]
    words = [
        f"<b>{names[found.learners[who]]}</b>, seed {seed}, task {task}<br>{about[task] if waves else ''}"
        f"after step {step} of {last[who]}: {f'MSE {error:.3g}' if waves else f'accuracy {1 - error:.3g}'}"
        for who, seed, task, step, error in zip(
            found.learner, found.seed, found.task, found.step, found.error, strict=True
        )
    ]
    values = {"step": found.share, "error": found.error, "accuracy": 1 - found.error}
    if waves:
        values |= {"amplitude": found.amplitude[found.task], "phase": found.phase[found.task]}
    return Points(
        found.learners,
        [names[name] for name in found.learners],
        found.learner,
        np.array(words, dtype=object),
        values.get(colour),
        label,
        colour == "error",
        chosen,
    )


def still(found: Map, names: dict[str, str], space: str) -> str:
    """One sentence on learners whose points all lie on one another, seed by seed; "" if there are none."""
    near = 1e-6 * np.ptp(found.xy, axis=0).max()
    unmoved = []
    for who, name in enumerate(found.learners):
        seeds = [found.xy[(found.learner == who) & (found.seed == seed)] for seed in np.unique(found.seed)]
        if all(len(points) > 1 and np.ptp(points, axis=0).max() <= near for points in seeds if len(points)):
            unmoved.append(names[name])
    if not unmoved:
        return ""
    return f"The same {space} for every task and step, so that the points of a seed are one: {', '.join(unmoved)}."


def map_rows(found: Map, names: dict[str, str]) -> pd.DataFrame:
    """Every point: learner, seed, task, its parameters, step, error (or accuracy) and place."""
    waves = bool(found.amplitude.size)
    hidden = {"amplitude": found.amplitude[found.task], "phase": found.phase[found.task]} if waves else {}
    return pd.DataFrame(
        {
            "learner": [names[found.learners[who]] for who in found.learner],
            "seed": found.seed,
            "task": found.task,
            **hidden,
            "step": found.step,
            **({"MSE": found.error} if waves else {"accuracy": 1 - found.error}),
            "component 1": found.xy[:, 0],
            "component 2": found.xy[:, 1],
        }
    )


def task_rows(found: Map, chosen: np.ndarray) -> pd.DataFrame:
    """Every task shown: its parameters, the mean error after the last step, and whether a point of it is selected."""
    done = pd.DataFrame({"task": found.task, "error": found.error})[found.share == 1]
    error = done.groupby("task").error.mean()
    numbers = error.index.to_numpy()
    return pd.DataFrame(
        {
            "task": numbers,
            "amplitude": found.amplitude[numbers],
            "phase": found.phase[numbers],
            "error": error.to_numpy(),
            "selected": np.isin(numbers, found.task[chosen]),
        }
    )


def chosen_curves(found: Map, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `CURVES` of the selected points, the furthest adapted first, and the true functions of their tasks."""
    numbers = np.flatnonzero(chosen)
    rows = np.sort(numbers[np.argsort(-found.share[numbers], kind="stable")][:CURVES])
    tasks = np.unique(found.task[rows])
    waves = found.amplitude[tasks, None] * np.sin(found.places + found.phase[tasks, None])
    return rows, waves
