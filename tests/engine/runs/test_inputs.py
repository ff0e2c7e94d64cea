"""What the notebook hands to a run, and what it must not be: always one sentence that says what is allowed."""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import engine
from engine.cli.console import parse_settings
from engine.errors import BadConfig, BadInput, BadRun
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.trees import tree_map

SHIPPED = Path(__file__).resolve().parents[3] / "checkpoints" / "sine"
X = np.linspace(-3, 3, 5)[:, None]


@pytest.fixture(scope="module")
def run() -> Run:
    return engine.load(SHIPPED / "maml-k5-s0")


@pytest.mark.parametrize("steps", [1.5, 2.5, "3", 1.0, True, np.float64(2), np.bool_(1), [1], torch.tensor(True), b"1"])
def test_steps_are_whole_numbers(run: Run, steps: object):
    with pytest.raises(BadInput, match=r"^steps must be a whole number; .* was given\.$"):
        run.adapt(X, X, steps)
    with pytest.raises(BadInput, match=r"^steps must be a whole number; .* was given\.$"):
        Ensemble((run,)).adapt(X, X, steps)
    trajectory = run.adapt(X, X)
    with pytest.raises(BadInput, match=r"^step must be a whole number; .* was given\.$"):
        run.predict(trajectory, X, step=steps)
    with pytest.raises(BadInput, match=r"^each of the steps must be a whole number; .* was given\.$"):
        Ensemble((run,)).predict(Ensemble((run,)).adapt(X, X), X, [0, steps])


def test_whole_numbers_of_any_library_are_taken(run: Run):
    for steps in (3, np.int64(3), np.uint8(3), torch.tensor(3)):
        trajectory = run.adapt(X, X, steps)
        assert len(trajectory) == 4
        assert torch.equal(run.predict(trajectory, X, steps), run.predict(trajectory, X))
    ensemble = Ensemble((run,))
    with pytest.raises(BadInput, match="0 steps or more; -1 were asked for"):
        ensemble.adapt(X, X, -1)
    for steps in ([], [-1]):
        with pytest.raises(BadInput, match="after 0 steps or more"):
            ensemble.predict(ensemble.adapt(X, X), X, steps)
    with pytest.raises(BadInput, match=r"has steps 0 to 10; step 1000000000000000000000 was asked for"):
        run.predict(run.adapt(X, X), X, 10**21)
    with pytest.raises(BadInput, match="something that is too long to show were asked for"):
        run.adapt(X, X, -(10**5000))


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nested and quantised tensors are not finished, PyTorch says
    TENSOR = torch.as_tensor(X).float()
    UNFIT = [
        (TENSOR.to_sparse(), "and dense: call .to_dense"),
        (TENSOR.to_sparse_csr(), "and dense: call .to_dense"),
        (torch.nested.nested_tensor([TENSOR, TENSOR[:2]]), "and not nested: give one set"),
        (torch.quantize_per_tensor(TENSOR, 0.1, 0, torch.qint8), "and not quantized: call .dequantize"),
        (TENSOR.to("meta"), "and on cpu as the weights are; meta was given"),
        (TENSOR.clone().requires_grad_(), "and without a gradient, which .*: call .detach"),
        (TENSOR * 1j, "and not complex"),
        (np.ma.masked_array(X, X > 0), "and without a mask"),
        (np.array([[object()]] * 5), ""),
        ([TENSOR.clone().requires_grad_()], ""),
        (np.array(["2020-01-01"] * 5, "datetime64[D]")[:, None], ""),
        ([[1], [2, 3]], ""),
        ({1: 2}, ""),
    ]


@pytest.mark.parametrize(("value", "why"), UNFIT)
def test_what_holds_no_plain_numbers_is_one_sentence(run: Run, value: object, why: str):
    trajectory = run.adapt(X, X)
    for name, hand_over in (
        ("support_x", lambda: run.adapt(value, X)),
        ("support_y", lambda: run.adapt(X, value)),
        ("query_x", lambda: run.predict(trajectory, value)),
        ("support_x", lambda: Ensemble((run,)).adapt(value, X)),
    ):
        with pytest.raises(BadInput, match=rf"^{name} must be numbers of shape \(points, 1\).*{why}") as error:
            hand_over()
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 160


def test_points_must_lie_where_the_weights_are(run: Run):
    elsewhere = dataclasses.replace(run, params=tree_map(lambda leaf: leaf.to("meta"), run.params))
    with pytest.raises(BadInput, match="on meta as the weights are; cpu was given"):
        elsewhere.adapt(TENSOR, TENSOR)


@pytest.mark.parametrize("path", [5, None, b"checkpoints", ["a"], 1.5, object()])
def test_a_folder_is_given_by_its_path(path: object):
    with pytest.raises(BadRun, match=r"^A run folder is given by its path; .* is none\.$"):
        engine.load(path)


@pytest.mark.parametrize("path", ["a" * 5000, "a\0b", "~nobody-of-this-name/x", ""])
def test_a_folder_that_cannot_be_is_one_sentence(path: str):
    with pytest.raises(BadRun) as error:
        engine.load(path)
    assert len(str(error.value)) < 200
    assert "\n" not in str(error.value)


def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(SHIPPED / "maml-k5-s0", tmp_path / "mine" / "maml-k5-s0")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert engine.load("~/mine/maml-k5-s0").path == tmp_path / "mine" / "maml-k5-s0"
    assert len(list(engine.find("~/mine"))) == 1


@pytest.mark.parametrize("name", ["maml-k5-s0", "op-lstm-k5-s0", "sap-k5-s0", "t-net-k5-s0", "lstm-k5-s0"])
def test_numbers_do_not_depend_on_the_default_type(name: str):
    expected = engine.load(SHIPPED / name)
    before = expected.predict(expected.adapt(X, X), X)
    torch.set_default_dtype(torch.float64)
    try:
        run = engine.load(SHIPPED / name)
        assert torch.equal(run.predict(run.adapt(X, X), X), before)
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_learner_that_diverges_says_so(run: Run):
    trajectory = run.adapt(X, 1e6 * X)
    said = (
        r"MAML diverged on these points: after 10 inner steps 5 of 5 predictions are not finite\. Gradient steps grow"
    )
    with pytest.warns(RuntimeWarning, match=said):
        run.predict(trajectory, X)
    run.predict(trajectory, X, step=0)  # warnings are errors in tests


@pytest.mark.parametrize("text", ["None", "none", "null", " null "])
def test_none_is_written_as_python_or_json_do(text: str):
    assert parse_settings((f"inner_clip={text}",)) == {"inner_clip": None}
    assert engine.make("maml", **parse_settings((f"inner_clip={text}",))).inner_clip is None
    with pytest.raises(BadConfig, match="cannot take inner_lr = None: input should be a valid number"):
        engine.make("maml", **parse_settings((f"inner_lr={text}",)))
