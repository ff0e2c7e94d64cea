"""Trainings on the pages Train and Runs without a browser: states, comparisons, metrics, read-only serving."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboard.figures.training import losses, smoothed
from dashboard.serving.readonly import SENTENCE, VARIABLE, may_act
from dashboard.views.train import form
from dashboard.widgets import library
from dashboard.widgets.runs import broken, opening, selected, table, watch
from dashboard.widgets.runs.words import reason
from engine.errors import EngineError
from engine.jobs import local as jobs
from engine.runs import archive
from engine.runs.run import TRAINED, read_record
from engine.training import estimates
from tests.dashboard.own_runs import SHIPPED, opened, trained

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.usefixtures("own")


@pytest.mark.parametrize(
    ("status", "said", "offered"),
    [
        ("done", "done · update 5,000 of 5,000", set()),
        ("cancelled", "its best weights so far are kept", {"Resume", "Restart"}),
        ("running", "its process is gone", {"Resume", "Restart"}),
        ("failed", "failed", {"Resume", "Restart"}),
        ("diverged", "no trained learner came of it", {"Restart"}),
    ],
)
def test_every_state_says_what_it_means_and_offers_what_helps(own, status, said, offered):
    trained(own, status, error="It went wrong." if status in ("failed", "diverged") else None)
    at = opened("train")
    assert any(said in caption.value for caption in at.caption)
    assert {button.label for button in at.button} - {"Start training", "Try for a moment"} == offered
    wrong = {"failed": ["It went wrong."], "diverged": ["Seed 0 diverged. It went wrong."]}
    assert [error.value for error in at.error] == wrong.get(status, [])
    assert bool(library.shots("my-sine", "sine")) == (status in TRAINED)


def test_a_sound_seed_stands_beside_those_that_diverged(own):
    """Its numbers are shown, with what they leave out; the others are named together, by what is said of them."""
    names = [f"maml-k10-s{seed}" for seed in range(3)]
    metrics = {"test_mse": 3.12, "test_ci95": 0.25, "test_diverged": 4, "test_tasks": 2000, "best_iteration": 0}
    for seed, name in enumerate(names):
        sound = {"metrics": metrics, "error": None} if seed == 1 else {"metrics": {}, "error": "45 of 45 were skipped."}
        trained(own, "done" if seed == 1 else "diverged", name, **sound)
        record = {**read_record(own / "sine" / name), "group": names, "seed": seed}
        (own / "sine" / name / "run.json").write_text(json.dumps(record))
    history = own / "sine" / names[1] / "history.jsonl"
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    history.write_text("".join(json.dumps({**row, "validation_diverged": 2}) + "\n" for row in rows))
    at = opened("train")
    (error,) = at.error
    assert error.value == "Seeds 0 and 2 diverged. 45 of 45 were skipped."
    (said,) = [caption.value for caption in at.caption if "test error" in caption.value]
    assert "test error of seed 1 3.1200 ± 0.2500 · 4 of 2,000 tasks diverged and are left out of the mean." in said
    assert "no update made it better than it was untrained" in said
    assert any(caption.value.startswith("Hollow points") for caption in at.caption)
    assert not {button.label for button in at.button} & {"Resume", "Restart"}
    assert library.results("my-sine", "sine") == ()  # not a mean over the tasks of everybody else


def test_seeds_that_were_deleted_are_not_counted(own):
    trained(own, group=["maml-k10-s0", "maml-k10-s1"])
    assert any("10 shots, 1 seed " in text.value for text in opened("train").markdown)


def test_the_live_page_is_asked_for_this_training_beside_the_shipped_learners(own):
    folder = trained(own)
    assert opening.collection_of(folder) == "my-sine"
    query = opening.live_query("my-sine", read_record(folder))
    on = query.pop("on").split(",")
    assert query == {"runs": "my-sine", "shots": "10"}
    assert on[0] == "maml" and {"lstm", "op-lstm", "sap"} <= set(on), "it joins the shipped learners"
    assert len(on) == len(set(on)) <= 8
    assert opening.collection_of(SHIPPED / "maml-k10-s0") == "sine"
    assert opening.collection_of(own) is None


def test_every_page_that_applies_is_one_click_away(own):
    record = read_record(trained(own))
    query = opening.query_of("my-sine", record)
    assert query == {"runs": "my-sine", "shots": "10", "on": "maml"}
    offered = {page.name for page in opening.others(opening.ensemble_of("my-sine", record))}
    assert offered == {"behaviour", "features", "landscape", "rules", "attribution"}  # MAML has no operations
    at = opened("behaviour", **query, **{"behaviour-tasks": "200"})
    assert at.selectbox(key="behaviour-runs").value == "my-sine"
    assert at.session_state["behaviour-learners"] == ["maml"]
    assert at.session_state["behaviour-shots"] == 10
    sap = opening.ensemble_of("sine", read_record(SHIPPED / "sap-k10-s0"))
    assert "operations" in {page.name for page in opening.others(sap)}


def test_what_no_page_shows_has_no_link(own):
    trained(own, status="running")
    for page in ("train", "runs"):
        assert not opened(page, **{"runs-own": "true"}).main.get("page_link")


def test_runs_lists_all_and_filters(own):
    trained(own)
    at = opened("runs")
    everything = len(at.dataframe[0].value)
    assert everything == len(list((ROOT / "checkpoints").rglob("run.json"))) + 1
    at.text_input(key="runs-filter").set_value("TURTLE 5").run()
    assert 0 < len(at.dataframe[0].value) < everything
    assert set(at.dataframe[0].value["learner"]) <= {"turtle", "turtle-first-order"}
    at.text_input(key="runs-filter").set_value("no such run").run()
    assert len(at.dataframe[0].value) == 0
    at.text_input(key="runs-filter").set_value("")
    at.toggle(key="runs-own").set_value(True).run()
    assert list(at.dataframe[0].value["run"]) == ["runs/sine/maml-k10-s0"]


def test_a_comparison_shows_only_what_differs():
    records = [read_record(SHIPPED / name) for name in ("maml-k10-s0", "maml-k10-s1", "reptile-k10-s0")]
    same = table.configuration(records[:2], ["a", "b"], differing=True)
    assert same.to_numpy().tolist() == [["seed", "0", "1"]]
    other = table.configuration([records[0], records[2]], ["a", "b"], differing=True).set_index("parameter")
    assert other.loc["training.optimiser"].tolist() == ["adam", "sgd"]
    assert "training.iterations" not in other.index
    assert "training.iterations" in set(table.configuration(records[:1], ["a"], differing=False)["parameter"])


def test_metrics_are_best_and_last():
    folder = SHIPPED / "maml-k10-s0"
    row = table.measured([folder], [read_record(folder)], ["a"]).iloc[0]
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    checked = [line["validation"] for line in history if line["validation"] is not None]
    assert row["best validation"] == min(checked)
    assert row["last validation"] == checked[-1]


def test_metrics_say_what_diverged_and_that_a_median_is_infinite():
    away = {"test_mse": 3.0, "test_median": None, "test_diverged": 1200, "test_tasks": 2000, "validation_diverged": 7}
    lost = {"validation": None, "validation_diverged": 500, "best_iteration": None}
    records = [{"metrics": away}, {"metrics": lost}, read_record(SHIPPED / "maml-k10-s0")]
    frame = table.measured([SHIPPED / "maml-k10-s0"] * 3, records, ["a", "b", "c"])
    median = f"{records[2]['metrics']['test_median']:.4g}"
    assert frame["median"].fillna("").tolist() == ["infinite", "", median]
    assert frame["diverged"].fillna(-1).tolist() == [1200, -1, -1]
    assert frame["diverged then"].fillna(-1).tolist() == [7, 500, -1]


def test_what_was_deleted_can_be_restored_on_the_page(own):
    folder = trained(own)
    jobs.delete(folder, own)
    at = opened("runs")
    (restore,) = [button for button in at.button if button.label == "Restore"]
    restore.click().run()
    assert folder.is_dir()
    assert not [button for button in at.button if button.label == "Restore"]


def test_an_imported_run_is_on_the_pages(own):
    archive.unpack(archive.pack(SHIPPED / "maml-k10-s0"), own)
    at = opened("runs", **{"runs-own": "true"})
    assert list(at.dataframe[0].value["run"]) == ["runs/imported/maml-k10-s0"]
    assert "my-imported" in library.collections()
    found, complaints = library.ensembles("my-imported", "sine", 10)
    assert ([e.learner.name for e in found], complaints) == (["maml"], [])


def test_a_server_that_only_shows_changes_nothing(own, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    trained(own, "cancelled")
    jobs.delete(trained(own, name="maml-k10-s7"), own)
    at = opened("train")
    assert SENTENCE in [info.value for info in at.info]
    assert all(button.disabled for button in at.button)
    at = opened("runs")
    assert all(button.disabled for button in at.button)
    assert not at.get("file_uploader")


def test_a_button_that_is_switched_off_does_nothing_when_it_is_pressed_nevertheless(own, monkeypatch):
    """A page in a browser is only asked not to press it; whoever speaks to the server otherwise is not."""
    folder = trained(own, "cancelled", name="maml-k10-s5")
    jobs.delete(trained(own, name="maml-k10-s7"), own)
    deleted = jobs.trash(own)
    before = sorted((str(path), path.read_bytes()) for path in own.rglob("*") if path.is_file())
    monkeypatch.setattr(estimates, "tried", lambda *_: pytest.fail("something was trained"))
    for page, keys in (("train", ("train-start", "train-try", "Resume", "Restart")), ("runs", ("restore-",))):
        monkeypatch.delenv(VARIABLE, raising=False)
        for key in [button.key for button in opened(page).button if str(button.key).startswith(keys)]:
            monkeypatch.delenv(VARIABLE, raising=False)
            at = opened(page)  # when the button could still be pressed
            monkeypatch.setenv(VARIABLE, "1")
            at = at.button(key=key).click().run()
            assert not at.exception
            said = [element.value for element in [*at.error, *at.toast]]
            assert said == [SENTENCE] or key == "train-try", key
    for act in (
        lambda: selected._throw_away([folder]),
        lambda: selected._bring_back(deleted[0]),
        lambda: watch._do(lambda: pytest.fail("done")),
        lambda: broken._delete(folder),
    ):
        act()
    assert before == sorted((str(path), path.read_bytes()) for path in own.rglob("*") if path.is_file())
    with pytest.raises(EngineError, match="only shows"):
        may_act()


def test_a_full_disk_is_told_without_a_file_where_the_system_names_none():
    assert reason(OSError(28, "No space left on device")) == "No space left on device."
    assert reason(FileNotFoundError(2, "No such file", b"a/b")) == "No such file at `a/b`."


def test_smoothing_is_unbiased_and_keeps_gaps():
    assert smoothed([2.0, 2.0, None, 2.0]) == [2.0, 2.0, None, pytest.approx(2.0)]
    assert smoothed([0.0, 1.0], 0.5) == [0.0, pytest.approx(2 / 3)]


@pytest.mark.parametrize("dark", [True, False])
def test_losses_are_drawn_for_every_seed(dark):
    rows = [{"iteration": i, "loss": 1.0 / (i + 1), "validation": 0.5 if i % 2 == 0 else None} for i in range(5)]
    figure = losses("maml", [rows, rows], 5, dark=dark)
    assert len(figure.data) == 4
    assert list(figure.data[1].x) == [0, 2, 4]
    assert figure.layout.yaxis.type == "log"
    counted = [{**row, "validation_diverged": row["iteration"]} for row in rows]
    points = losses("maml", [counted], 5, dark=dark).data[1]
    assert list(points.marker.symbol) == ["circle", "circle-open", "circle-open"]
    assert list(points.customdata) == ["", *(f"<br>without {n} tasks that diverged" for n in (2, 4))]


def test_a_folder_may_have_such_a_name():
    assert form.NAME.fullmatch("my-runs-2")
