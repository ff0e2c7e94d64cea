"""What the learned head, scarce training data and second-order meta-gradients contribute."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.figures import behaviour as figures
from dashboard.figures import sweeps as sweep_figures
from dashboard.views.behaviour import sweep_tables, tables, words
from dashboard.views.behaviour.controls import behaved, compared_by, one_by_one
from dashboard.widgets import fitting, library, page
from dashboard.widgets.choosing import Shown
from dashboard.widgets.naming import seeds_of, titles
from dashboard.widgets.twins import first_order_pairs
from engine.runs.ensembles import Ensemble
from probes.tools import scoring


def show_factors(shown: Shown, tasks: int) -> None:
    """What the learned head, scarce training data and second-order gradients contribute."""
    ensembles = shown.ensembles
    names, measure = titles(ensembles), compared_by(ensembles[0])
    answers = [a for one in one_by_one("heads", ensembles, "Replacing the head of", tasks=tasks) for a in one.answers]
    if answers:
        page.frame(
            "What does the learned output layer contribute?",
            f"Query {measure} after the last step with the learned head (filled) and a fresh random one (open): mean "
            f"with 95 % interval, {tasks:,} held-out tasks, {seeds_of(ensembles)}.",
            sweep_figures.heads(
                sweep_tables.pairs(answers, names), measure, page.dark(), log=answers[0].learned_right is None
            ),
            "behaviour-heads",
            read=words.ACCURACY_HEADS if answers[0].learned_right is not None else words.HEADS,
            data=sweep_tables.head_rows(answers, names),
            says=sweep_tables.head_sentence(answers, names),
        )
    show_scarcity(shown, tasks)
    show_first_order(shown, tasks)


def show_scarcity(shown: Shown, tasks: int) -> None:
    """Trained at 5, 10, 20 shots, tested at all."""
    why = {e.learner.title: fitting.unfit("shots", e) for e in shown.ensembles}
    if why and all(why.values()):
        st.caption(f"Scarce data in training: {fitting.told({title: str(said) for title, said in why.items()})}")
        return
    offered = library.shots(shown.collection, shown.task)
    names, wanted = titles(shown.ensembles), tuple(sorted({*offered}))
    found: dict[str, dict[int, Any]] = {}
    answers: dict[str, dict[int, Any]] = {}
    trained: dict[str, dict[int, Ensemble]] = {}
    for k in offered:
        same = [e for e in library.ensembles(shown.collection, shown.task, k)[0] if e.learner.name in names]
        for e in same:
            trained.setdefault(names[e.learner.name], {})[k] = e
        for one in one_by_one(
            "shots", same, f"Testing at {', '.join(map(str, wanted))} shots:", tasks=tasks, shots=wanted
        ):
            for a in one.answers:
                sweep = sweep_tables.sweep(a.learner, names, a.shots, a.losses)
                found.setdefault(names[a.learner], {})[k] = sweep
                answers.setdefault(names[a.learner], {})[k] = a
    ordered = {title: found[title] for title in names.values() if len(found.get(title, {})) > 1}
    if not ordered:
        st.caption("Scarce data in training: no learner shown was trained at more than one number of shots here.")
        return
    measure = scoring.measure(shown.ensembles[0].distribution)
    rows = [
        sweep_tables.sweep_rows([sweep], "tested at").assign(**{"trained at": k})
        for by_shots in ordered.values()
        for k, sweep in by_shots.items()
    ]
    page.frame(
        "Does scarce data in training make a specialist?",
        f"Query {measure} over shots at test, one line for each number of shots in training; {tasks:,} "
        "held-out tasks, mean with 95 % interval. Large: tested as trained. "
        f"{sweep_tables.unlike_sentence({title: trained[title] for title in ordered})}".strip(),
        sweep_figures.scarcity(ordered, measure, page.dark()),
        "behaviour-scarcity",
        read=words.SCARCITY,
        data=pd.concat(rows),
        says=sweep_tables.scarcity_sentence({title: answers[title] for title in ordered}),
    )


def show_first_order(shown: Shown, tasks: int) -> None:
    """What dropping the second-order terms costs each learner that was trained both ways."""
    every = shown.everybody
    found = []
    names, seeds = titles(every), []
    for first, second in first_order_pairs(every):
        _, curves = behaved([first, second], tasks)
        found.append(tables.difference(curves[0], curves[1], names[first.learner.name]))
        seeds += [first, second]
    if not found:
        return
    found, measure = tables.corrected(found), compared_by(seeds[0])
    higher = found[0].higher
    how, mean, costs = ("less", "difference", "Left of 0") if higher else ("divided by", "ratio of means", "Right of 1")
    page.frame(
        "What does a first-order meta-gradient cost?",
        f"Query {measure if higher else 'error'} of the learner named, trained first-order, {how} that of its "
        f"second-order twin on the same {tasks:,} tasks: {mean} with 95 % interval over tasks and trainings, "
        f"{seeds_of(seeds)}. {costs}: it costs; pale: undecided, corrected for {len(found)} comparisons (Holm).",
        figures.differences(found, f"query {measure}, {how} that of its second-order twin", page.dark()),
        "behaviour-first-order",
        read=words.FIRST_ORDER + (words.ACCURACY_DIFFERENCES if higher else words.DIFFERENCES),
        data=tables.difference_rows(found),
        says=tables.difference_sentence(found, "its second-order twin"),
    )
