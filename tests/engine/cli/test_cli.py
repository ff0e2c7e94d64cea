"""The command line: teaches in --help, prints JSON for machines, answers a mistake with one sentence."""

import json

import pytest
import torch

from engine.cli.main import cli
from engine.learners import LEARNERS
from engine.runs.run import RECORD, read_record
from engine.tasks import TASKS
from engine.training import recipes
from tests.engine.cli.shell import as_json, run, train

COMMANDS = ["learners", "tasks", "runs", "train", "resume", "evaluate", "table", "reproduce", "structure"]
COMMANDS += ["jobs", "follow", "cancel", "restart", "delete", "restore"]  # tests/engine/jobs/test_local.py
COMMANDS += ["export", "import"]  # tests/engine/runs/test_exports.py
COMMANDS += ["check"]  # tests/engine/test_checks.py
COMPUTE = ("train", "resume", "evaluate", "table", "reproduce", "structure")


@pytest.fixture
def trained(tmp_path, capsys, monkeypatch):
    """Two seeds trained by the command line, in a folder of their own."""
    monkeypatch.setattr("engine.tasks.TaskDistribution.test_tasks", 10)
    assert run(capsys, *train(tmp_path / "runs", "--seeds", "2", "--json"))[0] == 0
    return [tmp_path / "runs" / f"maml-k4-s{seed}" for seed in (0, 1)]


def test_learners_and_tasks(capsys):
    rows = as_json(capsys, "learners")
    assert [row["name"] for row in rows] == list(LEARNERS)
    assert all(row["family"] and row["reference"] and row["summary"] for row in rows)
    assert next(row for row in rows if row["name"] == "maml")["parameters"]["network"]["widths"] == [40, 40]
    rows = as_json(capsys, "tasks")
    assert [row["name"] for row in rows] == list(TASKS)
    sine, classes = rows[0], next(row for row in rows if row["name"] == "gaussian-classes")
    assert (sine["name"], sine["kind"]) == ("sine", "regression")
    assert (classes["kind"], classes["parameters"]["ways"]) == ("classification", 5)
    assert sine["parameters"]["amplitude"] == [0.1, 5.0]


def test_train_obeys_its_options(trained, capsys, tmp_path):
    record = read_record(trained[1])
    assert record["hyper_parameters"]["network"] == {"name": "mlp", "widths": [5], "output_bias": False}
    assert (record["hyper_parameters"]["steps"], record["task_parameters"]["queries"]) == (2, 6)
    assert (record["training"]["iterations"], record["training"]["meta_batch"]) == (3, 2)
    expected = recipes.recipe("sine", "default", "maml", 4).training["lr"]  # where no option says otherwise
    assert record["training"]["lr"] == expected
    rows = as_json(capsys, *train(tmp_path / "other", "--seeds", "2"))
    assert [row["path"] for row in rows] == [str(tmp_path / "other" / f"maml-k4-s{seed}") for seed in (0, 1)]
    assert [row["test_mse"] for row in rows] == [read_record(folder)["metrics"]["test_mse"] for folder in trained]


def test_runs_lists_them(trained, capsys):
    rows = as_json(capsys, "runs", trained[0].parent)
    assert [(r["path"], r["learner"], r["task"], r["shots"], r["seed"], r["status"]) for r in rows] == [
        (str(trained[0]), "maml", "sine", 4, 0, "done"),
        (str(trained[1]), "maml", "sine", 4, 1, "done"),
    ]
    assert rows[0]["test_mse"] == read_record(trained[0])["metrics"]["test_mse"]
    (trained[0] / RECORD).write_text('{"schema": 1, "metrics": "good"}')
    sound, bad = as_json(capsys, "runs", trained[0].parent)
    assert (sound["path"], bad["path"], bad["status"]) == (str(trained[1]), str(trained[0]), "broken")
    assert "lacks learner" in bad["error"]


def test_evaluate(trained, capsys):
    result = as_json(capsys, "evaluate", trained[1], "--tasks", "20")
    assert (result["tasks"], result["seed"], result["shots"]) == (20, 1, 4)
    assert result["mse"] == pytest.approx(result["per_step"][-1], rel=1e-5)
    assert len(result["per_step"]) == 11
    assert result["ci95"] > 0
    assert len(as_json(capsys, "evaluate", trained[1], "--tasks", "20", "--steps", "3")["per_step"]) == 4
    noisy = as_json(capsys, "evaluate", trained[1], "--tasks", "20", "--set", "noise=5")
    assert noisy["per_step"][0] == result["per_step"][0]  # nothing has adapted yet, and queries carry no noise
    assert noisy["per_step"][-1] > result["per_step"][-1]
    assert as_json(capsys, "evaluate", trained[1], "--tasks", "20", "--set", "shots=2")["shots"] == 2
    assert "query MSE" in run(capsys, "evaluate", trained[0], "--tasks", "20")[1]


def test_evaluate_with_fresh_heads(trained, capsys):
    plain = as_json(capsys, "evaluate", trained[0], "--tasks", "20")
    fresh, again = (as_json(capsys, "evaluate", trained[0], "--tasks", "20", "--fresh-head") for _ in range(2))
    assert fresh == again
    assert fresh["per_step"][0] != plain["per_step"][0]


def test_numbers_that_json_does_not_have_are_null(trained, capsys):
    result = as_json(capsys, "evaluate", trained[0], "--tasks", "4", "--set", "inputs=[-1e38, 1e38]")
    assert result["mse"] is None
    assert result["median_interval"] == [None, None]


def test_a_training_that_diverges_ends_with_an_exit_code_and_a_sentence(trained, capsys, tmp_path):
    code, out, err = run(capsys, *train(tmp_path / "wild", "--set", "inner_lr=1e30", "--json"))
    (row,) = json.loads(out)
    assert (code, row["status"], row["test_mse"]) == (1, "diverged", None)
    assert err.count("\n") == 1
    assert "3 of 3 updates were skipped, because their meta-gradient was not finite. Lower inner_lr" in err
    code, _, err = run(capsys, "resume", tmp_path / "wild" / "maml-k4-s0")
    assert (code, err.count("\n")) == (2, 1)
    assert "diverged; train it again with other settings." in err


def test_table(trained, capsys):
    (row,) = as_json(capsys, "table", "--root", trained[0].parent, "--tasks", "20")
    assert (row["learner"], row["shots"], row["seeds"]) == ("maml", 4, 2)
    assert "| maml | 4 |" in run(capsys, "table", "--root", trained[0].parent, "--tasks", "20")[1]


def test_a_stopped_training_resumes(trained, capsys, tmp_path, monkeypatch):
    """Ctrl-C after the snapshot at 2: one sentence, exit code 130; then the weights of an unbroken training."""
    from engine.training.trainer import Trainer

    update = Trainer.update

    def interrupted(self):
        if self.iteration == 2:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(Trainer, "update", interrupted)
    code, _, err = run(capsys, *train(tmp_path / "cut", "--seeds", "2", "--json"))
    assert code == 130
    assert err.strip() == "Stopped. `python -m engine resume FOLDER` continues from the last snapshot."
    monkeypatch.setattr(Trainer, "update", update)
    cut = [tmp_path / "cut" / folder.name for folder in trained]
    assert [row["path"] for row in as_json(capsys, "resume", cut[0])] == [str(folder) for folder in cut]
    for mine, whole in zip(cut, trained, strict=True):
        assert read_record(mine)["weights_sha256"] == read_record(whole)["weights_sha256"]


def test_a_run_that_exists_is_replaced_only_on_request(trained, capsys):
    code, _, err = run(capsys, *train(trained[0].parent, "--seeds", "2"))
    assert (code, err.count("\n")) == (2, 1)
    assert "exists: resume it" in err
    before = read_record(trained[0])
    assert run(capsys, *train(trained[0].parent, "--seeds", "2", "--replace", "--set", "training.lr=0.1"))[0] == 0
    assert read_record(trained[0])["weights_sha256"] != before["weights_sha256"]
    code, _, err = run(capsys, "resume", trained[0])
    assert (code, err.count("\n")) == (2, 1)
    assert "nothing to resume" in err


@pytest.mark.parametrize("command", COMPUTE)
def test_where_numbers_are_computed_the_device_can_be_said(command):
    assert "device" in {parameter.name for parameter in cli.commands[command].params}


def test_on_a_gpu_the_scores_are_the_same(trained, capsys):
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    here, there = (as_json(capsys, "evaluate", trained[0], "--tasks", "300", "--device", d) for d in ("cpu", "cuda"))
    assert there["mse"] == pytest.approx(here["mse"], rel=1e-3)


def test_own_runs_are_where_the_variable_says(trained, capsys, tmp_path, monkeypatch):
    """As for the dashboard; without it in `runs` of the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INNERLOOP_CHECKPOINTS", str(tmp_path / "none"))
    assert [row["folder"] for row in json.loads(run(capsys, "jobs", "--json")[1])] == ["runs/maml-k4-s0"]
    monkeypatch.setenv("INNERLOOP_RUNS", str(tmp_path / "elsewhere"))
    assert json.loads(run(capsys, "jobs", "--json")[1]) == []
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    assert len(json.loads(run(capsys, "jobs", "--json")[1])) == 1
    assert len(json.loads(run(capsys, "runs", "--json")[1])) == 2


def test_broken_weights_are_one_line(trained, capsys):
    (trained[0] / "weights.safetensors").write_bytes(b"nothing")
    code, out, err = run(capsys, "evaluate", trained[0], "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "its hash is" in err


@pytest.fixture
def classified(tmp_path, capsys, monkeypatch):
    """ProtoNet trained on Gaussian classes by the command line."""
    monkeypatch.setattr("engine.tasks.TaskDistribution.test_tasks", 10)
    settings = ["--set", "training.validation_tasks=4", "--set", "task.ways=3", "--set", "task.queries=2"]
    arguments = ["--task", "gaussian-classes", "--shots", "2", "--iterations", "3", *settings]
    assert run(capsys, "train", "protonet", *arguments, "--runs", tmp_path / "classes")[0] == 0
    return tmp_path / "classes" / "protonet-k2-s0"


def test_classes_show_accuracies(classified, capsys):
    metrics = read_record(classified)["metrics"]
    (row,) = json.loads(run(capsys, "runs", classified.parent, "--json")[1])
    assert (row["test_accuracy"], row["test_mse"]) == (metrics["test_accuracy"], None)
    assert run(capsys, "runs", classified.parent)[1].split()[:3] == ["path", "status", "test_accuracy"]
    result = json.loads(run(capsys, "evaluate", classified, "--tasks", "20", "--json")[1])
    assert list(result) == [
        *("path", "learner", "shots", "queries", "seed", "tasks", "diverged", "accuracy", "ci95", "median"),
        *("median_interval", "per_step", "loss_per_step"),
    ]
    assert 0 < result["accuracy"] == result["per_step"][-1] < 1
    assert "query accuracy" in run(capsys, "evaluate", classified, "--tasks", "20")[1]
    (row,) = json.loads(run(capsys, "table", "--root", classified.parent, "--tasks", "20", "--json")[1])
    assert row["accuracy"] == result["accuracy"]
    for refused in (("--set", "ways=4"), ("--fresh-head",)):
        code, _, err = run(capsys, "evaluate", classified, *refused)
        assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(("task", "kind"), [("sine", "regression"), ("gaussian-classes", "classification")])
def test_all_skips_learners_that_cannot_learn_the_task(task, kind, capsys, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("engine.training.sessions.train", lambda learner, *_, **__: asked.append(learner.name) or [])
    assert run(capsys, "train", "--all", "--task", task, "--runs", tmp_path)[0] == 0
    assert asked == [name for name, cls in LEARNERS.items() if kind in cls.kinds]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(capsys, command):
    code, out, _ = run(capsys, *command.split(), "--help")
    assert code == 0
    assert "Usage: python -m engine" in out


def test_every_command_is_tested_here():
    assert sorted(cli.commands) == sorted(COMMANDS)
