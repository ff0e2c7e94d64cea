"""Costs of meta-gradients: exponents of made-up data, three ways to one gradient, memory that is known, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Sine, make
from engine.networks import MLP
from engine.tasks import stream
from engine.trees import tree_map
from probes import cli
from probes.questions import meta_gradients
from probes.tools import cost
from probes.tools.losses import double

ROOT = Path(__file__).resolve().parents[3]


def case(**settings: object):
    learner = make("maml", **({"network": MLP((6, 5)), "steps": 3, "inner_lr": 0.05} | settings))
    params = double(learner.init(stream("init"), Sine.spec))
    tasks = double(Sine(shots=6, queries=9).sample(stream("test"), 1))
    return learner, params, tasks, tree_map(lambda v: v[0], tasks)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float):
    n = np.logspace(3, 6, 7)
    p, low, high, c = cost.exponent(n, 3e-7 * n**power)
    assert (p, c) == (pytest.approx(power, abs=1e-12), pytest.approx(3e-7, rel=1e-9))
    assert high - low < 1e-6


def test_the_interval_of_an_exponent_covers_it_as_often_as_it_says():
    rng, n, hits = np.random.default_rng(0), np.logspace(3, 6, 9), 0
    for _ in range(400):
        _, low, high, _ = cost.exponent(n, 1e-6 * n**1.2 * np.exp(0.2 * rng.normal(size=9)))
        hits += low <= 1.2 <= high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # PyTorch's own, at its first hessian
def test_written_out_hessians_give_the_gradient_that_differentiating_through_gives():
    learner, params, tasks, task = case()
    through, explicit = cost.through(learner, params, task), cost.explicit(learner, params, task)
    torch.testing.assert_close(explicit, through, rtol=1e-9, atol=1e-12)
    expected = meta_gradients.meta_gradient(learner, params, tasks, first_order=False)
    torch.testing.assert_close(through, expected, rtol=1e-9, atol=1e-12)


def test_first_order_is_another_gradient():
    learner, params, _, task = case(first_order=True)
    exact = case()[0]
    assert not torch.allclose(cost.through(learner, params, task), cost.through(exact, params, task), rtol=1e-3)


def test_the_peak_is_what_is_held_at_once():
    def held() -> None:
        a = torch.zeros(100_000)  # 0.4 MB
        b = torch.zeros(50_000)  # and 0.2 MB beside it
        del a, b
        torch.zeros(120_000)

    assert cost.peak_bytes(held) == pytest.approx(600_000, rel=0.01)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_only_written_out_hessians_hold_a_matrix():
    """N^2 numbers of 8 bytes are held by one way and not by the others."""
    learner, params, _, task = case(network=MLP((16, 16)))
    n = 16**2 + 4 * 16 + 1
    peaks = [cost.peak_bytes(lambda way=way: way(learner, params, task)) for way in (cost.through, cost.explicit)]
    assert peaks[0] < 8 * n * n < peaks[1]


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_the_command_writes_what_the_page_reads(tmp_path, capsys):
    sizes = {"maml": "[4,8,12]", "turtle": "[4]", "explicit": "[3,4,5]"}
    settings = [*(f"{k}={v}" for k, v in sizes.items()), "repeats=1", "fit_span=1e6"]
    out = tmp_path / "cost.json"
    threads = torch.get_num_threads()
    try:
        assert cli.main(["cost", "--out", str(out), *(part for s in settings for part in ("--set", s))]) == 0
    finally:
        torch.set_num_threads(threads)
    found = json.loads(out.read_text())
    assert set(found["machine"]) == {"processor", "cores", "threads", "python", "torch"}
    assert [(p["learner"], p["way"], p["n"]) for p in found["points"][:4]] == [
        ("maml", "first-order", 33),
        ("maml", "first-order", 97),
        ("maml", "first-order", 193),
        ("maml", "exact", 33),
    ]
    assert {(f["way"], f["cost"]) for f in found["fits"]} == {
        (way, of) for way in cost.WAYS for of in ("seconds", "peak_bytes")
    }
    assert all(f["points"] == 3 for f in found["fits"])


def test_the_shipped_measurement_covers_the_sizes_that_it_should():
    path = ROOT / "checkpoints" / "cost" / "cpu.json"
    found = json.loads(path.read_text())
    n = [p["n"] for p in found["points"] if (p["learner"], p["way"]) == ("maml", "exact")]
    assert min(n) < 2_000
    assert max(n) > 900_000
    assert not [text for text in path.read_text().split('"') if "/" in text], "no paths"
