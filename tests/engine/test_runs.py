"""Run folders: what differs from a whole one is refused by name; what a user hands to a run is checked."""

import hashlib
import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors

from engine.errors import BadInput, BadRun
from engine.learners import make
from engine.runs import RECORD, WEIGHTS, describe, find, load, save, write_atomically
from engine.tasks import Sine, stream


@pytest.fixture
def folder(tmp_path):
    learner = make("maml", widths=(5,))
    save(tmp_path / "run", learner.init(stream("init"), Sine.spec), describe(learner, Sine(), 0))
    return tmp_path / "run"


def rewrite_record(folder, **changes):
    record = json.loads((folder / RECORD).read_text())
    record.update(changes)
    (folder / RECORD).write_text(json.dumps({k: v for k, v in record.items() if v is not ...}))


def rewrite_weights(folder, change, rehash=True):
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    content = save_tensors(tensors)
    (folder / WEIGHTS).write_bytes(content)
    if rehash:
        rewrite_record(folder, weights_sha256=hashlib.sha256(content).hexdigest())


def change_one(name, value):
    return lambda tensors: tensors.__setitem__(name, value)


BROKEN = {
    "no record": (lambda f: (f / RECORD).unlink(), "is not a run folder: it has no run.json"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "has no weights.safetensors yet"),
    "not JSON": (lambda f: (f / RECORD).write_text("{"), "is not readable JSON"),
    "a list": (lambda f: (f / RECORD).write_text("[]"), "must hold one JSON object"),
    "foreign JSON": (lambda f: (f / RECORD).write_text('{"name": "leftpad"}'), "has schema None"),
    "other schema": (lambda f: rewrite_record(f, schema=99), "has schema 99; this version reads schema 1"),
    "lacks a key": (lambda f: rewrite_record(f, seed=...), "lacks seed"),
    "unknown learner": (lambda f: rewrite_record(f, learner="gpt"), "no learner called 'gpt'"),
    "learner no text": (lambda f: rewrite_record(f, learner=["maml"]), "does not describe a run"),
    "unknown task": (lambda f: rewrite_record(f, task="chess"), "no task called 'chess'"),
    "bad parameter": (lambda f: rewrite_record(f, hyper_parameters={"inner_lr": -1}), "cannot take inner_lr = -1"),
    "parameters no object": (lambda f: rewrite_record(f, hyper_parameters=5), "does not describe a run"),
    "huge record": (lambda f: (f / RECORD).write_text(" " * 1_000_001), "larger than 1,000,000 bytes"),
    "other weights": (
        lambda f: rewrite_weights(f, change_one("net.bias1", torch.ones(5)), rehash=False),
        "its hash is",
    ),
    "shape": (
        lambda f: rewrite_weights(f, change_one("net.bias1", torch.ones(6))),
        r"net.bias1 must have shape \(5,\), got \(6,\)",
    ),
    "dtype": (
        lambda f: rewrite_weights(f, change_one("net.bias1", torch.ones(5, dtype=torch.float64))),
        "net.bias1 must be torch.float32, got torch.float64",
    ),
    "NaN": (
        lambda f: rewrite_weights(f, change_one("net.bias1", torch.full((5,), torch.nan))),
        "net.bias1 has 5 values that are not finite",
    ),
    "missing tensor": (lambda f: rewrite_weights(f, lambda t: t.pop("net.bias1")), "lacks the tensor 'net.bias1'"),
    "extra tensor": (
        lambda f: rewrite_weights(f, change_one("net.bias9", torch.ones(1))),
        "has a tensor 'net.bias9' that this learner does not know",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_is_one_sentence_that_names_what_differs(folder, case):
    break_it, message = BROKEN[case]
    break_it(folder)
    with pytest.raises(BadRun, match=message) as error:
        load(folder)
    assert "\n" not in str(error.value)


def test_a_missing_folder(tmp_path):
    with pytest.raises(BadRun, match="no run folder at"):
        load(tmp_path / "nothing")


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def test_a_pickle_is_never_opened(folder):
    content = pickle.dumps(Bomb())
    (folder / WEIGHTS).write_bytes(content)
    rewrite_record(folder, weights_sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(BadRun, match="not a safetensors file"):
        load(folder)


def test_find_passes_over_broken_records(folder):
    (folder.parent / "broken").mkdir()
    (folder.parent / "broken" / RECORD).write_text("{")
    assert [path for path, _ in find(folder.parent)] == [folder]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_adapt_and_predict_take_arrays_lists_and_tensors(folder):
    run = load(folder)
    x, y = np.linspace(-1, 1, 6)[:, None], np.ones((6, 1))
    trajectory = run.adapt(x, y)
    assert len(trajectory) == run.learner.evaluation_steps + 1
    expected = run.predict(trajectory, x)
    assert expected.shape == (6, 1)
    torch.testing.assert_close(run.predict(run.adapt(torch.tensor(x), y.tolist()), x.tolist()), expected)
    assert not torch.allclose(run.predict(trajectory, x, step=0), expected)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(5), np.ones((5, 1)), r"support_x must have shape \(points, 1\); \(5,\) was given"),
        (np.ones((5, 1)), np.ones((5, 2)), r"support_y must have shape \(points, 1\); \(5, 2\) was given"),
        (np.ones((5, 1)), np.ones((4, 1)), "as many inputs as targets, at least one: 5 and 4"),
        (np.ones((0, 1)), np.ones((0, 1)), "at least one: 0 and 0"),
        (np.full((2, 1), np.nan), np.ones((2, 1)), "support_x must be finite; 2 of its values are not"),
        ([["a"], ["b"]], np.ones((2, 1)), "support_x must be numbers"),
    ],
)
def test_bad_support_is_one_sentence(folder, x, y, message):
    with pytest.raises(BadInput, match=message):
        load(folder).adapt(x, y)


def test_a_step_that_does_not_exist(folder):
    run = load(folder)
    trajectory = run.adapt(np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(BadInput, match="steps 0 to 10; step 11 was asked for"):
        run.predict(trajectory, np.ones((1, 1)), step=11)
