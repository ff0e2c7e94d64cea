"""The one recipe on targets whose answer is known, and the probe against the same question asked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.evaluation import held_out_tasks, step_scores
from engine.tasks import GaussianClasses, Sine
from probes import asking
from probes.questions import broadness
from tests.probes.questions.test_diversity import changed, ensemble

SMALL = {"frequencies": (1.0, 3.0), "functions": 3, "points": 40, "adapted": 2, "tasks": 20, "places": 4}
RNG = np.random.default_rng(0)


def test_a_linear_target_is_recovered():
    features = RNG.normal(size=(120, 10)) * np.logspace(-3, 3, 10) + 5
    targets = features @ np.diag(np.logspace(3, -3, 10)) @ RNG.normal(size=(10, 4)) - 2
    assert broadness.decoded(features, targets) == pytest.approx(np.ones(4), abs=1e-6)


def test_what_features_do_not_hold_is_not_read_off():
    features, targets = RNG.normal(size=(300, 20)), RNG.normal(size=(300, 5))
    assert broadness.decoded(features, targets).max() < 0.05
    assert broadness.decoded(features, targets).min() == 0, "worse than a constant counts as 0"


def test_half_of_a_target_is_half_of_its_variance():
    features = RNG.normal(size=(4000, 3))
    target = features[:, :1] + RNG.normal(size=(4000, 1))
    assert broadness.decoded(features, target) == pytest.approx([0.5], abs=0.04)


def test_the_recipe_does_not_see_what_it_is_scored_on():
    """As many features as points fit any target where it was seen, and tell nothing where it was not."""
    features, target = RNG.normal(size=(60, 60)), RNG.normal(size=(60, 1))
    assert broadness.decoded(features, target)[0] < 0.1


def test_the_same_recipe_for_features_of_any_scale():
    features, target = RNG.normal(size=(80, 5)), RNG.normal(size=(80, 1))
    target += features[:, :1]
    assert broadness.decoded(1000 * features + 7, target) == pytest.approx(
        broadness.decoded(features, target), rel=1e-9
    )


def test_fresh_functions_are_waves_of_their_frequency():
    x = np.linspace(-5, 5, 50)
    config = broadness.Config(frequencies=(1.0, 2.5), functions=3)
    waves = broadness.fresh_functions(config, x)
    assert waves.shape == (50, 6)
    for column, frequency in enumerate([1.0, 1.0, 1.0, 2.5, 2.5, 2.5]):
        basis = np.stack([np.sin(frequency * x), np.cos(frequency * x)], 1)
        left = waves[:, column] - basis @ np.linalg.lstsq(basis, waves[:, column], rcond=None)[0]
        assert np.abs(left).max() < 1e-12
    assert not np.allclose(waves[:, 0], waves[:, 1])


def test_the_probe_asks_what_it_says():
    made = ensemble("maml", steps=2, test_steps=2)
    found = asking.ask("broadness", [changed(made, 0.05)], SMALL)
    assert [(one.layer, one.moment, one.control) for one in found.layers[:5]] == [
        ("hidden 1", "before", False),
        ("hidden 1", "after", False),
        ("hidden 2", "before", False),
        ("hidden 2", "after", False),
        ("prediction", "after", False),
    ]
    last = found.layers[2]
    assert last.functions.shape == (2, 2)
    assert found.runs.broadness == pytest.approx(last.functions.mean(1))
    x = broadness.inputs(made.distribution, 40)
    for seed, run in enumerate(changed(made, 0.05).runs):
        features = run.learner.features(run.params, {"net": run.params["net"]}, x)["hidden 2"].double().numpy()
        waves = broadness.fresh_functions(broadness.Config(**{**SMALL}), x.double().numpy()[:, 0])
        alone = broadness.decoded(features, waves).reshape(2, 3).mean(1)
        assert last.functions[seed] == pytest.approx(alone, abs=1e-4)
        tasks = held_out_tasks(run.distribution, 20)
        near, limit = step_scores(run.learner, run.params, tasks).losses[:, -1], 100 * tasks.query_y.square().mean()
        assert found.runs.near[seed] == pytest.approx(float(near[near <= limit].mean()), rel=1e-4)
        assert found.runs.diverged[seed, 0] == int((near > limit).sum())
    assert (found.runs.learner, found.runs.seed) == (["maml", "maml"], [0, 1])


def test_tasks_that_diverge_are_counted_and_left_out_of_the_errors(monkeypatch):
    def wild(learner, params, tasks):
        return torch.where(tasks.query_y.mean((1, 2)) > 0, float("nan"), 2.0)

    monkeypatch.setattr("engine.evaluation.final_errors", wild)
    found = asking.ask("broadness", [ensemble("maml", seeds=1, steps=1, test_steps=1)], SMALL)
    assert found.runs.near.tolist() == found.runs.far.tolist() == [2.0]
    assert (found.runs.diverged > 0).all()
    assert (found.runs.diverged < 20).all()


def test_a_body_that_stays_holds_nothing_of_the_task_but_its_predictions_do():
    found = asking.ask("broadness", [ensemble("finetuning", seeds=1, inner_lr=0.05)], {**SMALL, "tasks": 150})
    by = {(one.layer, one.control): one.parameters for one in found.layers if one.moment == "after"}
    assert np.abs(by["hidden 2", False]).max() < 1e-6
    assert by["prediction", False].max() > 0.01
    assert found.truth.min() > 0.2


def test_the_control_is_not_the_trained_learner():
    """A trained body that passes nothing on reads nothing off; its control is as it was drawn."""
    made = ensemble("maml", seeds=1, steps=1, test_steps=1)
    run = made.runs[0]
    run.params["net"]["weight2"] = run.params["net"]["weight2"] * 0
    found = asking.ask("broadness", [made], SMALL)
    by = {one.control: one.functions for one in found.layers if (one.layer, one.moment) == ("hidden 2", "before")}
    assert by[False].max() == 0
    assert by[True].max() > 0.1


def test_only_sine_waves_have_fresh_functions():
    made = ensemble("maml")
    assert broadness.PROBE.applies(made) is None
    other = type(made)(tuple(type(r)(r.path, r.learner, GaussianClasses(), r.params, r.record) for r in made.runs))
    assert "gaussian-classes" in (broadness.PROBE.applies(other) or "")
    assert isinstance(made.distribution, Sine)
