"""The page Features without a browser: every part in every mode, links, sentences, and a page with nothing chosen."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures import features as figures
from dashboard.figures import maps as map_figures
from dashboard.figures import similarity as similarity_figures
from dashboard.views.features import alike as features_alike
from dashboard.views.features import controls as features_controls
from dashboard.views.features import tables
from probes import asking
from probes.questions.similarity import Item, Similarity
from probes.tools.statistics import Relation
from tests.dashboard.pages import app, fine
from tests.dashboard.pages import figures as charts
from tests.probes.questions.test_diversity import ensemble


def opened(part: str, learners: tuple[str, ...] = ("maml", "lstm"), **query: str) -> AppTest:
    """The page after its first run, at a link."""
    at = app("features")
    at.query_params["features-part"] = part
    at.query_params["on"] = ",".join(learners)
    for name, text in query.items():
        at.query_params[f"features-{name}"] = text
    return fine(at.run())


def questions(at: AppTest) -> list[str]:
    return [title.value for title in at.subheader]


@pytest.mark.parametrize("measure", list(tables.MEASURES))
def test_diversity_in_every_measure(measure: str):
    at = opened("Diversity", measure=tables.MEASURES[measure])
    assert questions(at) == [
        "Whose features are diverse, and does adapting change that?",
        "How fast do the directions run out?",
    ]
    dots = charts(at)[0]
    assert dots.layout.xaxis.title.text == tables.MEASURES[measure]
    assert {"LSTM, pooled", "MAML"} == set(dots.layout.yaxis.ticktext)
    assert tables.MEASURES[measure] in at.markdown[2].value


@pytest.mark.parametrize(("layer", "moment"), [("hidden 1", "before"), ("hidden 2", "after")])
def test_the_spectrum_of_every_layer_and_moment(layer: str, moment: str):
    at = opened("Diversity", **{"spectrum-layer": layer, "spectrum-moment": f"{moment} adaptation"})
    assert f"{layer}, {moment} adaptation." in [caption.value for caption in at.caption][1]
    (first, second) = (opened("Diversity"), at)
    assert charts(first)[1].to_json() != charts(second)[1].to_json()


def test_broadness_has_its_three_questions_and_the_table_of_relations():
    at = opened("Broadness", learners=("finetuning", "maml", "reptile"))
    assert len(questions(at)) == 3
    assert not any("at least three" in text.value for text in at.markdown)
    tables = [frame.value for frame in at.dataframe]
    relations = next(t for t in tables if "Pearson r" in t)
    assert list(relations.over) == ["learners", "all runs", "runs within learners"] * 2
    assert list(relations.n) == [3, 9, 9] * 2
    fine(at.segmented_control(key="features-functions-moment").set_value("after").run())


def test_similarity_frames_the_pair_in_the_boxes():
    at = opened("Similarity")
    first, second = at.selectbox(key="features-first"), at.selectbox(key="features-second")
    assert first.value.rsplit(", ", 1)[0] == second.value.rsplit(", ", 1)[0], "one layer, before and after"
    fine(second.set_value("MAML, hidden 1, after").run())
    assert "MAML, hidden 1, after" in [note.text for note in charts(at)[1].layout.annotations]


def test_a_link_to_a_pair_opens_that_pair():
    options = opened("Similarity").selectbox(key="features-first").options
    at = opened("Similarity", second=options[-1])
    assert at.selectbox(key="features-first").value == options[0], "a link leaves out what stands at its first option"
    assert at.selectbox(key="features-second").value == options[-1]


def test_a_pair_of_a_learner_that_leaves_is_replaced():
    at = opened("Similarity", first="LSTM, pooled, hidden 1, before", second="LSTM, pooled, hidden 2, after")
    fine(at.pills(key="features-learners").set_value(["maml"]).run())
    assert at.selectbox(key="features-first").value.startswith("MAML")
    fine(at.pills(key="features-moments").set_value([]).run())
    assert "at least one layer" in at.info[0].value


@pytest.mark.parametrize("space", ["features", "predictions"])
@pytest.mark.parametrize("colour", ["learner", "amplitude", "phase", "step", "error"])
def test_maps_in_every_space_and_colour(space: str, colour: str):
    at = opened("Maps", space=space, colour="inner steps done" if colour == "step" else colour)
    assert questions(at) == ["Who ends up near whom?", "Which tasks are these?"]
    subtitle = at.caption[0].value
    assert f"components of the {space}" in subtitle
    assert "1,440 of 1,440 points shown" in subtitle
    assert (charts(at)[0].layout.coloraxis.colorscale is None) == (colour == "learner")


def test_a_selection_is_shown_everywhere_and_cleared():
    at = opened("Maps")
    of = at.session_state["features-of"]
    at.session_state["features-selected"] = {"kind": "tasks", "numbers": [3, 5], "of": of}
    fine(at.run())
    assert questions(at)[-1] == "What do the selected points say?"
    packed = [trace.marker.opacity for trace in charts(at)[0].data if trace.type == "scattergl"]
    lit = np.concatenate([np.frombuffer(base64.b64decode(one["bdata"]), one["dtype"]) for one in packed])
    assert (lit > 0.5).sum() == 2 * 24, "two tasks of two learners, three seeds, four steps"
    fine(at.button(key="features-clear").click().run())
    assert questions(at)[-1] == "Which tasks are these?"


def test_a_selection_of_another_map_is_forgotten():
    at = opened("Maps")
    at.session_state["features-selected"] = {"kind": "points", "numbers": [3, 5], "of": "another"}
    fine(at.run())
    assert len(questions(at)) == 2


@pytest.mark.parametrize("part", ["Diversity", "Broadness", "Similarity", "Maps"])
def test_nothing_chosen_is_one_sentence(part: str):
    at = opened(part)
    fine(at.pills(key="features-learners").set_value([]).run())
    assert [info.value for info in at.info] == ["Choose at least one learner above."]
    assert not at.get("plotly_chart")


@pytest.mark.parametrize("part", ["Diversity", "Similarity", "Maps"])
def test_one_learner_is_enough(part: str):
    assert charts(opened(part, learners=("maml",)))


@pytest.mark.parametrize(
    "query",
    [
        {"measure": "nothing"},
        {"spectrum-layer": "hidden 9"},
        {"shots": "999"},
        {"runs": "../../etc"},
    ],
)
def test_a_bad_link_opens_the_page(query: dict[str, str]):
    opened("Diversity", **query)


def test_every_figure_explains_itself_and_gives_its_data():
    for part in ("Diversity", "Similarity", "Maps"):
        at = opened(part)
        labels = [expander.label for expander in at.expander]
        assert labels == ["How to read this", "Data"] * len(at.subheader) + ["How these are judged"]


# ---- tables, sentences and figures -------------------------------------------------------------------


def test_answers_about_one_learner_each_join_to_the_answer_about_all():
    both = [ensemble("maml", steps=1, test_steps=1), ensemble("lstm")]
    for probe, config in (
        ("diversity", {"tasks": 2, "points": 10}),
        ("broadness", {"frequencies": (1.0,), "functions": 2, "points": 20, "adapted": 1, "tasks": 20, "places": 3}),
    ):
        together = asking.ask(probe, both, config)
        joined = tables.joined([asking.ask(probe, [one], config) for one in both])
        assert asking.plain(joined) == asking.plain(together)


def test_an_interval_is_students():
    mean, low, high = tables.interval(np.array([1.0, 2.0, 4.0]))
    half = 4.302653 * np.std([1, 2, 4], ddof=1) / np.sqrt(3)
    assert (mean, low, high) == pytest.approx((7 / 3, 7 / 3 - half, 7 / 3 + half), rel=1e-6)
    assert np.isnan(tables.interval(np.array([1.0]))[1])


def test_a_relation_is_claimed_only_where_p_allows():
    def sentence(rho: float, p: float) -> str:
        one = Relation(8, rho, p, rho, p)
        return tables.relation_sentence({("near", "learners"): one, ("far", "learners"): one})

    assert "no relation" in sentence(-0.9, 0.051)
    assert "smaller" in sentence(-0.9, 0.049)
    assert "larger" in sentence(0.9, 0.049)
    assert "at least three" in sentence(float("nan"), float("nan"))


def test_sentences_name_the_ends_of_their_tables():
    rows = pd.DataFrame(
        [
            ("a", "A", "hidden 1", 4, "before", False, 3.0),
            ("b", "B", "hidden 1", 4, "before", False, 1.0),
            ("a", "A", "hidden 1", 4, "after", False, 3.1),
            ("b", "B", "hidden 1", 4, "after", False, 2.0),
            ("a", "A", "hidden 1", 4, "before", True, 0.5),
        ],
        columns=["learner", "title", "layer", "width", "moment", "control", "mean"],
    )
    said = tables.diversity_sentence(rows, "effective_rank")
    assert "**A** has the largest effective rank (3)" in said
    assert "**B** the smallest (1)" in said
    assert "untrained, they have 0.5" in said
    assert "most for **B**: 1 to 2" in said
    apart = {"A": np.array([3.0, 3.1, 2.9]), "B": np.array([1.0, 1.1, 0.9])}
    lucky = {"A": np.array([3.0, 5.0, 1.0]), "B": np.array([1.0, 1.1, 0.9])}
    for values, words in ((apart, "differ"), (lucky, "cannot be told apart")):
        assert f"; the two {words} over trainings; untrained" in tables.diversity_sentence(rows, "dead", values)
    many = apart | {f"C{i}": np.array([2.0, 2.1, 1.9]) for i in range(200)}
    assert tables.ends_apart(many, "A", "B").endswith("cannot be told apart over trainings, corrected for 20,301 pairs")
    runs = pd.DataFrame({"title": ["A", "A", "B", "B"], "broadness": [0.9, 0.5, 0.4, 0.6]})
    assert tables.broadness_sentence(runs).endswith("cannot be told apart over trainings.")


def test_the_tasks_of_a_map_have_the_error_after_the_last_step():
    found = asking.ask("maps", [ensemble("maml", steps=1, test_steps=2)], {"tasks": 5, "places": 6})
    rows = features_alike.task_rows(found, found.task == 2)
    assert list(rows.selected) == [False, False, True, False, False]
    last = found.error[(found.task == 3) & (found.step == 2)]
    assert rows.error[3] == pytest.approx(last.mean())


def test_curves_of_a_large_selection_are_capped_and_adapted_first():
    found = asking.ask("maps", [ensemble("maml", steps=1, test_steps=2)], {"tasks": 40, "places": 6})
    rows, truths = features_alike.chosen_curves(found, np.ones(len(found.xy), bool))
    assert len(rows) == features_alike.CURVES
    assert (found.step[rows] == 2).all()
    assert len(truths) == len(np.unique(found.task[rows]))


@pytest.mark.parametrize("dark", [False, True])
def test_figures_draw_what_is_not_a_number(dark: bool):
    """A constant layer has no CKA, one seed no interval: the figures are drawn all the same."""
    cka = np.array([[1.0, np.nan], [np.nan, 1.0]])
    heat = similarity_figures.heat(["a", "b"], ["A", "B"], cka, cka, cka, (0, 1), dark)
    assert heat.data[0].type == "heatmap"
    similarity_figures.kernels(("a", "b"), np.full((2, 3, 3), np.nan), np.arange(3), dark)
    columns = ["learner", "title", "layer", "moment", "control", "mean", "low", "high", "seeds"]
    rows = pd.DataFrame([("maml", "MAML", "hidden 1", "before", False, 1.0, np.nan, np.nan, "")], columns=columns)
    assert figures.diversity(rows, "rank", dark).layout.height > 150
    points = map_figures.Points(["maml"], ["MAML"], np.zeros(2, int), np.array(["", ""]), None, "", False, np.ones(2))
    assert map_figures.scatter(points, np.zeros((2, 2)), ("x", "y"), dark).data[0].type == "scattergl"


def test_layers_that_never_change_are_named_and_not_just_blank():
    items = [Item("maml", f"hidden {i}", "before") for i in (1, 2)]
    cka = np.array([[1.0, np.nan], [np.nan, np.nan]])
    found = Similarity(items, np.zeros((5, 1)), cka, cka, cka, np.full(2, np.nan), np.zeros((2, 5, 5)))
    said = "Features that are the same at every input are like nothing and left blank: MAML, hidden 2, before."
    labels = features_alike.item_labels(found, {"maml": "MAML"})
    assert features_alike.blank(found, labels, [0, 1]) == said
    assert features_alike.blank(found, labels, [0]) == ""


def test_a_click_means_the_layers_that_it_was_made_on(monkeypatch):
    """Also where the picture has other rows before the click is heard."""
    fig = similarity_figures.heat(["a", "b", "c"], ["x"] * 3, *[np.eye(3)] * 3, (0, 1), dark=False)
    clicked = fig.data[-1].customdata[1 * 3 + 2]
    state = {"features-heat": {"selection": {"points": [{"customdata": list(clicked)}]}}}
    monkeypatch.setattr(features_controls.st, "session_state", state)
    features_controls.take_pair()
    assert (state["features-first"], state["features-second"]) == ("b", "c")


def test_a_map_names_learners_whose_points_are_one():
    """A body that no task changes, and one that is the same at every input: a point for each seed, and no hint why."""
    found = asking.ask("maps", [ensemble("maml", steps=1, test_steps=2)], {"tasks": 5, "places": 6})
    names = {"maml": "MAML", "other": "Other"}
    assert features_alike.still(found, names, "features") == ""
    n = len(found.xy)
    doubled = {
        field: np.concatenate([getattr(found, field)] * 2)
        for field in ("seed", "task", "step", "share", "error", "said")
    }
    both = replace(
        found,
        learners=["maml", "other"],
        learner=np.repeat([0, 1], n),
        xy=np.concatenate([found.xy, np.stack([found.seed, found.seed], 1)]),
        **doubled,
    )
    said = features_alike.still(both, names, "features")
    assert said == "The same features for every task and step, so that the points of a seed are one: Other."
