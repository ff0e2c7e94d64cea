"""Training with run folders: an interruption at any moment changes nothing."""

import json

import pytest

from engine import sessions
from engine.errors import BadInput, BadRun
from engine.learners import LEARNERS
from engine.runs import load, read_record
from engine.tasks import Sine
from engine.training import Training

DISTRIBUTION = Sine(shots=4, queries=6)


@pytest.fixture(autouse=True)
def _few_test_tasks(monkeypatch):
    monkeypatch.setattr(sessions, "TEST_TASKS", 10)


def plan(name: str) -> Training:
    sgd = {"optimiser": "sgd", "lr": 0.5} if name == "reptile" else {"lr": 0.01}
    return Training(iterations=12, meta_batch=2, validate_every=4, validation_tasks=5, snapshot_every=3, **sgd)


def made(name: str):
    return LEARNERS[name](**({"test_steps": 3} if name in ("finetuning", "reptile") else {"steps": 2}))


def start(name, root, until=None):
    return sessions.train(made(name), DISTRIBUTION, plan(name), (0, 1), root, until=until)


def outcome(folder):
    rows = [{k: row[k] for k in ("iteration", "loss", "validation", "best", "lr")} for row in load(folder).history()]
    return load(folder).sha256, rows, read_record(folder)["metrics"]


@pytest.mark.parametrize("name", list(LEARNERS))
@pytest.mark.parametrize("until", [1, 3, 7])
def test_resuming_is_bit_identical(name, until, tmp_path):
    whole = start(name, tmp_path / "whole")
    cut = start(name, tmp_path / "cut", until)
    assert read_record(cut[0])["status"] == "running"
    resumed = sessions.resume(cut[1])  # any folder of the group resumes all
    assert [outcome(f) for f in resumed] == [outcome(f) for f in whole]
    assert not (cut[0] / sessions.SNAPSHOT).exists()


def test_a_history_cut_off_mid_line_is_mended(tmp_path):
    whole, cut = start("maml", tmp_path / "whole"), start("maml", tmp_path / "cut", 7)
    history = cut[0] / "history.jsonl"
    history.write_text(history.read_text() + '{"iteration": 8, "lo')
    sessions.resume(cut[0])
    assert outcome(cut[0]) == outcome(whole[0])


def test_a_torn_snapshot_is_one_clear_sentence(tmp_path):
    cut = start("maml", tmp_path, 7)
    snapshot = cut[0] / sessions.SNAPSHOT
    snapshot.write_bytes(snapshot.read_bytes()[:100])
    with pytest.raises(BadRun, match="not a readable snapshot"):
        sessions.resume(cut[0])


def test_what_is_finished_or_taken_is_refused(tmp_path):
    done = start("maml", tmp_path)
    with pytest.raises(BadRun, match="nothing to resume"):
        sessions.resume(done[0])
    with pytest.raises(BadInput, match="exists: resume it"):
        start("maml", tmp_path)


def test_record_names_everything_needed_to_train_it_again(tmp_path):
    record = json.loads((start("lstm", tmp_path)[1] / "run.json").read_text())
    assert record["learner"] == "lstm"
    assert record["seed"] == 1
    assert record["group"] == ["lstm-k4-s0", "lstm-k4-s1"]
    assert record["training"]["iterations"] == 12
    assert record["task_parameters"]["shots"] == 4
    assert record["metrics"]["test_tasks"] == sessions.TEST_TASKS
    assert str(tmp_path) not in json.dumps(record)


def test_device(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert sessions.pick_device("auto") == "cpu"
    with pytest.raises(BadInput, match="finds no GPU"):
        sessions.pick_device("cuda")
    with pytest.raises(BadInput, match="must be auto, cpu or cuda"):
        sessions.pick_device("tpu")
