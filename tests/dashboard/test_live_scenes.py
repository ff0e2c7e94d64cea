"""The live page on runs of other tasks than waves, trained here for a few iterations."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views.live import parts as live
from dashboard.views.live import session
from dashboard.widgets import library
from dashboard.widgets.choice import Choice
from dashboard.widgets.state import from_query
from engine.learners import LEARNERS
from tests.dashboard.live_page import pad
from tests.dashboard.own_runs import train
from tests.dashboard.pages import app, charts, fine
from tests.dashboard.test_scenes import csv


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of own runs: a collection of several tasks, one of classifiers, one of a table with two columns."""
    root = tmp_path_factory.mktemp("scenes")
    for name in ("one", "two"):
        (root / name).mkdir()
    one, two = csv(root / "one"), csv(root / "two", ("x1", "x2"))
    runs = root / "runs"
    train(runs / "mixed", "sine-families", "varied=amplitude,offset")
    train(runs / "mixed", "sine-composition", shots=3)
    train(runs / "mixed", "table", f"path={one}", "queries=5", shots=5)
    train(runs / "mixed", "gaussian-classes", "ways=3", shots=2)
    train(runs / "pairs", "table", f"path={two}", "queries=5")
    return root


@pytest.fixture
def own(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, as the user's own."""
    shutil.copytree(trained / "runs", tmp_path / "runs")
    monkeypatch.setattr(library, "RUNS", tmp_path / "runs")
    for cached in (library._load, library._shots, library._tasks):
        cached.clear()
    return tmp_path / "runs"


def opened(**query: str) -> AppTest:
    """The page at a link."""
    at = app()
    at.query_params.update(query)
    return fine(at.run())


def key(name: str) -> str:
    """What links call a task of the collection."""
    return next(task for task in library.tasks("my-mixed") if task.startswith(name))


def same_at_its_link(at: AppTest) -> None:
    """The address reopens the view, without a word."""
    query = {name: values[0] if isinstance(values, list) else values for name, values in at.query_params.items()}
    found, complaints = from_query(query, session.offered(), tuple(LEARNERS), session.bounds_of)
    assert (found, complaints) == (at.session_state["view"], [])
    again = opened(**query)
    assert not again.warning
    for name in ("points", "rows", "truth", "x_domain", "y_domain", "learners"):
        assert pad(again)[name] == pad(at)[name], name


def test_families_have_their_function_and_sliders(own: Path):
    at = opened(runs="my-mixed", trained=key("sine-families"))
    assert at.title[0].value == "Four points. One idea of what comes next."
    assert [learner["label"] for learner in pad(at)["learners"]] == ["MAML (yours)"]
    assert pad(at)["error_label"] == "query MSE"
    assert not at.warning
    values = {name: at.slider(key=f"live-{name}").value for name in ("amplitude", "frequency", "phase", "offset")}
    grid, (low, high) = np.array(pad(at)["grid"]), pad(at)["y_domain"]
    wanted = values["amplitude"] * np.sin(grid) + values["offset"]
    assert np.allclose(pad(at)["truth"], wanted, atol=1e-3)
    assert low < wanted.min() and wanted.max() < high
    assert (values["frequency"], values["phase"]) == (1.0, 0.0)
    before = pad(at)
    fine(at.slider(key="live-offset").set_value(3.0).run())
    assert np.allclose(np.array(pad(at)["truth"]) - before["truth"], 3.0 - values["offset"], atol=2e-3)
    moved = np.array(pad(at)["points"]) - before["points"]
    assert np.allclose(moved, [[0.0, 3.0 - values["offset"]]] * 4, atol=2e-3)
    same_at_its_link(at)
    fine(at.button(key="live-new").click().run())
    assert pad(at)["truth"] != before["truth"]
    same_at_its_link(at)
    assert any("sine waves in training" in text.value for text in at.markdown)


def test_compositions_have_a_true_curve_and_no_sliders(own: Path):
    at = opened(runs="my-mixed", trained="sine-composition")
    assert not at.slider
    assert len(pad(at)["points"]) == 3
    assert len(pad(at)["truth"]) == 121
    before = pad(at)["truth"]
    fine(at.button(key="live-new").click().run())
    assert pad(at)["truth"] != before
    same_at_its_link(at)
    fine(at.toggle(key="live-truth").set_value(False).run())
    assert (pad(at)["truth"], pad(at)["error_label"]) == (None, "support MSE")


def test_a_table_is_scored_on_the_other_rows_of_its_task(own: Path):
    at = opened(runs="my-mixed", trained="table")  # its bare name will do
    data = pad(at)
    assert data["x_domain"] == pytest.approx([100, 900])
    assert (data["truth"], data["error_label"], len(data["points"]), len(data["rows"])) == (None, "query MSE", 5, 25)
    low, high = data["y_domain"]
    assert all(100 <= x <= 900 and low < y < high for x, y in data["points"] + data["rows"])
    assert at.session_state["view"].trained == key("table")
    (said,) = [caption.value for caption in at.caption if "Task rat" in caption.value]
    assert said.startswith("Task rat c, 1 of 3 in the validation split of rats.csv")
    ensemble = library.ensembles("my-mixed", key("table"), 5)[0][0]
    points, rows = np.array(data["points"]), np.array(data["rows"])
    found = ensemble.adapt(points[:, :1], points[:, 1:])
    last = ensemble.predict(found, rows[:, :1], [len(found) - 1])[0, 0, :, 0].double().numpy()
    error = np.mean((last - rows[:, 1]) ** 2)
    assert data["learners"][0]["errors"][-1] == pytest.approx(error if np.isfinite(error) else None, rel=1e-3)
    same_at_its_link(at)
    fine(at.button(key="live-new").click().run())
    assert any(caption.value.startswith("Task rat d, 2 of 3") for caption in at.caption)
    assert pad(at)["rows"] != data["rows"]
    same_at_its_link(at)
    fine(at.toggle(key="live-truth").set_value(False).run())
    assert (pad(at)["rows"], pad(at)["error_label"]) == ([], "support MSE")
    assert any("draws from the tasks of your file" in text.value for text in at.markdown)


def test_a_drag_reads_nothing_from_the_disk(own: Path, monkeypatch: pytest.MonkeyPatch):
    """What is answered while a hand moves points of a table: its task was worked out when the page was drawn."""
    at = opened(runs="my-mixed", trained="table")
    scene, view = at.session_state["scene"], at.session_state["view"]
    learners = at.session_state["opened"][3]

    def read(*args: object, **kwargs: object) -> None:
        raise AssertionError("the disk was asked")

    for place in ("os.stat", "builtins.open", "engine.tasks.table._opened"):
        monkeypatch.setattr(place, read)
    moved = view.changed(points=(scene.bounds.place(333.0, 444.0), *view.points[1:]))
    found = live.answers(scene, moved, learners, 0)
    data = live.pad_data(scene, moved, learners, found, answer=1, revision="1", message="")
    monkeypatch.undo()
    assert data["points"][0] == [333.0, 444.0]
    assert (data["rows"], data["drawn"]) == (pad(at)["rows"], [0])


def test_points_stay_within_the_domain_of_the_file(own: Path):
    at = opened(runs="my-mixed", trained="table")
    edit = {"seq": 1, "points": [[150.123456, 512.3], [820, 1e9]], "revision": pad(at)["revision"]}
    at.session_state["pad"] = {"edit": edit}
    fine(at.run())
    (x, y), (other, top) = pad(at)["points"]
    assert (x, y, other) == (150.12, 512.3, 820.0)
    assert top == pad(at)["y_domain"][1] == at.session_state["scene"].bounds.y[1]
    same_at_its_link(at)


def test_a_table_whose_file_is_gone_is_one_sentence_and_its_points_can_be_moved(own: Path, trained: Path):
    file = trained / "one" / "rats.csv"
    content = file.read_text()
    file.unlink()
    try:
        at = opened(runs="my-mixed", trained="table", task="5")
        (said,) = [warning.value for warning in at.warning]
        assert "rats.csv" in said and "cannot be read" in said
        assert said.endswith("Its points can be moved all the same, and learners are scored on them.")
        assert (pad(at)["rows"], pad(at)["error_label"], len(pad(at)["points"])) == ([], "support MSE", 5)
        at.session_state["pad"] = {
            "edit": {"seq": 1, "points": [[200, 400], [300, 600.5]], "revision": pad(at)["revision"]}
        }
        fine(at.run())
        assert pad(at)["points"] == [[200, 400], [300, 600.5]]
        assert any(caption.value.startswith("2 points.") for caption in at.caption)
    finally:
        file.write_text(content)
    at = opened(runs="my-mixed", trained="table", task="5")
    assert not at.warning, "it is there again"
    assert len(pad(at)["rows"]) == 25


@pytest.mark.parametrize(
    ("runs", "task", "why"),
    [
        ("my-mixed", "gaussian-classes", "they tell 3 classes apart"),
        ("my-pairs", "table", "their inputs have 2 numbers each"),
    ],
)
def test_runs_that_no_scene_shows_are_one_sentence_and_a_way_on(own: Path, runs: str, task: str, why: str):
    at = opened(runs=runs, trained=task)
    (said,) = [info.value for info in at.info]
    assert why in said
    assert "This page draws functions of one number" in said
    assert at.title[0].value == "Live adaptation"
    assert not at.get("bidi_component")
    assert not at.warning
    fine(at.selectbox(key="live-runs").set_value("sine").run())
    assert len(pad(at)["points"]) == 5
    assert pad(at)["truth"] is not None
    assert at.query_params.get("trained") is None


def test_collections_and_tasks_that_can_be_shown_are_offered(own: Path):
    at = opened(runs="my-mixed")
    assert at.session_state["view"].trained == key("sine-families"), "the first that has a scene"
    assert library.title("my-pairs") not in at.selectbox(key="live-runs").options
    assert library.title("my-mixed") in at.selectbox(key="live-runs").options
    tasks = at.selectbox(key="live-trained")
    assert tasks.options == ["sine families: varied amplitude and offset", "sine composition", "table: rats.csv"]
    fine(tasks.set_value(key("table")).run())
    assert (at.session_state["view"].trained, len(pad(at)["rows"])) == (key("table"), 25)
    assert at.session_state["view"].shots == 5
    same_at_its_link(at)
    fine(at.selectbox(key="live-trained").set_value("sine-composition").run())
    assert (at.session_state["view"].shots, len(pad(at)["points"])) == (3, 3)
    fine(at.selectbox(key="live-runs").set_value("sine").run())
    assert at.session_state["view"].trained == "sine"
    assert len(pad(at)["learners"]) > 8


def test_a_link_to_a_task_that_is_not_there_is_one_sentence(own: Path):
    at = opened(runs="my-mixed", trained="sine")
    (said,) = [warning.value for warning in at.warning]
    assert "value for trained was left out" in said
    assert len(pad(at)["learners"]) == 1


def test_figure_and_data_of_a_table(own: Path):
    at = app()
    at.query_params.update({"runs": "my-mixed", "trained": "table"})
    at.session_state["live-tabs"] = "Figure"
    fine(at.run())
    (chart,) = charts(at)
    names = [trace.get("name") for trace in chart["data"]]
    assert "query" in names
    assert "true function" not in names


# ---- one choice for all pages --------------------------------------------------------------------------


def test_what_is_chosen_here_is_chosen_for_all_pages(own: Path):
    at = opened(runs="my-mixed", trained="sine-composition")
    assert at.session_state["choice"] == Choice("my-mixed", "sine-composition")
    fine(at.selectbox(key="live-trained").set_value(key("table")).run())
    assert at.session_state["choice"] == Choice("my-mixed", key("table"))
    fine(at.selectbox(key="live-runs").set_value("sine").run())
    assert at.session_state["choice"] == Choice("sine", None)
    fine(at.segmented_control(key="live-shots").set_value(10).run())
    at.session_state["pad"] = {"on": {"turn": 1, "names": ["maml", "lstm"]}}
    fine(at.run())
    assert at.session_state["choice"] == Choice("sine", None, 10, ("maml", "lstm"))


def test_nobody_has_chosen_what_the_page_shows_at_first(own: Path):
    at = opened(points="1:2,3:-1", step="1")
    assert "choice" not in at.session_state or at.session_state["choice"] == Choice()


def test_what_was_chosen_elsewhere_is_shown_with_the_same_points(own: Path):
    at = opened(points="1:2,3:-1")
    at.session_state["choice"] = Choice("sine-tuned", None, 10, ("maml", "sap"))
    fine(at.run())
    view = at.session_state["view"]
    assert (view.runs, view.shots, view.on, view.points) == ("sine-tuned", 10, ("maml",), ((1.0, 2.0), (3.0, -1.0)))
    at.session_state["choice"] = Choice("my-mixed", key("table"), 10)
    fine(at.run())
    view = at.session_state["view"]
    assert (view.runs, view.trained, view.shots, len(pad(at)["rows"])) == ("my-mixed", key("table"), 5, 25)
    at.session_state["choice"] = Choice("my-mixed", key("gaussian-classes"))
    fine(at.run())
    assert any("they tell 3 classes apart" in info.value for info in at.info)
    same = at.session_state["view"]
    assert fine(at.run()).session_state["view"] == same


def test_a_page_that_is_opened_first_follows_the_choice(own: Path):
    at = app()
    at.session_state["choice"] = Choice("sine-tuned", None, 10, ("maml",))
    fine(at.run())
    view = at.session_state["view"]
    assert (view.runs, view.shots, view.on, len(view.points)) == ("sine-tuned", 10, ("maml",), 10)
