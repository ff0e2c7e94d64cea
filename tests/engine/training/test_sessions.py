"""Training with run folders: an interruption at any moment changes nothing."""

import json

import pytest

from engine.errors import BadInput, BadRun
from engine.evaluation import step_scores
from engine.execution.devices import pick_device
from engine.runs.budget import Training
from engine.runs.history import read_history
from engine.runs.locks import Busy, held
from engine.runs.run import load, read_record, save
from engine.tasks import stream
from engine.training import sessions, snapshots
from tests.engine.conftest import CASES
from tests.engine.training.trainings import DISTRIBUTION, made, outcome, plan, start

pytestmark = pytest.mark.usefixtures("few_test_tasks")


@pytest.mark.parametrize(
    ("name", "kind", "until"),
    [(*case, 7) for case in CASES]
    + [(name, "regression", at) for name in ("maml", "reptile", "mt-net") for at in (1, 3)],
)
def test_resuming_is_bit_identical(name, kind, until, tmp_path):
    whole = start(name, tmp_path / "whole", kind=kind)
    cut = start(name, tmp_path / "cut", until, kind)
    assert read_record(cut[0])["status"] == "running"
    resumed = sessions.resume(cut[1])  # any folder of the group resumes all
    assert [outcome(f) for f in resumed] == [outcome(f) for f in whole]
    assert not (cut[0] / snapshots.SNAPSHOT).exists()


def killed(name, root, at: int):
    """A training whose process dies when it reports iteration `at`: nothing is tidied up."""

    def die(progress):
        if progress.iteration == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sessions.train(made(name), DISTRIBUTION, plan(name), (0, 1), root, report=die)
    return [root / f"{name}-k4-s{seed}" for seed in (0, 1)]


@pytest.mark.parametrize("name", ["maml", "reptile"])
@pytest.mark.parametrize(("at", "snapshot"), [(0, None), (4, 3), (8, 6), (12, 9)])
def test_a_kill_between_snapshots_changes_nothing(name, at, snapshot, tmp_path):
    """The history is then ahead of the snapshot (or there is none yet): those rows are made again."""
    whole, cut = start(name, tmp_path / "whole"), killed(name, tmp_path / "cut", at)
    rows = read_history(cut[0])
    assert [row["iteration"] for row in rows] == list(range(at + 1))
    assert [row["iteration"] for row in rows if row["validation"] is not None] == list(range(0, at + 1, 4))
    assert read_record(cut[1])["iteration"] == (snapshot or 0)
    assert (cut[0] / snapshots.SNAPSHOT).is_file() == (snapshot is not None)
    assert [outcome(f) for f in sessions.resume(cut[0])] == [outcome(f) for f in whole]


def test_a_kill_between_saving_two_seeds_leaves_the_second_to_resume(tmp_path, monkeypatch):
    whole, saved = start("maml", tmp_path / "whole"), []

    def save_once(*arguments):
        if saved:
            raise KeyboardInterrupt
        saved.append(arguments)
        save(*arguments)

    monkeypatch.setattr(sessions, "save", save_once)
    with pytest.raises(KeyboardInterrupt):
        start("maml", tmp_path / "cut")
    monkeypatch.setattr(sessions, "save", save)
    cut = [tmp_path / "cut" / folder.name for folder in whole]
    assert [read_record(folder)["status"] for folder in cut] == ["done", "running"]
    sessions.resume(cut[1])
    assert [outcome(f) for f in cut] == [outcome(f) for f in whole]


def test_what_is_saved_is_the_best_on_validation_and_not_the_last(tmp_path):
    """A learning rate that finds a better start at once, and ruins it afterwards."""
    training = Training(iterations=12, meta_batch=2, validate_every=4, validation_tasks=5, lr=0.3)
    (folder,) = sessions.train(made("maml"), DISTRIBUTION, training, (0,), tmp_path)
    run = load(folder)
    validations = {row["iteration"]: row["validation"] for row in run.history() if row["validation"] is not None}
    best = min(validations, key=validations.get)
    assert best != 12
    assert run.record["metrics"]["best_iteration"] == best
    tasks = DISTRIBUTION.sample(stream("validation"), 5)
    again = float(step_scores(run.learner, run.params, tasks).losses[:, -1].double().mean())
    assert again == pytest.approx(validations[best], rel=1e-4)
    assert run.record["metrics"]["validation"] == validations[best]


def test_a_history_cut_off_mid_line_is_mended(tmp_path):
    whole, cut = start("maml", tmp_path / "whole"), start("maml", tmp_path / "cut", 7)
    history = cut[0] / "history.jsonl"
    history.write_text(history.read_text() + '{"iteration": 8, "lo')
    sessions.resume(cut[0])
    assert outcome(cut[0]) == outcome(whole[0])


TORN = {
    "cut off": lambda content: content[:100],
    "empty": lambda content: b"",
    "one bit of a tensor": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "one digit of its history": lambda content: content.replace(b'\\"iteration\\": 6', b'\\"iteration\\": 7', 1),
}


@pytest.mark.parametrize("how", TORN)
def test_a_torn_snapshot_falls_back_to_the_one_before(how, tmp_path):
    whole, cut = start("maml", tmp_path / "whole"), start("maml", tmp_path / "cut", 7)
    snapshot = cut[0] / snapshots.SNAPSHOT
    torn = TORN[how](snapshot.read_bytes())
    assert torn != snapshot.read_bytes()
    snapshot.write_bytes(torn)
    seen = []
    sessions.resume(cut[0], report=lambda progress: seen.append(progress.iteration))
    assert seen[0] == 6
    assert outcome(cut[0]) == outcome(whole[0])


def test_without_a_whole_snapshot_it_is_one_clear_sentence_and_nothing_is_lost(tmp_path):
    cut = start("maml", tmp_path, 7)
    for name in (snapshots.SNAPSHOT, snapshots.PREVIOUS):
        (cut[0] / name).write_bytes((cut[0] / name).read_bytes()[:-1])
    with pytest.raises(BadRun, match="not a readable snapshot"):
        sessions.resume(cut[0])
    record = read_record(cut[0])
    assert record["status"] == "failed"
    assert "not a readable snapshot" in record["error"]
    assert len(read_history(cut[0])) == 8


def test_a_cancelled_training_keeps_its_best_and_resumes_to_the_same_bits(tmp_path):
    whole = start("maml", tmp_path / "whole")

    def call_off(progress):
        if progress.iteration == 5:
            (tmp_path / "cut" / whole[1].name / "cancel").touch()

    cut = sessions.train(made("maml"), DISTRIBUTION, plan("maml"), (0, 1), tmp_path / "cut", report=call_off)
    for folder in cut:
        run = load(folder)
        assert (run.record["status"], run.record["iteration"]) == ("cancelled", 5)
        best = min((row["validation"], row["iteration"]) for row in run.history() if row["validation"] is not None)
        assert (run.record["metrics"]["validation"], run.record["metrics"]["best_iteration"]) == best
    sessions.resume(cut[0])
    assert [outcome(f) for f in cut] == [outcome(f) for f in whole]


def test_two_processes_never_train_in_one_folder(tmp_path):
    """The lock is one per open file, so a second session of the same process is as much another one."""

    def intrude(progress):
        if progress.iteration == 4:
            with pytest.raises(Busy, match="another process is training it"):
                sessions.resume(cut[1])
            with pytest.raises(Busy):
                sessions.train(made("maml"), DISTRIBUTION, plan("maml"), (1, 2), tmp_path / "cut", replace=True)

    whole = start("maml", tmp_path / "whole")
    cut = [tmp_path / "cut" / folder.name for folder in whole]
    sessions.train(made("maml"), DISTRIBUTION, plan("maml"), (0, 1), tmp_path / "cut", report=intrude)
    assert [outcome(f) for f in cut] == [outcome(f) for f in whole]
    assert not held(cut[0])


def test_what_is_finished_or_taken_is_refused(tmp_path):
    done = start("maml", tmp_path)
    with pytest.raises(BadRun, match="nothing to resume"):
        sessions.resume(done[0])
    with pytest.raises(BadInput, match="exists: resume it"):
        start("maml", tmp_path)


def test_a_learner_of_classes_refuses_waves(tmp_path):
    with pytest.raises(BadInput, match="protonet on sine: it learns classification tasks; this one is regression"):
        sessions.train(made("protonet"), DISTRIBUTION, plan("protonet"), (0,), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_training_goes_on_where_it_was(tmp_path, monkeypatch):
    """A run of a processor, taken up on a machine with a GPU, stays on the processor: only so its bits are the same."""
    (cut,) = sessions.train(made("maml"), DISTRIBUTION, plan("maml"), (0,), tmp_path, until=7)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    sessions.resume(cut)
    assert read_record(cut)["device"] == "cpu"
    assert 10**8 < read_record(cut)["memory"] < 10**11


def test_a_training_of_a_gpu_says_so_where_there_is_none(tmp_path):
    (cut,) = sessions.train(made("maml"), DISTRIBUTION, plan("maml"), (0,), tmp_path, until=7)
    record = json.loads((cut / "run.json").read_text())
    (cut / "run.json").write_text(json.dumps({**record, "device": "cuda"}))
    if pick_device("auto") == "cuda":
        pytest.skip("there is a GPU here")
    with pytest.raises(BadInput, match="finds no GPU"):
        sessions.resume(cut)
    sessions.resume(cut, device="cpu")
    assert (read_record(cut)["status"], read_record(cut)["device"]) == ("done", "cpu")


def test_device(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert pick_device("auto") == "cpu"
    with pytest.raises(BadInput, match="finds no GPU"):
        pick_device("cuda")
    with pytest.raises(BadInput, match="must be auto, cpu or cuda"):
        pick_device("tpu")


def test_weights_along_the_training_are_kept_and_an_interruption_changes_none(tmp_path):
    training = Training(iterations=9, meta_batch=2, validation_tasks=3, snapshot_every=4, keep_every=3)

    def go(root, until=None):
        return sessions.train(made("maml"), DISTRIBUTION, training, (0, 1), root, until=until)

    whole, cut = go(tmp_path / "whole"), go(tmp_path / "cut", 7)
    assert list(load_kept(whole[1])) == [0, 3, 6, 9]
    sessions.resume(cut[0])
    for one, other in zip(whole, cut, strict=True):
        files = [sorted((folder / "kept").iterdir()) for folder in (one, other)]
        assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]
    start = load_kept(whole[1])[0]["net"]["weight2"]
    assert start.equal(made("maml").init(stream("init", 1), DISTRIBUTION.spec)["net"]["weight2"])
    sessions.train(made("maml"), DISTRIBUTION, plan("maml"), (0, 1), tmp_path / "whole", replace=True)
    assert not load_kept(whole[0])


def test_a_kept_copy_that_does_not_fit_is_named(tmp_path):
    training = Training(iterations=2, meta_batch=1, validation_tasks=3, keep_every=2)
    (folder,) = sessions.train(made("maml"), DISTRIBUTION, training, (0,), tmp_path)
    (folder / "kept" / "00000002.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadRun, match=r"00000002\.safetensors is not a safetensors file"):
        load_kept(folder)


def load_kept(folder):
    return load(folder).kept()
