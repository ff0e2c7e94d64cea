"""Loss landscape, *Learned rules*: does a learned update rule curve the meta-loss more, and what do gradients lose?"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from dashboard.figures import panels as figures
from dashboard.views.landscape import learned_tables as tables
from dashboard.views.landscape import learned_words as says
from dashboard.views.landscape import words
from dashboard.views.landscape.controls import FIELDS
from dashboard.widgets import fitting, page
from dashboard.widgets.choosing import Shown
from dashboard.widgets.layout import pair
from dashboard.widgets.twins import first_order_pairs
from engine.runs.ensembles import Ensemble
from probes.questions.meta_gradients import ALL, Measured

PROBE = "meta-gradients"


def show_rules(shown: Shown) -> None:
    """RQ1 for every learner of the collection that comes in a first- and a second-order form."""
    every = fitting.fit(PROBE, shown.everybody)
    if not every:
        st.info("No learner here comes in a first- and a second-order form.", icon=":material/info:")
        return
    answered = {e.learner.name: found for e in every if (found := page.known(PROBE, [e])) is not None}
    missing = [e for e in every if e.learner.name not in answered]
    known = [e for e in every if e.learner.name in answered]
    if known:
        _show(known, answered)
    if missing:
        _offer(missing)


def _show(shown: Sequence[Ensemble], answered: dict[str, Any]) -> None:
    """The three figures of the learners that have an answer."""
    measured = [one for e in shown for one in answered[e.learner.name].measured]
    names = {e.learner.name: e.learner.title for e in shown}
    about = answered[shown[0].learner.name]
    seeds = sorted({len(e.runs) for e in shown})
    where = f"{'-'.join(map(str, seeds))} seed{'s' * (seeds != [1])}"
    st.caption(
        f"Every learner of the collection that comes in a first- and a second-order form: {about.tasks} held-out tasks "
        f"in groups of {about.batch}, {where} each. This part does not follow the choice of learners above."
    )
    _show_curvature(measured, names, shown)
    block, field = _controls()
    _show_gradients(measured, names, block, field)
    _show_along(measured, names, block, field)


def _offer(missing: Sequence[Ensemble]) -> None:
    """A button that measures the learners that have no answer yet: it takes minutes."""
    titles = ", ".join(e.learner.title for e in missing)
    st.caption(
        f"Not measured yet: {titles}. It takes from ten seconds (MAML) to ten minutes (a meta-learner LSTM) each; "
        f"`python -m probes {PROBE} --run ... --keep checkpoints/answers` keeps it for good."
    )
    if st.button("Measure them now", icon=":material/play_arrow:", key="landscape-rules-ask"):
        for e in missing:
            page.answer(PROBE, [e], f"Measuring {e.learner.title} ...")
        st.rerun()


def _controls() -> tuple[str, str]:
    """Which parameters, and which form of curvature, kept in the URL."""
    forms = {name: form.title for name, form in tables.CURVATURES.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        block = FIELDS.pick("Gradients and curvature in", list(tables.BLOCKS), "block", ALL, tables.BLOCKS)
        field = FIELDS.pick("Curvature", list(forms), "measure", "scaled", forms)
    return block, field


def _show_curvature(measured: Sequence[Measured], names: dict[str, str], shown: Sequence[Ensemble]) -> None:
    if tables.BASELINE not in names or len(names) < 2:
        st.caption("Curvature is compared with MAML's; this collection has no MAML to compare with.")
        return
    columns = tables.ratio_panels(measured, names)
    pairs = [
        (first.learner.name, exact.learner.name)
        for first, exact in first_order_pairs(list(shown))
        if asdict(first.learner) | {"first_order": False} == asdict(exact.learner)  # nothing else differs
    ]
    sentences = (says.curvature_sentence(measured, names), says.training_sentence(measured, names, pairs))
    page.frame(
        "Does a learned update rule curve the meta-loss more?",
        "Curvature of the meta-loss at the trained weights as a multiple of MAML's, in three forms, and what a random "
        "change by 2 % costs. Mean with 95 % interval over seeds and tasks; rings: untrained.",
        figures.panels(tables.rows(names), columns, page.dark()),
        "landscape-rules",
        read=words.CURVATURE,
        data=tables.ratio_table(columns, names),
        says="\n\n".join(sentence for sentence in sentences if sentence),
    )


def _show_gradients(measured: Sequence[Measured], names: dict[str, str], block: str, field: str) -> None:
    measure = tables.CURVATURES[field]
    columns = [
        tables.panel(measured, names, block, "cosine", title="same direction?", axis="cosine", reference=1.0),
        tables.panel(
            measured,
            names,
            block,
            "ratio",
            title="same length?",
            axis="|first-order| / |exact|",
            log=True,
            reference=1.0,
        ),
        tables.panel(
            measured, names, block, field, title=f"curvature: {measure.title}", axis=measure.axis, log=measure.sizes
        ),
    ]
    kept = {name: title for name, title in names.items() if name in columns[0].values}
    page.frame(
        "What does a first-order meta-gradient leave out?",
        f"First-order against exact meta-gradient at the same trained weights, over {tables.BLOCKS[block]}, and the "
        "curvature there. Mean with 95 % interval over seeds and tasks; small dots: seeds; rings: untrained.",
        figures.panels(tables.rows(kept), columns, page.dark()),
        "landscape-gradients",
        read=words.GRADIENTS,
        data=tables.table(measured, names),
        says="\n\n".join(
            sentence
            for sentence in (
                says.gradient_sentence(measured, kept, block),
                says.relation_sentence(measured, kept, block, field),
            )
            if sentence
        ),
    )


def _show_along(measured: Sequence[Measured], names: dict[str, str], block: str, field: str) -> None:
    measure = tables.CURVATURES[field]
    cosines = tables.courses(measured, names, block, "cosine")
    curved = tables.courses(measured, names, block, field)
    if not cosines:
        st.caption("Along the training: no run of this collection kept weights on the way.")
        return
    parts = [("When do first-order gradients go astray?", "cosine, first-order and exact", False, cosines)]
    if curved:
        parts.append(("When does the curvature come?", measure.axis, measure.sizes, curved))
    for place, (question, axis, log, found) in zip(pair("landscape-along"), parts, strict=False):
        with place:
            page.frame(
                question,
                f"{axis[0].upper()}{axis[1:]}, over {tables.BLOCKS[block]}, against meta-updates. Means; their "
                "intervals, wide with so few tasks, on hover and in the data.",
                figures.along(axis, found, log=log, dark=page.dark()),
                f"landscape-along-{'cosine' if found is cosines else 'curvature'}",
                read=words.ALONG,
                data=tables.course_table([(axis, found)]),
            )
