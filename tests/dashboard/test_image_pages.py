"""Runs on images on every part of every page: drawn with accuracies, or one sentence on what the part needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.widgets.pages import PAGES
from tests.dashboard.pages import charts, figures, fine, linked, said
from tests.images import put_run

FAST = {"behaviour-tasks": "50", "landscape-task-size": "21", "landscape-meta-size": "15", "landscape-meta-tasks": "5"}
DRAWN = {
    "behaviour": ("Adaptation", "Looking ahead", "Task by task", "Factors"),
    "features": ("Diversity", "Similarity", "Maps"),
    "landscape": ("Task loss", "Meta-loss"),
    "rules": ("Directions", "Memory"),
    "operations": ("Match with the tasks", "Other learners"),
}
NEEDS = {
    "behaviour": ("Shots", "Shift"),
    "features": ("Broadness",),
    "rules": ("Black boxes",),
    "operations": ("Strengths", "One operation", "Worth", "What they answer to"),
    "attribution": ("Points",),
}
ON = {"landscape": "maml,sap", "rules": "op-lstm", "operations": "maml"}
OF_CLASSES = {"Adaptation", "Looking ahead", "Task by task"}  # whose axes are of accuracies


@pytest.fixture
def glyphs(own: Path) -> Path:
    for name in ("protonet", "maml"):
        for seed in range(2):
            put_run(own / "glyphs", name, seed, loss=1.6)
    put_run(own / "glyphs", "sap", 0)
    put_run(own / "glyphs", "op-lstm", 0)
    return own / "glyphs"


def opened(page: str, part: str = "", learners: str = "protonet,maml,sap,op-lstm", **more: str):
    query = FAST | {"runs": "my-glyphs", "on": learners} | more
    return fine(linked(page, query | ({f"{PAGES[page].prefix}-part": part} if part else {})))


@pytest.mark.parametrize(("page", "part"), [(page, part) for page, parts in DRAWN.items() for part in parts])
def test_what_needs_no_line_is_drawn(page: str, part: str, glyphs: Path):
    at = opened(page, part, "maml" if part == "Meta-loss" else ON.get(page, "protonet,maml"))
    assert charts(at)
    assert not at.warning
    if part in OF_CLASSES:
        axis = figures(at)[0].layout.yaxis
        assert "accuracy" in axis.title.text
        assert axis.type == "linear"
        assert "accuracy" in said(at)


@pytest.mark.parametrize(("page", "part"), [(page, part) for page, parts in NEEDS.items() for part in parts])
def test_what_needs_a_line_says_so_in_one_sentence_a_learner(page: str, part: str, glyphs: Path):
    at = opened(page, part)
    assert not charts(at)
    (info,) = (one.value for one in at.info)
    assert len(info) < 300


def test_guessing_is_the_baseline_and_more_is_better(glyphs: Path):
    at = opened("behaviour", "Adaptation", "protonet,maml")
    curves, differences = figures(at)
    assert "guessing" in {note.text for note in curves.layout.annotations}
    assert curves.layout.yaxis.title.text == "query accuracy"
    assert "less that of MAML" in differences.layout.xaxis.title.text
    assert "Right of 0 is better" in said(at)
    assert "highest mean accuracy" in said(at)
    assert "behaviour-axis" not in {one.key for one in at.get("button_group")}  # losses alone have a logarithmic axis


def test_a_fresh_head_is_put_on_convolutions(glyphs: Path):
    at = opened("behaviour", "Factors", "maml")
    assert charts(at)
    assert "A fresh head changes the accuracy of MAML by" in said(at)
    assert "Scarce data in training: MAML was trained on glyphs" in said(at)


def test_a_map_of_images_is_of_features_and_coloured_by_accuracy(glyphs: Path):
    at = opened("features", "Maps", "protonet,maml", **{"features-class-colour": "accuracy"})
    (map_,) = figures(at)
    assert "component 1" in map_.layout.xaxis.title.text
    assert "accuracy" in str(map_.to_dict())
    assert not any(word in said(at) for word in ("amplitude", "MSE"))


def test_the_live_page_says_what_it_shows_and_train_and_runs_list_them(glyphs: Path):
    at = fine(linked("live", {"runs": "my-glyphs"}))
    assert "they tell 5 classes apart" in at.info[0].value
    fine(linked("train", {}))
    at = fine(linked("runs", {"runs-own": "true"}))
    assert "6 of" in at.caption[0].value


def test_the_table_of_runs_has_accuracies_for_images_and_errors_for_waves(glyphs: Path):
    from dashboard.widgets.runs import table
    from engine.runs.files import write_json
    from engine.runs.run import read_record

    record = read_record(glyphs / "maml-k1-s0")
    write_json(glyphs / "maml-k1-s0" / "run.json", {**record, "metrics": {"test_accuracy": 0.9, "test_ci95": 0.01}})
    frame, _ = table.rows((glyphs,), {})
    shown = table.scores(frame)
    assert shown["error"] is None
    assert "higher is better" in shown["accuracy"]["help"]
    assert frame.accuracy.dropna().tolist() == [0.9]
    measured = table.measured([glyphs / "maml-k1-s0"], [read_record(glyphs / "maml-k1-s0")], ["a"]).iloc[0]
    assert (measured["test"], measured["test is of"]) == (0.9, "accuracy")
