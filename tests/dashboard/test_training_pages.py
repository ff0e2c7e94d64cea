"""The pages Train and Runs without a browser: forms, what they refuse, comparisons, notes, read-only serving."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures.training import losses, smoothed
from dashboard.serving.readonly import SENTENCE, VARIABLE, may_act
from dashboard.views.train import form
from dashboard.views.train.fields import choices, explained
from dashboard.widgets import library
from dashboard.widgets.runs import broken, opening, selected, table, watch
from dashboard.widgets.runs.words import reason
from engine.errors import BadInput, EngineError
from engine.jobs import local as jobs
from engine.learners import LEARNERS, make
from engine.networks import MLP
from engine.runs import archive
from engine.runs.budget import Training
from engine.runs.run import TRAINED, read_record
from engine.tasks import TASKS, Sine
from engine.training import estimates

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "checkpoints" / "sine"


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """An empty folder for own runs."""
    monkeypatch.setattr(library, "RUNS", tmp_path / "runs")
    (tmp_path / "runs" / "sine").mkdir(parents=True)
    return tmp_path / "runs"


def opened(name: str, **query: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
    at.switch_page(f"views/{name}/{name}.py")
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception, at.exception
    return at


def command(at: AppTest) -> str:
    (code,) = [block.value for block in at.code if "engine train" in block.value]
    return code


@pytest.mark.parametrize("learner", [name for name, cls in LEARNERS.items() if cls.meta_trained])
def test_the_form_has_every_parameter_of_every_learner_with_its_explanation(learner):
    task = "sine" if "regression" in LEARNERS[learner].kinds else "gaussian classes"  # as people read it
    title = LEARNERS[learner].title
    at = opened("train", **{"train-task": task, "train-learner": title})
    assert not at.error
    assert command(at).startswith(f"python -m engine train {learner} ")
    keys = {element.key for kind in ("number_input", "text_input", "checkbox", "selectbox") for element in at.get(kind)}
    for field in (each.name for each in fields(make(learner))):
        assert f"train-{learner}-10-{field}" in keys
        assert explained(LEARNERS[learner])[field]


def test_what_is_changed_is_in_the_shell_command_and_nothing_else():
    at = opened("train")
    assert command(at) == "python -m engine train maml --shots 10 --seeds 3 --detach"
    at.number_input(key="train-maml-10-training-iterations").set_value(1000)
    at.text_input(key="train-maml-10-network-widths").set_value("20, 20")
    at.number_input(key="train-maml-10-inner_lr").set_value(0.02)
    at.number_input(key="train-task-sine-noise").set_value(0.5)
    at.text_input(key="train-folder").set_value("mine")
    said = command(at.run())
    for part in (
        "--runs runs/mine",
        "inner_lr=0.02",
        "'network.widths=[20, 20]'",
        "training.iterations=1000",
        "task.noise=0.5",
    ):
        assert part in said
    assert said.count("--set") == 4


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train-maml-10-network-widths", "20, many", "cannot take widths"),
        ("train-maml-10-inner_clip", "-1", "cannot take inner_clip"),
        ("train-folder", "../../etc", "A folder's name takes"),
        ("train-maml-10-inner_clip", "x", "cannot take inner_clip"),
    ],
)
def test_what_is_not_possible_is_one_sentence_and_cannot_be_started(key, value, message):
    at = opened("train")
    at.text_input(key=key).set_value(value).run()
    assert not at.exception
    (error,) = at.error
    assert message in error.value
    assert "train-start" not in {button.key for button in at.button}


@pytest.mark.parametrize("task", TASKS)
def test_the_form_explains_every_parameter_of_every_task(task):
    title = task.replace("-", " ")
    learner = "MAML" if TASKS[task]().spec.kind == "regression" else "ProtoNet"
    at = opened("train", **{"train-task": title, "train-learner": learner})
    drawn = {e.key: e for kind in ("number_input", "text_input", "checkbox", "selectbox") for e in at.get(kind)}
    for field in (each.name for each in fields(TASKS[task]) if each.name != "shots"):
        assert drawn[f"train-task-{task}-{field}"].help == explained(TASKS[task])[field]


def test_a_choice_to_compile_or_to_replace_is_in_the_shell_command(own):
    at = opened("train", **{"train-maml-10-training-iterations": "100"})
    assert "compile" not in command(at)
    assert "--compile" in command(at.checkbox(key="train-maml-10-compile").check().run())
    trained(own)
    assert "--replace" not in command(at.run())
    assert command(at.checkbox(key="train-replace").check().run()).endswith(" --replace")


def test_where_own_runs_were_moved_the_shell_is_told(own, monkeypatch):
    monkeypatch.setenv("INNERLOOP_RUNS", str(own))
    said = command(opened("train", **{"train-folder": "mine"}))
    assert said.startswith(f"INNERLOOP_RUNS={own} python -m engine train maml ")
    assert f"--runs {own}/mine " in said


def test_a_device_is_asked_for_only_where_there_is_a_choice(monkeypatch):
    assert "train-device" not in opened("train").session_state
    monkeypatch.setattr(estimates, "machine", lambda: estimates.Machine(2, 10**10, "a GPU"))
    at = opened("train")
    assert "--device" not in command(at)
    at.session_state["train-device"] = "cpu"
    assert "--device cpu" in command(at.run())


@pytest.mark.parametrize(
    "query", [{"train-task": "x"}, {"train-learner": "<b>"}, {"train-shots": "-5"}, {"train-seeds": "zz"}]
)
def test_a_link_with_nonsense_opens_the_page(query):
    assert command(opened("train", **query))


def test_start_queues_the_training_that_the_command_describes(own, monkeypatch):
    planned = []
    monkeypatch.setattr(jobs, "submit", lambda plan, **how: planned.append((plan, how)))
    at = opened("train", **{"train-shots": "5", "train-seeds": "2"})
    at.button(key="train-start").click().run()
    ((plan, how),) = planned
    assert [folder.relative_to(own) for folder in plan.folders] == [Path(f"sine/maml-k5-s{s}") for s in (0, 1)]
    assert plan.training.iterations == 5000
    assert how["queue"] == own / ".queue"


def trained(own: Path, status: str = "done", name: str = "maml-k10-s0", **more) -> Path:
    """A shipped run among the own ones, with a status of its own."""
    folder = own / "sine" / name
    shutil.copytree(SHIPPED / "maml-k10-s0", folder)
    record = {**read_record(folder), "status": status, "group": [name], **more}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_a_taken_name_asks_before_it_replaces(own):
    trained(own)
    at = opened("train")
    assert at.button(key="train-start").disabled
    at.checkbox(key="train-replace").check().run()
    assert not at.button(key="train-start").disabled


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


def test_trying_measures_time_and_memory_in_a_process_of_its_own():
    tiny = make("maml", network=MLP((5,)), steps=1)
    sine = Sine(shots=4, queries=4)
    found = estimates.tried(tiny, sine, Training(iterations=50), (0,))
    assert found["seconds"] == pytest.approx(50 * found["update_s"])
    assert 5e7 < found["memory"] < 5e9
    longer = estimates.tried(tiny, sine, Training(iterations=1000), (0,))
    assert longer["update_s"] < found["update_s"], "recorded, as a training of that length would be"
    assert longer["seconds"] > 1000 * longer["update_s"], "with the plain updates before, and the recording"
    with pytest.raises(BadInput, match="Trying it failed"):
        estimates.tried(make("protonet"), Sine(), Training(), (0,))


def test_memory_is_counted_before_it_is_tried(own):
    """More for more parameters, seeds, tasks and steps, and never more than a trial holds."""
    tiny = make("maml", network=MLP((5,)), steps=1)
    small = estimates.least_memory(tiny, Sine(), Training(meta_batch=1), (0,))
    for wider in (
        (make("maml", network=MLP((500, 500)), steps=1), Sine(), Training(meta_batch=1), (0,)),
        (make("maml", network=MLP((5,)), steps=9), Sine(), Training(meta_batch=1), (0,)),
        (tiny, Sine(), Training(meta_batch=9), (0,)),
        (tiny, Sine(), Training(meta_batch=1), (0, 1)),
    ):
        assert estimates.least_memory(*wider) > small
    assert any("At least 0.4 GB of memory." in caption.value for caption in opened("train").caption)
    trained(own, name="maml-k10-s7", memory=7 * 10**8)
    found = estimates.from_records(make("maml"), Sine(shots=10), Training(), own)
    assert found["memory"] == 7 * 10**8
    other = estimates.from_records(make("maml", network=MLP((9,))), Sine(shots=10), Training(), own)
    assert "memory" not in other and other["seconds"] > 0


def test_an_estimate_is_scaled_from_a_run_like_it():
    learner, training = make("maml"), Training(iterations=10_000, meta_batch=8)
    found = estimates.from_records(learner, Sine(shots=10), training, SHIPPED)
    assert "maml-k10" in found["run"]
    assert found["seconds"] == pytest.approx(4 * found["took"])
    assert estimates.from_records(make("protonet"), Sine(), training, SHIPPED) == {}


def test_choices_and_explanations_come_from_the_code():
    assert choices(Training, "schedule") == ("constant", "cosine", "linear")
    assert choices(Training, "lr") == ()
    assert explained(Training)["lr"] == "outer learning rate at the start."


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
