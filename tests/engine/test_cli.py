"""The command line: teaches in --help, prints JSON for machines, answers a mistake with one sentence."""

import json

import pytest

from engine.cli import main
from engine.learners import LEARNERS


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_learners(capsys):
    code, out, _ = run(capsys, "learners", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [row["name"] for row in rows] == list(LEARNERS)
    assert all(row["family"] and row["reference"] and row["summary"] for row in rows)


def held_out_tasks(capsys):
    rows = json.loads(run(capsys, "tasks", "--json")[1])
    assert rows[0]["name"] == "sine"
    assert rows[0]["parameters"]["amplitude"] == [0.1, 5.0]


def test_train_runs_resume_evaluate(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.sessions.TEST_TASKS", 10)
    options = (
        "--shots",
        "4",
        "--seeds",
        "2",
        "--iterations",
        "3",
        "--set",
        "steps=2",
        "--set",
        "training.meta_batch=2",
    )
    options += ("--set", "training.validation_tasks=4", "--set", "task.queries=6", "--runs", str(tmp_path))
    code, out, _ = run(capsys, "train", "maml", *options, "--json")
    assert code == 0
    paths = [row["path"] for row in json.loads(out)]
    assert paths == [str(tmp_path / f"maml-k4-s{seed}") for seed in (0, 1)]
    listed = json.loads(run(capsys, "runs", str(tmp_path), "--json")[1])
    assert [(r["path"], r["learner"], r["task"], r["shots"], r["seed"]) for r in listed] == [
        (paths[0], "maml", "sine", 4, 0),
        (paths[1], "maml", "sine", 4, 1),
    ]
    code, out, _ = run(capsys, "evaluate", paths[1], "--tasks", "20", "--json")
    result = json.loads(out)
    assert result["tasks"] == 20
    assert result["mse"] == pytest.approx(result["per_step"][-1], rel=1e-5)
    assert len(result["per_step"]) == 11
    assert result["ci95"] > 0
    assert "query MSE" in run(capsys, "evaluate", paths[0], "--tasks", "20", "--set", "noise=1")[1]
    rows = json.loads(run(capsys, "table", "--root", str(tmp_path), "--tasks", "20", "--json")[1])
    assert [(row["learner"], row["shots"], row["seeds"]) for row in rows] == [("maml", 4, 2)]
    code, _, err = run(capsys, "train", "maml", *options)
    assert (code, err.count("\n")) == (2, 1)
    assert "exists: resume it" in err
    code, _, err = run(capsys, "resume", paths[0])
    assert code == 2
    assert "nothing to resume" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "mamal"], "There is no learner called 'mamal'; known are"),
        (["train", "maml", "--task", "cosine"], "There is no task called 'cosine'"),
        (["train"], "Say either which learner to train, or --all."),
        (["train", "maml", "--set", "depth=2"], "has no parameter 'depth'"),
        (["train", "maml", "--set", "inner_lr=fast"], "cannot take inner_lr = 'fast'"),
        (["train", "maml", "--set", "inner_lr"], "--set takes KEY=VALUE"),
        (["train", "maml", "--set", "training.lr=0"], "The training cannot take lr = 0"),
        (["train", "maml", "--set", "task.noise=-1"], "The task sine cannot take noise = -1"),
        (["train", "maml", "--recipe", "secret"], "no recipe collection for sine called 'secret'"),
        (["train", "lstm", "--recipe", "published"], "no learner in the recipes 'published' called 'lstm'"),
        (["train", "maml", "--device", "tpu"], "--device must be auto, cpu or cuda"),
        (["evaluate", "nowhere"], "There is no run folder at nowhere."),
        (["resume", "nowhere"], "There is no run folder at nowhere."),
        (["train", "maml", "--seeds", "0"], "0 is not in the range"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_a_mistake_ends_in_one_sentence_and_writes_nothing(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["", "learners", "tasks", "runs", "train", "resume", "evaluate", "table"])
def test_help(capsys, command):
    code, out, _ = run(capsys, *command.split(), "--help")
    assert code == 0
    assert "Usage: python -m engine" in out
