"""What a training writes into its record, and a record that was changed or broken since."""

import json

import pytest

from engine.errors import BadConfig, BadRun
from engine.evaluation import estimate, held_out_tasks, step_scores
from engine.runs.history import read_history
from engine.runs.run import load, read_record
from engine.training import plans, sessions
from tests.engine.training.trainings import CLASSES, DISTRIBUTION, made, plan, start

pytestmark = pytest.mark.usefixtures("few_test_tasks")

BROKEN = {
    "no training": ({"training": ...}, "lacks training, which resuming needs"),
    "no group": ({"group": ...}, "lacks group, which resuming needs"),
    "an empty group": ({"group": []}, "names a group without itself"),
    "a group of numbers": ({"group": [1]}, "0 of group must be text, got 1"),
    "a partner that is gone": ({"group": ["maml-k4-s0", "maml-k4-s9"]}, "no run folder at .*maml-k4-s9"),
    "a partner outside": ({"group": ["../../maml-k4-s0", "../x"]}, "0 of group must hold plain names of folders"),
    "a schedule that does not exist": ({"training": {"schedule": "step"}}, "cannot take schedule = 'step'"),
    "another network": ({"hyper_parameters": {"network": {"widths": [5, 5]}}}, "differ in hyper_parameters"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_record_that_cannot_be_resumed_is_one_sentence(case, tmp_path):
    changes, message = BROKEN[case]
    path = start("maml", tmp_path, 7)[0] / "run.json"
    record = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in record.items() if value is not ...}))
    with pytest.raises((BadRun, BadConfig), match=message) as error:
        sessions.resume(path.parent)
    assert "\n" not in str(error.value)


def test_record_names_everything_needed_to_train_it_again(tmp_path):
    record = json.loads((start("lstm", tmp_path)[1] / "run.json").read_text())
    assert record["learner"] == "lstm"
    assert record["seed"] == 1
    assert record["group"] == ["lstm-k4-s0", "lstm-k4-s1"]
    assert record["training"]["iterations"] == 12
    assert record["task_parameters"]["shots"] == 4
    assert record["metrics"]["test_tasks"] == DISTRIBUTION.test_tasks
    assert str(tmp_path) not in json.dumps(record)


def test_metrics_of_classes_are_accuracies(tmp_path):
    run = load(start("protonet", tmp_path, kind="classification")[0])
    scores = step_scores(run.learner, run.params, held_out_tasks(CLASSES, CLASSES.test_tasks))
    metrics = run.record["metrics"]
    assert metrics["test_accuracy"] == pytest.approx(float(scores.accuracies[:, -1].mean()))
    assert metrics["test_accuracy"] > 0.4
    assert metrics["test_ci95"] == pytest.approx(estimate(scores.accuracies[:, -1].numpy()).ci95)
    assert (metrics["test_tasks"], run.record["shots"]) == (CLASSES.test_tasks, 4)
    assert "test_mse" not in metrics


def edited(folder, group, **values):
    """Somebody changes a record by hand."""
    record = read_record(folder)
    (folder / "run.json").write_text(json.dumps({**record, group: {**record[group], **values}}))


@pytest.mark.parametrize(
    ("group", "values", "said"),
    [
        ("hyper_parameters", {"inner_lr": 0.5}, "inner_lr is 0.5, and was 0.01 so far"),
        ("training", {"iterations": 24}, "training.iterations is 24, and was 12 so far"),
        ("task_parameters", {"noise": 0.5}, "task.noise is 0.5, and was 0.0 so far"),
    ],
)
def test_a_record_that_was_changed_is_noticed_before_it_goes_on(group, values, said, tmp_path):
    cut = start("maml", tmp_path, until=7)
    edited(cut[0], group, **values)
    with pytest.raises(BadRun, match=f"run.json differ in {group}, though they were trained together"):
        sessions.resume(cut[0])
    edited(cut[1], group, **values)
    with pytest.raises(BadRun, match=f"The record was changed since it was trained: {said}"):
        sessions.resume(cut[0])
    assert read_record(cut[1])["status"] == "failed"
    assert read_history(cut[0])[-1]["iteration"] == 7  # nothing is lost: put back, it goes on
    before = {key: start_value(group, key) for key in values}
    for folder in cut:
        edited(folder, group, **before)
    assert [read_record(folder)["status"] for folder in sessions.resume(cut[0])] == ["done", "done"]


def start_value(group, key):
    owner = {"hyper_parameters": made("maml"), "training": plan("maml"), "task_parameters": DISTRIBUTION}[group]
    return getattr(owner, key)


def test_all_versions_that_a_training_ran_under_are_in_its_record(tmp_path, monkeypatch):
    def under(torch_version):
        monkeypatch.setattr(plans, "versions", lambda: {"python": "3", "torch": torch_version, "commit": None})

    under("1")
    (folder,) = sessions.train(made("maml"), DISTRIBUTION, plan("maml"), (0,), tmp_path, until=4)
    assert plans.other_versions(read_record(folder)) == ""
    under("2")
    assert "under torch 1 (now 2)" in plans.other_versions(read_record(folder))
    sessions.resume(folder, until=8)
    under("1")
    sessions.resume(folder, until=8)  # nothing more is trained, so nothing more is told
    under("3")
    sessions.resume(folder)
    record = read_record(folder)
    assert record["status"] == "done" and record["versions"]["torch"] == "3"
    assert [(one["torch"], one["until"]) for one in record["earlier_versions"]] == [("1", 4), ("2", 8)]
    for nonsense in ({"versions": "1"}, {"versions": None}, {"earlier_versions": 5}, {"earlier_versions": [5]}):
        assert plans.other_versions(nonsense) == "" and plans.earlier_versions(nonsense, 3) == []
