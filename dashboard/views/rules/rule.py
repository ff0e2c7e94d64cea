"""Update rules, *The rule*: a learned rule as a picture, read as a few terms, and the reading run in its place."""

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.figures import rules_readings as reading_figures
from dashboard.figures import rules_surfaces as figures
from dashboard.views.rules import words
from dashboard.views.rules.controls import choose_one, pick
from dashboard.views.rules.rule_tables import (
    PARTS,
    deviation_rows,
    deviation_sentence,
    gate_sentence,
    in_place_sentence,
    layer_sentence,
    move_sentence,
    rate_sentence,
    surface_sentence,
    term_sentence,
    variants,
)
from dashboard.widgets import page
from dashboard.widgets.layout import row
from dashboard.widgets.naming import titles
from engine.learners.meta_lstm import MetaLSTM
from engine.runs.ensembles import Ensemble
from probes.questions.rule import OfLearner
from probes.tools.rule_pictures import Gates, Moves
from probes.tools.rule_readings import BODY, OUTPUT
from probes.tools.rule_surfaces import Surfaces

TASKS = 100
AXES = {OUTPUT: ("label y", "prediction ŷ", "h"), BODY: ("activation a", "message d", "h")}
GATES = {"i": "input gate", "f": "forget gate"}


def show_rule(ensembles: list[Ensemble]) -> None:
    """One learner's rule: its picture, its deviations from gradient descent, and what readings of it explain."""
    with row():
        chosen = choose_one("Whose rule", ensembles, "whose", "op-lstm")
        seeds, seed = [run.seed for run in chosen.runs], 0
        if not isinstance(chosen.learner, MetaLSTM):  # its gates are drawn as means of the seeds
            seed = seeds.index(pick("Seed", seeds, "seed", seeds[0]))
    found = page.answers_of("rule", [chosen], "Reading the rule of", tasks=TASKS)
    if not found:
        return
    one: OfLearner = found[0].answers[0]
    name = titles(ensembles)[one.learner]
    if isinstance(one.picture, Surfaces):
        show_surfaces(one, one.picture, name, seed)
    elif isinstance(one.picture, Moves):
        show_moves(one, one.picture, name, seed)
    elif isinstance(one.picture, Gates):
        show_gates(one, one.picture, name)
    show_shares(one, name)
    show_in_place(one, name)


# ---- pictures ----------------------------------------------------------------------------------------


def show_surfaces(one: OfLearner, picture: Surfaces, name: str, seed: int) -> None:
    """OP-LSTM: both cells beside gradient descent, at a pass."""
    at = st.slider("Pass", 1, one.steps, min(one.steps, 3), key="rules-pass", bind="query-params", width=420)
    for surface in picture.surfaces:
        first, second = surface.first[:, None], surface.second
        target = first - second if surface.part == OUTPUT else second * (first > 0)
        panels = [
            (words.DESCENT[surface.part], target),
            ("memory empty", surface.fresh[seed]),
            (f"carried into pass {at}", surface.carried[seed, at - 1]),
        ]
        grid = pd.DataFrame(
            {
                AXES[surface.part][0]: np.repeat(surface.first, len(second)),
                AXES[surface.part][1]: np.tile(second, len(surface.first)),
                **{title: values.ravel() for title, values in panels},
            }
        )
        page.frame(
            words.SURFACE_QUESTIONS[surface.part],
            f"{name}: written signal h over {AXES[surface.part][0]} and {AXES[surface.part][1]}; blue: negative, "
            "orange: positive, each panel on its own scale (± below); dots: signals really met in that pass.",
            figures.surfaces(surface.first, second, panels, surface.met[seed, at - 1], AXES[surface.part], page.dark()),
            f"rules-surface-{surface.part}",
            read=words.SURFACES,
            data=grid,
            says=surface_sentence(surface, one, seed, at),
        )
    by_measure = {
        measure: {PARTS[s.part]: s.deviations[measure] for s in picture.surfaces}
        for measure in ("additive", "odd", "monotone")
    }
    page.frame(
        "How far is it from a rule like gradient descent?",
        "Shares of each surface that no additive, odd or monotone function has, pass by pass; area: range of seeds.",
        reading_figures.deviations(by_measure, one.learner, page.dark()),
        "rules-deviations",
        read=words.DEVIATIONS,
        data=deviation_rows(picture),
        says=deviation_sentence(picture),
    )


def show_moves(one: OfLearner, picture: Moves, name: str, seed: int) -> None:
    """TURTLE: its move, and its learning rates."""
    history = not np.allclose(picture.surface[seed], picture.surface[seed][:, :1])
    data = pd.DataFrame({"g": picture.gradients, **{f"seed {s}": m for s, m in enumerate(picture.first)}})
    page.frame(
        f"How does {name} answer to a gradient?",
        "Move m over gradient g, one line for each seed; dotted: its slope at 0, carried on; dashed: 99 % of the "
        "gradients met lie between. Right: over gradient and history.",
        figures.moves(
            picture.gradients,
            picture.first,
            picture.surface[seed],
            picture.met[seed, [0, -1]],
            history,
            seed,
            one.learner,
            page.dark(),
        ),
        "rules-move",
        read=words.MOVES,
        data=data,
        says=move_sentence(picture),
    )
    if picture.rates:
        marks = ["5 %", "25 %", "50 %", "75 %", "95 %"]
        rows = [(k, s, *values) for k, seeds in picture.rates.items() for s, values in enumerate(seeds)]
        page.frame(
            "Which weights may move?",
            "Learned rates λ by layer, one bar for each seed: ring: median, thick: middle half, thin: middle 90 %.",
            figures.rates(picture.rates, one.learner, page.dark()),
            "rules-rates",
            read=words.RATES,
            data=pd.DataFrame(rows, columns=["tensor", "seed", *marks]),
            says=rate_sentence(picture),
        )


def show_gates(one: OfLearner, picture: Gates, name: str) -> None:
    """Meta-learner LSTM: gates against the gradient, and by layer."""
    enough = picture.counts.sum(0) >= 100
    by_gate = {g: _over_seeds(values[..., 1])[:, enough] for g, values in picture.gates.items()}
    sizes = picture.sizes[enough]
    rows = [
        {"gate": g, "step": t + 1, "|g|": 10**size, "median": by_gate[g][t, i]}
        for g in by_gate
        for t in range(one.steps)
        for i, size in enumerate(sizes)
    ]
    page.frame(
        f"How fast does {name} follow a gradient, and how much does it keep?",
        "Medians of both gates over the size of a weight's gradient; one line for each inner step, later ones darker "
        "(in the dark: lighter); means of the seeds.",
        figures.gates(sizes, by_gate, GATES, page.dark()),
        "rules-gates",
        read=words.GATES,
        data=pd.DataFrame(rows),
        says=gate_sentence(sizes, by_gate),
    )
    by_tensor = {name: values[..., 0].mean(0) for name, values in picture.layers.items()}
    page.frame(
        "Does it treat layers differently?",
        "Median input gate by layer and inner step, mean of the seeds; a gate sees no layer, only gradient and weight.",
        figures.gate_layers(by_tensor, page.dark()),
        "rules-gate-layers",
        read=words.GATES,
        data=pd.DataFrame({k: v for k, v in by_tensor.items()}).assign(step=np.arange(1, one.steps + 1)),
        says=layer_sentence(by_tensor),
    )


def _over_seeds(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(0) / known.sum(0)


# ---- readings ----------------------------------------------------------------------------------------


def show_shares(one: OfLearner, name: str) -> None:
    """What the terms explain of the rule, and the terms."""
    parts = list(dict.fromkeys(read.part for read in one.reads))
    by_part = {PARTS[p]: {read.reading: read.share for read in one.reads if read.part == p} for p in parts}
    rows = [
        {"part": PARTS[read.part], "reading": read.reading, "seed": s, "step": t + 1, "share": read.share[s, t]}
        | {f"× {term}": c for term, c in zip(read.terms, read.coefficients[s, t], strict=True)}
        for read in one.reads
        for s in range(len(one.seeds))
        for t in range(read.share.shape[1])
    ]
    page.frame(
        "How much of the rule is a few terms?",
        "Share of the variance of what the rule said (about 0) that each reading explains, by inner step; area: range "
        "of the seeds. The coefficients are in the data.",
        reading_figures.shares(by_part, one.learner, page.dark()),
        "rules-shares",
        read=words.READINGS,
        data=pd.DataFrame(rows),
        says=term_sentence(one),
    )


def show_in_place(one: OfLearner, name: str) -> None:
    """What the readings do in the place of the rule."""
    rows = variants(one)
    page.frame(
        "Does the simple rule learn as well?",
        f"Query loss on {TASKS} held-out tasks after the last step, with the simple rule in the place of {name}'s own; "
        "large: mean, small: seeds.",
        reading_figures.in_place(rows, "mean squared error", one.learner, page.dark()),
        "rules-in-place",
        read=words.IN_PLACE,
        data=pd.DataFrame(
            {"variant": r.title, "mean": r.mean, **{f"seed {s}": v for s, v in zip(one.seeds, r.seeds, strict=True)}}
            for r in rows
        ),
        says=in_place_sentence(one),
    )
