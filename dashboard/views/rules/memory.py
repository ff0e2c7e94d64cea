"""Update rules, *Memory*: what hidden states hold of the task, and cells, gates and states on one task."""

import numpy as np
import pandas as pd

from dashboard.figures import rules_boxes as figures
from dashboard.views.rules import words
from dashboard.views.rules.controls import choose_one, pick
from dashboard.widgets import page
from dashboard.widgets.fitting import fit, suited
from dashboard.widgets.layout import row
from dashboard.widgets.naming import titles
from engine.learners.op_lstm import OPLSTM
from engine.runs.ensembles import Ensemble
from engine.trees import tree_map
from probes.questions.broadness import PARAMETERS
from probes.questions.memory import Memory, applies_to
from probes.tools.passes import Passes, passes
from probes.tools.representations import tasks_of

BY = {"examples": "number of support points", "reading": "points read, over all passes"}
TASKS = 50  # that can be opened


def show_memory(ensembles: list[Ensemble]) -> None:
    """Decoding from hidden states, and the pictures of one task."""
    drawn = [e for e in ensembles if applies_to(e.learner) or isinstance(e.learner, OPLSTM)]
    if fit("memory", ensembles) or not drawn:
        show_decoded(suited("memory", ensembles, "Choose a plain LSTM or OP-LSTM."))
    if drawn:
        show_pictures(drawn)


def show_decoded(kept: list[Ensemble]) -> None:
    """R^2 of amplitude and phase."""
    if not kept:
        return
    with row():
        by = pick("Over", BY, "over", "examples", BY)
    found: list[Memory] = [one for a in page.answers_of("memory", kept, "Decoding the states of") for one in a.answers]
    names = titles(kept)
    curves = decoded(found, names, by)
    also = "; dotted: the same learner untrained" if by == "examples" else ""
    page.frame(
        "When does the hidden state know the wave?",
        f"Cross-validated R² of amplitude and phase, read off the hidden state linearly, over the {BY[by]}; 300 "
        f"held-out tasks, area: range of the seeds{also}.",
        figures.decoded(curves, PARAMETERS, BY[by], page.dark()),
        "rules-decoded",
        read=words.DECODED,
        data=curves,
        says=decoded_sentence(found, names),
    )


def show_pictures(drawn: list[Ensemble]) -> None:
    """Cells, gates and states of one run on one task."""
    controls = row()
    with controls:
        chosen = choose_one("Inside", drawn, "inside", "op-lstm")
        seeds = [run.seed for run in chosen.runs]
        seed = seeds.index(pick("Seed", seeds, "inside-seed", seeds[0]))
    task = int(controls.number_input("Task", 0, TASKS - 1, 0, key="rules-task", bind="query-params", width=130))
    tasks, hidden = tasks_of(chosen.distribution, TASKS)
    found = passes(chosen.runs[seed], tree_map(lambda leaf: leaf[task], tasks))
    if found is None:
        return
    about = ", ".join(f"{name} {values[task]:.2f}" for name, values in hidden.items())
    op_lstm = isinstance(chosen.learner, OPLSTM)
    page.frame(
        f"What goes on inside {chosen.learner.title}?",
        f"Task {task}{f' ({about})' if about else ''}: {found.rows} (rows) through {found.columns} (columns). "
        "Blue: negative, orange: "
        + ("positive; gates from 0 (pale) to 1. The output layer's topmost cell." if op_lstm else "positive."),
        figures.small(
            [(p.title, p.values, p.low, p.high) for p in found.panels],
            (found.row_names, found.column_names),
            (found.rows, found.columns),
            page.dark(),
        ),
        "rules-cells",
        read=words.INSIDE_OP_LSTM if op_lstm else words.INSIDE_LSTM,
        data=picture_rows(found),
        says=inside_sentence(found),
    )


def decoded(found: list[Memory], names: dict[str, str], by: str) -> pd.DataFrame:
    """One row for each learner, parameter, control and stop."""
    frames = []
    for one in found:
        sources = [(False, one.by_examples), (True, one.control)] if by == "examples" else [(False, one.by_reading)]
        x = one.examples if by == "examples" else one.read
        for control, values in sources:
            for index, parameter in enumerate(PARAMETERS):
                mine = values[:, :, index]
                what = {"learner": one.learner, "title": names[one.learner], "parameter": parameter, "control": control}
                frames.append(
                    pd.DataFrame({**what, "x": x, "mean": mine.mean(0), "low": mine.min(0), "high": mine.max(0)})
                )
    return pd.concat(frames)


def decoded_sentence(found: list[Memory], names: dict[str, str]) -> str:
    """After one, three and all points, beside the untrained state."""
    told = []
    for one in found:
        stops = [i for i in sorted({0, min(2, one.shots - 1), one.shots - 1})]
        for index, parameter in enumerate(PARAMETERS):
            values = " → ".join(f"{one.by_examples[:, i, index].mean():.2f}" for i in stops)
            control = one.control[:, -1, index].mean()
            start = f"**{names[one.learner]}** " if not index else ""
            told.append(f"{start}{parameter} {values} (untrained {control:.2f} in the end)")
    after = ", ".join(str(i + 1) for i in stops)
    return f"R² after {after} points: {'; '.join(told)}."


def picture_rows(found: Passes) -> pd.DataFrame:
    """One row for each cell of each picture."""
    frames = [
        pd.DataFrame(
            {
                "picture": panel.title,
                found.rows: np.repeat(found.row_names[: len(panel.values)], panel.values.shape[1]),
                found.columns: np.tile([int(name) for name in found.column_names], len(panel.values)),
                "value": panel.values.ravel(),
            }
        )
        for panel in found.panels
    ]
    return pd.concat(frames)


def inside_sentence(found: Passes) -> str:
    """OP-LSTM: error and gates; plain LSTMs: how much the state still moves."""
    panels = {panel.title: panel.values for panel in found.panels}
    if "forget gate" in panels:
        first, last = (np.sqrt(np.square(found.panels[0].values[:, i]).mean()) for i in (0, -1))
        gates = ", ".join(f"{name} {panels[name].mean():.2f}" for name in ("forget gate", "input gate", "output gate"))
        r = np.corrcoef(found.panels[0].values.ravel(), found.panels[1].values.ravel())[0, 1]
        return (
            f"The error falls from {first:.2f} to {last:.2f} (root mean square, before the first and the last pass). "
            f"The written signal correlates with it: r = {r:.2f}. Means: {gates}."
        )
    told = []
    for title, values in panels.items():
        steps = np.abs(np.diff(values, axis=1)).mean(0)
        told.append(f"{title}: {steps[0]:.3f} at first, {steps[-1]:.3f} at last")
    return f"Mean change of a unit from one column to the next: {'; '.join(told)}."
