"""Run folders: what differs from a whole one is refused by name; what a user hands to a run is checked."""

import hashlib
import json
import pickle
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors

from engine.errors import BadInput, BadRun
from engine.runs.files import write_atomically
from engine.runs.listing import broken, find
from engine.runs.run import RECORD, WEIGHTS, load, read_record


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
    "other schema": (lambda f: rewrite_record(f, schema=99), "has schema 99; this version reads schemas up to 2"),
    "lacks a key": (lambda f: rewrite_record(f, seed=...), "lacks seed"),
    "unknown learner": (lambda f: rewrite_record(f, learner="gpt"), "no learner called 'gpt'"),
    "learner no text": (lambda f: rewrite_record(f, learner=["maml"]), r"learner must be text, got \['maml'\]"),
    "seed no number": (lambda f: rewrite_record(f, seed="x"), "seed must be a whole number, got 'x'"),
    "hash no text": (lambda f: rewrite_record(f, weights_sha256=7), "weights_sha256 must be text, got 7"),
    "metrics no object": (lambda f: rewrite_record(f, metrics="good"), "metrics must be an object, got 'good'"),
    "unknown task": (lambda f: rewrite_record(f, task="chess"), "no task called 'chess'"),
    "bad parameter": (lambda f: rewrite_record(f, hyper_parameters={"inner_lr": -1}), "cannot take inner_lr = -1"),
    "parameters no object": (lambda f: rewrite_record(f, hyper_parameters=5), "hyper_parameters must be an object"),
    "unknown parameter": (lambda f: rewrite_record(f, hyper_parameters={"depth": 3}), "has no parameter 'depth'"),
    "networks of terabytes": (
        lambda f: rewrite_record(f, hyper_parameters={"network": {"widths": [10**5, 10**5, 10**5]}}),
        "describes networks that are too large to build",
    ),
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


def test_broken_ones_are_named_with_their_reason(folder):
    for name, content in (("a", "{"), ("b", '{"schema": 3}'), (".trash", "{")):
        (folder.parent / name).mkdir()
        (folder.parent / name / RECORD).write_text(content)
    found = dict(broken(folder.parent))
    assert [path.name for path in found] == ["a", "b"]
    assert "is not readable JSON" in found[folder.parent / "a"]
    assert "has schema 3" in found[folder.parent / "b"]


VALUES = {  # what a record must not hold, as JSON; with what the message says
    "recipe": ('"\\ud800"', "recipe must be plain text"),
    "shots": ("1" + "0" * 30, r"shots must be at most 1e\+06"),
    "seconds": ("9" * 400, "seconds must be a number"),
    "metrics": ('{"test_mse": ' + "9" * 400 + "}", "test_mse of metrics must not hold numbers beyond"),
    "hyper_parameters": (
        '{"inner_clip": 1e308}',
        r"inner_clip of hyper_parameters must not .* beyond 1e\+38, got 1e\+308",
    ),
    "group": ('["a\\u0000"]', "0 of group must hold plain names of folders"),
    "training": ('{"iterations": -1}', "iterations of training must be at least 0"),
    "status": ('"finished"', "status must be 'queued', 'running', 'done'"),
    "versions": ("[" * 9 + "]" * 9, "versions must be an object"),
    "remark": ('{"a": ' * 9 + "1" + "}" * 9, "remark must not be nested deeper than 6 levels"),
    "task_parameters": ('{"shots": 7}', "shots must be those of task_parameters, 7; 10 was given"),
}


@pytest.mark.parametrize("key", VALUES)
def test_a_value_that_pages_could_not_show_is_refused_in_a_short_sentence(folder, key):
    raw, message = VALUES[key]
    rewrite_record(folder, **{"shots": 10, key: "HERE"})
    (folder / RECORD).write_text((folder / RECORD).read_text().replace('"HERE"', raw))
    with pytest.raises(BadRun, match=message) as error:
        read_record(folder)
    assert len(str(error.value)) - len(str(folder)) < 250


def test_what_is_not_known_is_kept_as_long_as_it_is_small(folder):
    more = {"remark": ["a", {"b": 1}], "metrics": {"test_diverged": 9, "test_mse": None}, "status": "diverged"}
    rewrite_record(folder, **more)
    assert {key: load(folder).record[key] for key in more} == more


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


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones(5), r"query_x must have shape \(points, 1\); \(5,\) was given"),
        (np.ones((5, 2)), r"query_x must have shape \(points, 1\); \(5, 2\) was given"),
        (np.float64(1), r"query_x must have shape \(points, 1\); \(\) was given"),
        (np.array([[np.nan], [1.0], [-np.inf]]), "query_x must be finite; 2 of its values are not"),
        (np.array([[1e39]]), "query_x must be finite; 1 of its values are not"),  # infinite in float32
        ("text", "query_x must be numbers"),
        ([["1.5"]], "query_x must be numbers"),
        ([[1], [2, 3]], "query_x must be numbers"),
        (np.array([[1j]]), "query_x must be numbers"),
        (torch.ones(1, 1, dtype=torch.complex64), "query_x must be numbers"),
        (None, "query_x must be numbers"),
    ],
)
def test_bad_queries_are_one_sentence(folder, x, message):
    run = load(folder)
    trajectory = run.adapt(np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(BadInput, match=message):
        run.predict(trajectory, x)


def test_any_view_of_an_array_is_taken(folder):
    """Reversed, strided, read-only, whole numbers, big-endian: what NumPy users have at hand."""
    run, x = load(folder), np.arange(6.0)[:, None]
    trajectory = run.adapt(x, x)
    expected = run.predict(trajectory, x)
    frozen = x.copy()
    frozen.flags.writeable = False
    for same in (x[::-1].copy()[::-1], np.repeat(x, 2, 0)[::2], frozen, x.astype(int), x.astype(np.float32)):
        torch.testing.assert_close(run.predict(trajectory, same), expected, rtol=0, atol=0)


def test_adapting_backwards_is_refused(folder):
    with pytest.raises(BadInput, match="takes 0 steps or more; -3 were asked for"):
        load(folder).adapt(np.ones((2, 1)), np.ones((2, 1)), -3)


def test_a_number_format_that_pytorch_lacks(folder):
    """A safetensors file can hold formats that only other libraries read."""
    header = json.dumps({"net.bias1": {"dtype": "F8_E8M0", "shape": [5], "data_offsets": [0, 5]}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(5)
    (folder / WEIGHTS).write_bytes(content)
    rewrite_record(folder, weights_sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(BadRun, match=r"not a safetensors file that can be read|must be torch.float32|lacks the tensor"):
        load(folder)


def test_a_step_that_does_not_exist(folder):
    run = load(folder)
    trajectory = run.adapt(np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(BadInput, match="steps 0 to 10; step 11 was asked for"):
        run.predict(trajectory, np.ones((1, 1)), step=11)
