"""Training with run folders: an interruption at any moment changes nothing."""

import json
import math

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from engine.errors import BadConfig, BadInput, BadRun
from engine.evaluation import estimate, held_out_tasks, step_scores
from engine.execution.devices import pick_device
from engine.jobs import local as jobs
from engine.learners import make
from engine.runs.budget import Training
from engine.runs.ensembles import find_ensembles
from engine.runs.history import read_history
from engine.runs.locks import Busy, held
from engine.runs.run import load, read_record, save
from engine.tasks import GaussianClasses, Sine, TaskDistribution, stream
from engine.training import plans, sessions, snapshots
from engine.training.trainer import Trainer
from tests.engine.conftest import CASES, short

DISTRIBUTION = Sine(shots=4, queries=6)
CLASSES = GaussianClasses(shots=4, queries=2, ways=3)


@pytest.fixture(autouse=True)
def _few_test_tasks(monkeypatch):
    monkeypatch.setattr(TaskDistribution, "test_tasks", 10)


def plan(name: str) -> Training:
    sgd = {"optimiser": "sgd", "lr": 0.5} if name == "reptile" else {"lr": 0.01}
    return Training(iterations=12, meta_batch=2, validate_every=4, validation_tasks=5, snapshot_every=3, **sgd)


def made(name: str):
    return short(name, steps=2, test_steps=3)


def start(name, root, until=None, kind="regression"):
    distribution = DISTRIBUTION if kind == "regression" else CLASSES
    return sessions.train(made(name), distribution, plan(name), (0, 1), root, until=until)


def outcome(folder):
    keys = ("iteration", "loss", "validation", "validation_diverged", "best", "lr")
    rows = [{k: row[k] for k in keys} for row in load(folder).history()]
    return load(folder).sha256, rows, read_record(folder)["metrics"]


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


@pytest.mark.parametrize("until", [3, 7])
def test_where_some_tasks_diverge_the_best_are_taken_up_again_too(until, tmp_path):
    """Every validation has diverged tasks: the fewest of them, then the mean of the others, decide."""

    def go(root, until=None):
        learner = make("maml", steps=2, test_steps=5, inner_lr=0.5)
        return sessions.train(learner, DISTRIBUTION, plan("maml"), (0, 1), root, until=until)

    whole, cut = go(tmp_path / "whole"), go(tmp_path / "cut", until)
    sessions.resume(cut[0])
    assert [outcome(f) for f in cut] == [outcome(f) for f in whole]
    looks = [row for f in whole for row in load(f).history() if row["validation_diverged"] is not None]
    assert {row["iteration"] for row in looks} == {0, 4, 8, 12}
    assert any(0 < row["validation_diverged"] < 5 for row in looks)
    for folder in whole:
        mine = [row for row in load(folder).history() if row["validation_diverged"] is not None]
        best = min(mine, key=lambda row: (row["validation_diverged"], row["validation"] or math.inf))
        metrics = read_record(folder)["metrics"]
        found = tuple(metrics[key] for key in ("best_iteration", "validation", "validation_diverged"))
        assert found == (best["iteration"], best["validation"], best["validation_diverged"])


def test_a_snapshot_of_before_divergence_was_counted_is_taken_up(tmp_path):
    whole, cut = start("maml", tmp_path / "whole"), start("maml", tmp_path / "cut", 7)
    path = cut[0] / snapshots.SNAPSHOT
    with safe_open(path, "pt") as file:
        metadata = {key: value for key, value in file.metadata().items() if key not in ("lost", "sha256")}
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != "best_diverged"}
    save_file(tensors, path, {**metadata, "sha256": snapshots._digest(tensors, metadata)})
    sessions.resume(cut[0])
    assert [outcome(f) for f in cut] == [outcome(f) for f in whole]


def test_a_training_that_diverges_ends_so_with_a_sentence_and_without_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.divergence.AT_LEAST", 4)
    training = Training(iterations=40, meta_batch=2, validate_every=4, validation_tasks=5, snapshot_every=3)
    learner = make("maml", steps=2, inner_lr=1e30)
    (folder,) = sessions.train(learner, DISTRIBUTION, training, (0,), tmp_path)
    record = read_record(folder)
    assert (record["status"], record["iteration"]) == ("diverged", 4)
    assert record["error"] == (
        "4 of 4 updates were skipped, because their meta-gradient was not finite. "
        "Lower inner_lr or training.lr, or set inner_clip or training.clip."
    )
    wanted = {"validation": None, "validation_diverged": 5, "best_iteration": None, "skipped_updates": 4}
    assert record["metrics"] == wanted
    assert [row["validation_diverged"] for row in read_history(folder) if row["iteration"] % 4 == 0] == [5, 5]
    assert not list(folder.glob("*.safetensors"))
    assert find_ensembles(tmp_path, "sine", 4) == ([], [])
    assert jobs.job(folder).status == "diverged"
    with pytest.raises(BadRun, match="its training diverged; train it again with other settings"):
        load(folder)
    with pytest.raises(BadRun, match=r"diverged; train it again with other settings\. 4 of 4 updates"):
        sessions.resume(folder)


def test_of_two_seeds_the_sound_one_is_done_and_the_other_has_diverged(tmp_path, monkeypatch):
    meta_gradient = Trainer._meta_gradient

    def spoiled(self, tasks):
        gradient, loss = meta_gradient(self, tasks)
        gradient[0] = math.nan
        return gradient, loss

    monkeypatch.setattr(Trainer, "_meta_gradient", spoiled)
    folders = start("maml", tmp_path)
    assert [read_record(folder)["status"] for folder in folders] == ["diverged", "done"]
    assert read_record(folders[1])["metrics"]["best_iteration"] > 0
    job = jobs.job(folders[0])
    assert (job.status, job.record["seed"]) == ("done", 1)
    assert [seed for seed, _ in job.diverged] == [0]
    (ensemble,), complaints = find_ensembles(tmp_path, "sine", 4)
    assert ([run.seed for run in ensemble.runs], complaints) == ([1], [])


def test_what_is_called_off_before_any_sound_validation_has_no_weights_and_can_go_on(tmp_path):
    def call_off(progress):
        if progress.iteration == 2:
            (tmp_path / "maml-k4-s0" / "cancel").touch()

    learner = make("maml", steps=2, inner_lr=1e30)
    (folder,) = sessions.train(learner, DISTRIBUTION, plan("maml"), (0,), tmp_path, report=call_off)
    assert read_record(folder)["status"] == "cancelled"
    assert not (folder / "weights.safetensors").exists()
    sessions.resume(folder)
    assert read_record(folder)["status"] == "diverged"
