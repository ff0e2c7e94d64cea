"""Features: diversity, broadness, similarity and maps of what learners' hidden layers make of an input."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard.figures import features as figures
from dashboard.figures import similarity as similarity_figures
from dashboard.views.features import alike, maps, readings, tables, words
from dashboard.views.features.controls import pick, take_pair
from dashboard.widgets import page, parts
from dashboard.widgets.naming import titles
from dashboard.widgets.pages import PAGES
from dashboard.widgets.parts import Part
from engine.runs.ensembles import Ensemble
from probes.questions.similarity import Similarity

MOMENTS = {"before": "before adaptation", "after": "after adaptation"}
state = st.session_state


def one_by_one(probe: str, ensembles: list[Ensemble], doing: str) -> Any:
    """The answers about each learner alone, joined: another learner on the page costs its own answer only."""
    known = page.answers_of(probe, ensembles, doing)
    return tables.joined(known) if known else None


def show_diversity(ensembles: list[Ensemble]) -> None:
    """Effective rank and its relatives, and the spectrum behind them."""
    found = one_by_one("diversity", ensembles, "Looking at every layer of")
    if found is None:
        return
    names = titles(ensembles)
    measure = pick("Measure", list(tables.MEASURES), "measure", "effective_rank", tables.MEASURES)
    rows = tables.diversity_rows(found, names, measure)
    page.frame(
        "Whose features are diverse, and does adapting change that?",
        f"{tables.MEASURES[measure].capitalize()} of each layer, before and after adaptation, beside the untrained "
        f"learner; {len(found.inputs)}{' even' * (found.inputs[0].size == 1)} inputs, {found.tasks} held-out tasks.",
        figures.diversity(rows, tables.MEASURES[measure], page.dark()),
        "features-diversity",
        read=words.DIVERSITY,
        data=rows,
        says=tables.diversity_sentence(rows, measure, tables.by_seed(found, names, measure)),
    )
    layers = sorted(rows.layer.unique())
    with st.container(horizontal=True):
        layer = pick("Layer", layers, "spectrum-layer", layers[-1])
        moment = pick("Moment", list(MOMENTS), "spectrum-moment", "before", MOMENTS)
    curves = tables.spectrum_curves(found, names, layer, moment)
    page.frame(
        "How fast do the directions run out?",
        f"Singular value, as a share of the largest, over its number; {layer}, {MOMENTS[moment]}.",
        figures.lines(curves, "number of the singular value", "share of the largest", page.dark(), log=True),
        "features-spectrum",
        read=words.SPECTRUM,
        data=curves,
    )


def show_broadness(ensembles: list[Ensemble]) -> None:
    """What can be read off frozen features, and whether that goes with small errors."""
    found = one_by_one("broadness", ensembles, "Reading fresh waves off the features of")
    if found is None:
        return
    names, dark = titles(ensembles), page.dark()
    layers = sorted({one.layer for one in found.layers if one.functions.size})
    with st.container(horizontal=True):
        layer = pick("Layer", layers, "functions-layer", layers[-1])
        moment = pick("Moment", list(MOMENTS), "functions-moment", "before", MOMENTS)
    curves, runs = tables.function_curves(found, names, layer, moment), tables.run_rows(found, names)
    page.frame(
        "How far beyond the training waves do the features reach?",
        f"Cross-validated R² of fresh waves, read off frozen features, over frequency; {layer}, {MOMENTS[moment]}.",
        figures.lines(curves, "frequency", "R²", dark, mark=(1.0, "training")),
        "features-functions",
        read=words.FUNCTIONS,
        data=curves,
        says=tables.broadness_sentence(runs),
    )
    rows = tables.parameter_rows(found, names)
    truth = dict(zip(dict.fromkeys(rows.parameter), found.truth, strict=True))
    page.frame(
        "Where does a learner keep what it has learned of the task?",
        "Cross-validated R² of the task's amplitude and phase, read off layers and predictions after adaptation.",
        figures.held(rows, truth, dark),
        "features-held",
        read=words.PARAMETERS,
        data=rows,
        says=tables.parameter_sentence(rows),
    )
    relations = tables.relations(runs)
    page.frame(
        "Do broad features make few-shot learning better?",
        "Query error after adaptation over broadness, run by run (last hidden layer, as training left it).",
        figures.relation(runs, dark),
        "features-relation",
        read=words.RELATION,
        data=runs,
        says=tables.relation_sentence(relations),
    )
    st.dataframe(tables.relation_table(relations).round(4), hide_index=True, width="content")


def show_similarity(ensembles: list[Ensemble]) -> None:
    """The heat map of all pairs of layers, and one pair."""
    found = page.answer("similarity", ensembles, "Comparing every layer with every other ...", kernels=True)
    if found is None:
        return
    shown = similarity_choice(found)
    if not shown:
        st.info("Choose at least one layer and one moment.", icon=":material/info:")
        return
    names = titles(ensembles)
    labels = alike.item_labels(found, names)
    if said := alike.blank(found, labels, shown):
        st.caption(said)
        if not np.isfinite(found.cka[np.ix_(shown, shown)]).any():
            return  # an empty map
    map_place, pair_place = st.container(), st.container()
    with pair_place:
        first, second = pair_of(found, shown, labels)
    with map_place:
        show_heat(found, shown, names, labels, (first, second))
    where, axis = alike.places(found.inputs)
    page.frame(
        "What do the two layers find alike?",
        "How alike each layer finds any two inputs, as a share of the strongest; first seed, first task.",
        similarity_figures.kernels(
            (labels[first], labels[second]), found.kernels[[first, second]], where, page.dark(), axis
        ),
        "features-kernels",
        read=words.KERNELS,
        data=alike.kernel_rows(found, first, second),
        says=alike.pair_sentence(found, labels, first, second),
    )


def show_heat(
    found: Similarity, shown: list[int], names: dict[str, str], labels: list[str], pair: tuple[int, int]
) -> None:
    """The heat map; a click on a cell makes it the pair."""
    at = np.ix_(shown, shown)
    page.frame(
        "Which layers see alike?",
        "Debiased linear CKA of every two layers; lines part the learners, the frame is the pair below.",
        similarity_figures.heat(
            [labels[i] for i in shown],
            [names[found.items[i].learner] for i in shown],
            found.cka[at],
            found.low[at],
            found.high[at],
            (shown.index(pair[0]), shown.index(pair[1])),
            page.dark(),
        ),
        "features-heat",
        read=words.SIMILARITY,
        data=alike.pair_rows(found, names, shown),
        says=alike.similarity_sentence(found, names),
        on_select=take_pair,
        selection_mode="points",
    )


def similarity_choice(found: Similarity) -> list[int]:
    """The items that the person wants to see."""
    layers = list(dict.fromkeys(item.layer for item in found.items))
    moments = list(dict.fromkeys(item.moment for item in found.items))
    row = st.container(horizontal=True)
    many: dict[str, Any] = {"selection_mode": "multi", "bind": "query-params"}
    chosen = row.pills("Layers", layers, default=layers, key="features-layers", **many)
    when = row.pills("Moments", moments, default=["before", "after"], key="features-moments", **many)
    return [i for i, item in enumerate(found.items) if item.layer in chosen and item.moment in when]


def pair_of(found: Similarity, shown: list[int], labels: list[str]) -> tuple[int, int]:
    """The pair in the two boxes; at first the layer that its moments shown change most."""
    offered = [labels[i] for i in shown]
    same = [(i, j) for i in shown for j in shown if alike.moments_of_one(found, i, j)] or [(shown[0], shown[-1])]
    default = min(same, key=lambda ij: np.nan_to_num(found.cka[ij], nan=2.0))
    boxes = {"features-first": "Layer", "features-second": "against layer"}
    linked = any(key in st.query_params for key in boxes)  # a link leaves out a box that stands at its first option
    chosen = []
    for place, (key, label), number in zip(st.columns(2), boxes.items(), default, strict=True):
        if (key not in state and not linked) or (key in state and state[key] not in offered):
            state[key] = labels[number]
        chosen.append(place.selectbox(label, offered, key=key, bind="query-params"))
    return shown[offered.index(chosen[0])], shown[offered.index(chosen[1])]


PARTS = (
    Part("Diversity", lambda shown: show_diversity(shown.ensembles), "diversity"),
    Part("Broadness", lambda shown: show_broadness(shown.ensembles), "broadness"),
    Part("Similarity", lambda shown: show_similarity(shown.ensembles), "similarity"),
    Part("Maps", lambda shown: maps.show_maps(shown.ensembles), "maps"),
)

parts.show(PAGES["features"], PARTS, readings.readings())
