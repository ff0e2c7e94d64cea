"""Whether SAP adapts what the tasks vary, and which layers everybody moves."""

import json
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.figures import operations_worth as worth_figures
from dashboard.views.operations import words
from dashboard.views.operations.anatomy import TASKS
from dashboard.views.operations.controls import pick
from dashboard.widgets import fitting, library, page
from dashboard.widgets.choosing import Shown
from dashboard.widgets.numbers import percent
from engine.learners import make
from probes.claims import sap

FORMS = ("mended", "published", "mended-gates", "published-gates")


def show_structure() -> None:
    """The synthetic families: do strengths match what varies?"""
    found = experiments()
    if not found:
        st.caption("The experiment on synthetic families has no results here: `python -m engine structure --train`.")
        return
    order = list(found)
    kinds = {"gates": "strengths", "worth": "cost of absence"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = pick("Form", order, "form", order[0])
        kind = pick("Show", list(kinds), "evidence", "gates", kinds)
    content = found[form]
    rows = []
    for name, one in found.items():
        for protocol, result in one["protocols"].items():
            which = [("trained", result), *((c, one["controls"][c]["protocols"][protocol]) for c in one["controls"])]
            chance = 100 * one["chance"][protocol]
            label = f"{name}, {protocol}"
            rows += [(label, w, 100 * r["mean"], 100 * r["ci95"], chance) for w, r in which]
    table = pd.DataFrame(rows, columns=["form and protocol", "which", "match %", "± 95 %", "chance %"])
    trained = {label: (mean, ci) for label, which, mean, ci, _ in rows if which == "trained"}
    page.frame(
        "Does SAP adapt what the tasks vary?",
        f"Match over 15 families, {content['seeds']} seeds each; three ways of counting, {len(found)} forms of SAP.",
        worth_figures.protocols(rows, dark=page.dark()),
        "sap-protocols",
        read=words.STRUCTURE,
        data=table,
        says=counted(trained),
    )
    names = [" + ".join(family) for family in content["families"]]
    truth = np.array([[factor in family for factor in content["factors"]] for family in content["families"]])
    gates, mse = np.array(content["gates"]), np.array(content["mse"])
    rise = np.array(content["mse_without"]) / mse[..., None]
    values, what, middle = (
        (gates.mean(0), "strength", 0.5)
        if kind != "worth"
        else (np.log10(rise).mean(0), "log10 of error without it / with it", 0.0)
    )
    page.frame(
        "Which gates open for which tasks?" if kind != "worth" else "Whose absence costs most?",
        f"Scalar operations of {form or order[0]} SAP, mean of {content['seeds']} seeds; framed: factors that vary.",
        worth_figures.families(
            names, content["factors"], content["operations"], values, truth, what, middle, dark=page.dark()
        ),
        "sap-families",
        read=words.STRUCTURE,
        data=pd.DataFrame(
            [
                {
                    "family": names[i],
                    "operation": content["operations"][j],
                    "varies": bool(truth[i, j]),
                    "strength": gates[:, i, j].mean(),
                    "error": mse[:, i].mean(),
                    "error without / with": rise[:, i, j].mean(),
                }
                for i in range(len(names))
                for j in range(4)
            ]
        ),
    )


def counted(trained: dict[str, tuple[float, float]]) -> str:
    """The count that decides, and which of all counts have the reported match in their interval."""
    primary = f"{sap.FORM}, {sap.PROTOCOL}"
    near = [label for label, (mean, half) in trained.items() if abs(mean - sap.REPORTED) <= half]
    reported = f"The reported {sap.REPORTED:.0f} % lies in "
    told = (
        f"{reported}the interval of {', '.join(near)}."
        if near
        else f"{reported}none of the intervals: matches go from {min(m for m, _ in trained.values()):.0f} to "
        f"{max(m for m, _ in trained.values()):.0f} %."
    )
    if primary not in trained:
        return told
    mean, half = trained[primary]
    return f"The count that decides is **{primary}**, the only one of cases: {mean:.0f} ± {half:.0f} %. {told}"


def experiments() -> dict[str, dict[str, Any]]:
    """The shipped results on synthetic families by the form of SAP; empty where there are none."""
    folder = library.CHECKPOINTS / "structure"
    return {form: _read(str(path)) for form in FORMS if (path := folder / f"{form}.json").is_file()}


@st.cache_data(show_spinner=False)
def _read(path: str) -> dict[str, Any]:
    with open(path) as file:
        return dict(json.load(file))


def show_others(shown: Shown) -> None:
    """Which layers move, for SAP and everybody else who adapts a network."""
    asked = [e for e in fitting.fit("moving", shown.everybody) if e.learner.meta_trained]
    answers = [page.answer("moving", [e], f"Adapting {e.learner.title} ...", tasks=TASKS) for e in asked]
    found = [one for answer in answers if answer is not None for one in answer.learners]
    if not found:
        return
    rows = sorted(
        ((m.learner, make(m.learner).title, np.nanmean(m.share, (0, 1)), float(np.nanmedian(m.after))) for m in found),
        key=lambda row: row[3],
    )
    page.frame(
        "Which layers move, how far, for which error?",
        f"Movement of each layer as a share of its length, mean over {TASKS} held-out tasks and seeds; "
        "the best learner (median error) at the top.",
        worth_figures.moved(rows, found[0].layers, dark=page.dark()),
        "sap-moved",
        read=words.MOVED,
        data=pd.DataFrame(
            [
                {"learner": title, "median error": error, **dict(zip(found[0].layers, share, strict=True))}
                for _, title, share, error in rows
            ]
        ),
        says=_moved_sentence(rows, found[0].layers),
    )


def _moved_sentence(rows: list[Any], layers: list[str]) -> str:
    parts = [
        f"{title} moves its {layers[int(share.argmax())]} most ({percent(share.max())} of its length)"
        for _, title, share, _ in rows[:3]
    ]
    return "; ".join(parts) + "."
