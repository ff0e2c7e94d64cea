"""Curvature in numbers: eigenvalues, trace, sharpness and spectral density of task loss and meta-loss."""

import streamlit as st

from dashboard.figures import panels as rows_figures
from dashboard.figures import spectra as figures
from dashboard.views.landscape import curvature_tables as tables
from dashboard.views.landscape import curvature_words as words
from dashboard.views.landscape.controls import number, one_by_one, pick, scrolls
from dashboard.views.landscape.surface_tables import META, TASK
from dashboard.views.landscape.surface_words import WHICH
from dashboard.widgets import page
from dashboard.widgets.layout import pair, row
from dashboard.widgets.naming import seeds_of, titles
from dashboard.widgets.numbers import percent
from engine.runs.ensembles import Ensemble
from engine.runs.run import KEPT
from probes.tools.surfaces import HELD_OUT

LOSSES = {TASK: "task loss", META: "meta-loss"}
RADII = (0.01, 0.05, 0.1)
META_SETTINGS = {"tasks": 10, "vectors": 10, "spectra": 1, "lanczos": 40, "ascent": 5}  # a product costs far more
FAST = {"vectors": 20, "spectra": 3, "lanczos": 50}


def show_curvature(ensembles: list[Ensemble]) -> None:
    """The numbers of either loss at the trained weights, and along the training where weights were kept."""
    config = _controls()
    loss, names = str(config["loss"]), titles(ensembles)
    answers = one_by_one("curvature", ensembles, "Looking at the curvature of", stoppable=loss == META, **config)
    if reasons := tables.left_out(answers):
        st.caption(" ".join(reasons))
    found = tables.curved(answers)
    if not found:
        return
    seeds = {name: own for answer in answers for name, own in answer.seeds.items()}
    shown = [e for e in ensembles if e.learner.name in seeds]
    where = _where(config)
    scrolls(f"landscape-curvature-{loss}")
    page.frame(
        f"How curved is the {LOSSES[loss]} where learning has led?",
        f"{where}: ends of the Hessian's spectrum, its trace, and the largest rise found near the centre. Mean with "
        f"95 % interval over seeds, small dots: {seeds_of(shown)}.",
        rows_figures.panels(tables.rows(found, names), tables.panels(found, float(str(config["radius"]))), page.dark()),
        f"landscape-curvature-{loss}",
        read=WHICH[loss] + words.NUMBERS,
        data=tables.table(found, names, seeds),
        says=f"{tables.sentence(found, names)} {tables.stability_sentence(found, shown) if loss == TASK else ''}",
    )
    spectra = tables.spectra(found, names)
    counted = pick("Eigenvalues", ("counted", "density"), "eigenvalues", "counted") == "counted"
    page.frame(
        f"In how many directions is the {LOSSES[loss]} curved?",
        f"{where}: {'how many eigenvalues of the Hessian lie at least as far from 0' if counted else 'their density'}, "
        f"seeds averaged{'; marks: both ends, one by one, of each seed' if counted else ''}.",
        figures.spectra(spectra, tables.unit(found), page.dark(), counted=counted),
        f"landscape-spectrum-{loss}",
        read=WHICH[loss] + words.DENSITY,
        data=tables.spectrum_rows(spectra),
        says=tables.spectrum_sentence(found, names),
    )
    _show_along(ensembles, config, names)


def _controls() -> dict[str, object]:
    with row():
        loss = pick("Curvature of the", list(LOSSES), "curved", TASK, LOSSES)
        config: dict[str, object] = {"loss": loss}
        if loss == TASK:
            config["points"] = pick("Points", ("support", "query"), "curved-points", "support")
            config["task"] = number("Task", "curved-task", 0, HELD_OUT - 1, "0") or 0
            step = number("After inner step", "curved-step", 0, 100, "last", "The last one of an evaluation.")
            config["step"] = -1 if step is None else step
        config["radius"] = pick("Ball", RADII, "ball", 0.05, {r: f"{percent(r)} of |c|" for r in RADII})
    return config | (META_SETTINGS if loss == META else FAST)


def _where(config: dict[str, object]) -> str:
    if config["loss"] == META:
        return f"Meta-loss over {config['tasks']} held-out tasks at the trained meta-parameters c"
    step = "the last inner step" if config["step"] == -1 else f"inner step {config['step']}"
    return f"Task loss on the {config['points']} points of held-out task {config['task']} at the weights c after {step}"


def _show_along(ensembles: list[Ensemble], config: dict[str, object], names: dict[str, str]) -> None:
    """The same numbers at the weights that trainings kept; on demand, as it is several times the work."""
    kept = [e for e in ensembles if all((run.path / KEPT).is_dir() for run in e.runs)]
    if not kept:
        st.caption("Along the training: none of the learners shown kept weights on the way.")
        return
    if not st.toggle("Along the training", key="landscape-along-training", bind="query-params"):
        return
    loss = str(config["loss"])
    few = config | {"along": True, "spectra": 0}
    answers = one_by_one("curvature", kept, "Following the training of", stoppable=True, **few)
    found = tables.curved(answers, trained=False)
    if not found:
        return
    seeds = {name: own for answer in answers for name, own in answer.seeds.items()}
    questions = {
        "high": f"Does the {LOSSES[loss]} get sharper as training goes on?",
        "loss": f"What becomes of the {LOSSES[loss]} itself?",
    }
    for place, (measure, question) in zip(pair("landscape-curvature-along"), questions.items(), strict=True):
        title, axis, log = tables.MEASURES[measure]
        with place:
            page.frame(
                question,
                f"{_where(config)}, at the weights that trainings kept: {title} against meta-updates. Means over "
                "seeds, intervals on hover.",
                rows_figures.along(axis, tables.courses(found, names, measure), log=log, dark=page.dark()),
                f"landscape-along-{loss}-{measure}",
                read=WHICH[loss] + words.ALONG,
                data=tables.table(found, names, seeds),
            )
