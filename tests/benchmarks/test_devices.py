"""Both ways of the benchmark compute the same, and it says where there is no GPU."""

import pytest
import torch

from engine.networks import MLP
from tests.benchmarks import devices

SMALLER = {"maml": {"steps": 2}, "sap": {"steps": 2, "ranks": (2,)}, "op-lstm": {"steps": 2}}


@pytest.mark.parametrize("learner", list(SMALLER))
def test_all_at_once_and_one_by_one_are_the_same_gradient(learner, monkeypatch):
    monkeypatch.setattr(devices, "ROUNDS", 1)
    monkeypatch.setattr(devices, "SHOTS", 5)
    rows = devices.measure(
        learner, 2, "cpu", 0.0, compiled=False, network=MLP((9, 9)), **SMALLER[learner]
    )  # ends the program where they differ
    assert [row["way"] for row in rows] == ["vmapped", "loop", "recorded"]
    assert all(row["tasks_per_s"] > 0 and row["calls"] == devices.ROUNDS for row in rows)
    assert "vmapped" in devices.report(rows)
    monkeypatch.setattr(devices, "TOLERANCE", -1.0)
    with pytest.raises(SystemExit, match="of its length away from the loop's"):
        devices.measure(learner, 2, "cpu", 0.0, compiled=False, network=MLP((9, 9)), **SMALLER[learner])


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.devices("auto") == ["cpu"]
    assert capsys.readouterr().err == "No GPU here: the processor alone.\n"
    with pytest.raises(SystemExit):
        devices.devices("cuda")
    assert devices.devices("cpu") == ["cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.devices("auto") == ["cpu", "cuda"]
