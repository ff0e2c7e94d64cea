"""Every probe computes on another device what it computes on the processor; `tests.elsewhere` stands for a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.execution.devices import on
from engine.learners import make
from engine.networks import MLP
from engine.runs.run import describe, save
from engine.tasks import Sine, stream
from probes import PROBES, asking
from probes.cli import main
from probes.tools import scoring
from tests.elsewhere import DEVICE, Elsewhere, machine

SINE = Sine(shots=4, queries=6)
NETWORK = {"network": MLP((6, 5)), "steps": 2, "test_steps": 3}
LEARNERS: dict[str, dict[str, Any]] = {
    "maml": NETWORK,
    "op-lstm": {"network": MLP((6, 5), output_bias=True), "steps": 2},
    "turtle": {"network": MLP((6, 5)), "steps": 2},
    "sap": {"network": MLP((5,)), "steps": 1, "test_steps": 2, "ranks": (2,)},
    "lstm": {},
}
FEW: dict[str, dict[str, Any]] = {
    "behaviour": {"tasks": 4, "steps": 3},
    "shots": {"tasks": 4, "shots": [2, 5]},
    "shift": {"tasks": 4},
    "heads": {"tasks": 4, "steps": 2},
    "diversity": {"tasks": 3, "points": 12},
    "broadness": {"frequencies": [1.0, 3.0], "functions": 2, "points": 20, "adapted": 2, "tasks": 20, "places": 3},
    "similarity": {"tasks": 3, "points": 12, "kernels": True},
    "maps": {"tasks": 10, "places": 5, "neighbours": 3},
    "meta-gradients": {"groups": 2, "batch": 2, "curved": 1, "groups_kept": 1, "curved_kept": 1, "vectors": 2},
    "updates": {"tasks": 4, "tasks_along": 3},
    "landscape": {"size": 5},
    "curvature": {"top": 2, "vectors": 3, "spectra": 1, "lanczos": 5, "ascent": 2, "tasks": 2},
    "rule": {"fitted_on": 4, "tasks": 4, "grid": 5},
    "blackbox": {"tasks": 4, "shots": [2, 5], "points": 7, "steps": [3], "ordered": 2, "orders": 4},
    "memory": {"tasks": 20},
    "subspace": {"tasks": 5},
    "moving": {"tasks": 5},
    "attribution": {"orders": 2, "steps": 3},
    "shares": {"tasks": 2, "inputs": 5},
}
ONLY = {  # the stand-in is slow
    "meta-gradients": ("maml",),
    "curvature": ("maml", "turtle"),
    "broadness": ("maml", "op-lstm"),
    "shares": ("maml", "lstm"),
}


class OneByOne:
    """In the place of a pool: the stand-in for a device exists in the thread that switched it on."""

    def __init__(self, workers: int):
        pass

    def map(self, function, over) -> Iterator[Any]:
        return map(function, over)

    def shutdown(self, **_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    root, found = tmp_path_factory.mktemp("runs"), []
    for name, settings in LEARNERS.items():
        learner = make(name, **settings)
        for seed in range(2):
            found.append(root / f"{name}-{seed}")
            save(found[-1], learner.init(stream("init", seed), SINE.spec), describe(learner, SINE, seed))
    return found


def asked(name: str, folders: list[Path]) -> Any:
    applies = asking.find(name).applies
    chosen = [folder for folder in folders if folder.name.rpartition("-")[0] in ONLY.get(name, LEARNERS)]
    ensembles = [ensemble for ensemble in asking.gather(chosen) if applies(ensemble) is None]
    return asking.plain(asking.ask(name, ensembles, FEW[name]))


@pytest.mark.parametrize("name", list(PROBES))
def test_a_probe_says_the_same_there(name: str, folders: list[Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "ThreadPoolExecutor", OneByOne)
    right = asked(name, folders)
    with machine(), on(DEVICE.type):
        same(asked(name, folders), right)


def same(found: Any, right: Any) -> None:
    """Equal up to rounding, which the order of operations within one decides."""
    if isinstance(right, dict):
        assert list(found) == list(right)
        for key, value in right.items():
            same(found[key], value)
    elif isinstance(right, list):
        assert len(found) == len(right)
        for one, other in zip(found, right, strict=True):
            same(one, other)
    elif isinstance(right, float) and found is not None:
        assert found == pytest.approx(right, rel=1e-4, abs=1e-7)
    else:
        assert found == right


def test_the_stand_in_keeps_apart_as_a_gpu_does():
    """So that the tests above can fail."""
    with machine():
        there, here = torch.arange(3.0).to(DEVICE), torch.ones(3)
        assert isinstance(there, Elsewhere)
        assert (there + 1).cpu().tolist() == [1.0, 2.0, 3.0]
        with pytest.raises(RuntimeError, match="two devices"):
            there + here
        with pytest.raises(RuntimeError):
            there.numpy()
        with on(DEVICE.type):
            assert isinstance(torch.zeros(3) + there, Elsewhere)
            assert there.numpy().tolist() == np.asarray(there).tolist() == [0.0, 1.0, 2.0]


def test_draws_are_those_of_the_processor_and_what_is_loaded_lies_there(folders: list[Path]):
    right = SINE.sample(stream("test"), 3)
    with machine(), on(DEVICE.type):
        drawn = SINE.sample(stream("test"), 3)
        assert all(isinstance(value, Elsewhere) for value in drawn)
        assert all(torch.equal(value.cpu(), other) for value, other in zip(drawn, right, strict=True))
        assert isinstance(asking.gather(folders[:1])[0].params["net"]["weight1"], Elsewhere)
    assert not isinstance(asking.gather(folders[:1])[0].params["net"]["weight1"], Elsewhere)


def test_a_device_that_is_not_there_is_refused(folders: list[Path], capsys):
    for device, said in (("tpu", "must be auto, cpu or cuda"), ("cuda", "finds no GPU here")):
        if device == "cuda" and torch.cuda.is_available():
            continue
        assert main(["moving", "--run", str(folders[0]), "--device", device]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", list(PROBES))
def test_a_probe_runs_on_a_gpu(name: str, folders: list[Path]):
    with on("cuda"):
        asked(name, folders)
