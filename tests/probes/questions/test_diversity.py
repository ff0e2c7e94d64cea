"""Measures of diversity on features whose answer is known, and the probe against one run and task at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Run, Sine, make
from engine.learners import LEARNERS
from engine.networks import MLP
from engine.runs.ensembles import Ensemble
from engine.tasks import stream
from engine.trees import tree_map
from probes import asking
from probes.needs import HiddenLayers
from probes.questions import diversity
from probes.tools.representations import inputs, represent, tasks_of, untrained

REGRESSORS = [name for name, cls in LEARNERS.items() if "regression" in cls.kinds]


def with_spectrum(s: list[float], rows: int = 30, seed: int = 0) -> np.ndarray:
    """Features (rows, len(s)) with column means 0 and exactly these singular values, in a random orientation."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(rows, len(s)))
    left, _ = np.linalg.qr(raw - raw.mean(0))
    right, _ = np.linalg.qr(rng.normal(size=(len(s), len(s))))
    return left * np.array(s) @ right.T


def changed(made: Ensemble, by: float) -> Ensemble:
    """The same runs, as if training had moved every weight."""
    moved = [tree_map(lambda leaf: leaf + by, run.params) for run in made.runs]
    return Ensemble(
        tuple(
            Run(run.path, run.learner, run.distribution, p, run.record) for run, p in zip(made.runs, moved, strict=True)
        )
    )


def ensemble(name: str, seeds: int = 2, **settings: object) -> Ensemble:
    """Untrained seeds of one learner."""
    learner = make(name, **settings)
    params = [learner.init(stream("init", seed), Sine.spec) for seed in range(seeds)]
    return Ensemble(
        tuple(Run(Path(f"{name}-{i}"), learner, Sine(shots=3), p, {"seed": i}) for i, p in enumerate(params))
    )


@pytest.mark.parametrize("d", [1, 3, 8])
def test_equal_singular_values_use_every_direction(d: int):
    found = diversity.measures(with_spectrum([2.5] * d) + 7.0)
    assert found["effective_rank"] == pytest.approx(d, abs=1e-9)
    assert found["participation_ratio"] == pytest.approx(d, abs=1e-9)
    assert found["spectrum"] == pytest.approx(np.ones(d), abs=1e-9)


def test_one_direction_is_a_rank_of_one():
    found = diversity.measures(with_spectrum([3.0, 0.0, 0.0, 0.0]))
    assert found["effective_rank"] == pytest.approx(1, abs=1e-9)
    assert found["participation_ratio"] == pytest.approx(1, abs=1e-9)


def test_both_ranks_by_hand():
    """Shares 1/2, 1/4, 1/4: entropy 1.5 log 2. Variances 4, 1, 1: 36 / 18."""
    found = diversity.measures(with_spectrum([2.0, 1.0, 1.0]))
    assert found["effective_rank"] == pytest.approx(2**1.5, abs=1e-9)
    assert found["participation_ratio"] == pytest.approx(2, abs=1e-9)


def test_ranks_ignore_scale_shift_and_rotation():
    features = with_spectrum([5.0, 2.0, 0.5, 0.1])
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))
    a, b = diversity.measures(features), diversity.measures(1e-3 * features @ rotation + [4.0, 3.0, 2.0, 1.0])
    for name in ("effective_rank", "participation_ratio"):
        assert a[name] == pytest.approx(b[name], rel=1e-8)


def test_singular_values_are_those_of_the_centred_matrix():
    features = np.random.default_rng(2).normal(size=(3, 20, 6)) + 2.0
    expected = np.linalg.svd(features - features.mean(1, keepdims=True), compute_uv=False)
    assert diversity.singular_values(features) == pytest.approx(expected, rel=1e-10)


def test_features_that_never_change_have_rank_0():
    found = diversity.measures(np.full((9, 4), 0.3))
    assert (found["effective_rank"], found["participation_ratio"], found["dead"]) == (0, 0, 1)
    assert found["cosine"] == pytest.approx(1)


def test_dead_units_of_a_constructed_network_are_counted():
    """Of 8 hidden units, 3 see -1 |x| - 5 < 0 everywhere, one is always on but constant, 4 are alive."""
    learner = make("maml", network=MLP((8,)))
    net = learner.init(stream("init"), Sine.spec)["net"]
    net["weight1"] = torch.tensor([[-0.5], [0.5], [0.1], [0.0], [1.0], [-1.0], [2.0], [-0.3]])
    net["bias1"] = torch.tensor([-5.0, -5.0, -5.0, 2.0, 0.0, 0.0, 1.0, 0.0])
    features = learner.features({"net": net}, {"net": net}, torch.linspace(-5, 5, 50).unsqueeze(-1))["hidden 1"]
    assert diversity.dead(features.double().numpy()) == 4 / 8


def test_the_cosine_is_the_mean_over_pairs():
    features = np.random.default_rng(3).normal(size=(6, 3)) + 0.5
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = np.mean([rows[i] @ rows[j] for i in range(6) for j in range(6) if i != j])
    assert diversity.mean_cosine(features) == pytest.approx(expected, rel=1e-12)
    with_blank = np.concatenate([features, np.zeros((2, 3))])
    assert diversity.mean_cosine(with_blank) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(diversity.mean_cosine(np.zeros((4, 3))))


@pytest.mark.parametrize("name", REGRESSORS)
def test_the_probe_equals_a_loop_over_runs_and_tasks(name: str):
    made = ensemble(name)
    if HiddenLayers()(made):
        pytest.skip(f"{name} has no hidden layers")
    found = asking.ask("diversity", [made], {"tasks": 3, "points": 15})
    x, (tasks, _) = inputs(made.distribution, 15), tasks_of(made.distribution, 3)
    after = [layer for layer in found.layers if layer.moment == "after" and not layer.control]
    for layer in after:
        for index, run in enumerate(made.runs):
            ranks = []
            for task in range(3):
                final = run.adapt(tasks.support_x[task], tasks.support_y[task])[-1]
                seen = run.learner.features(run.params, final, x)[layer.layer].double().numpy()
                ranks.append(diversity.measures(seen)["participation_ratio"])
            assert layer.participation_ratio[index] == pytest.approx(np.mean(ranks), rel=1e-3)
    assert {layer.layer for layer in after} == {layer.layer for layer in found.layers}
    assert len(found.layers) == 4 * len(after)


def test_the_control_is_the_learner_as_drawn_for_the_seed():
    made = ensemble("maml")
    for a, b in zip(found_layers(made), found_layers(changed(made, 0.1)), strict=True):
        same = np.allclose(a.effective_rank, b.effective_rank, rtol=1e-6)
        assert same == a.control
    first, second = untrained(made)["net"]["weight1"]
    assert torch.equal(first, made.runs[0].params["net"]["weight1"])
    assert not torch.equal(first, second)


def found_layers(made: Ensemble) -> list[diversity.Layer]:
    return asking.ask("diversity", [made], {"tasks": 2, "points": 20}).layers


def test_before_adaptation_the_task_does_not_matter():
    made = ensemble("finetuning", test_steps=3)
    tasks, parameters = tasks_of(made.distribution, 4)
    assert set(parameters) == {"amplitude", "phase"}
    layers = represent(made.learner, made.params, tasks, inputs(made.distribution, 9), (0, -1), predictions=True)
    assert list(layers) == ["hidden 1", "hidden 2", "prediction"]
    assert np.array_equal(layers["hidden 2"][:, 0, 0], layers["hidden 2"][:, 3, 0])
    assert np.array_equal(layers["hidden 2"][:, :, 0], layers["hidden 2"][:, :, 1]), "the body is frozen"
    assert not np.allclose(layers["prediction"][:, 0, 1], layers["prediction"][:, 1, 1])


def test_a_learner_without_hidden_layers_is_told_apart():
    made = ensemble("maml")
    blind = type("Blind", (type(made.learner),), {"features": lambda *_: {}})()
    runs = tuple(Run(run.path, blind, run.distribution, run.params, run.record) for run in made.runs)
    assert diversity.PROBE.applies(made) is None
    assert diversity.PROBE.applies(Ensemble(runs)) == "MAML has no hidden layers to look at."
