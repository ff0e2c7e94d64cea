"""Evaluation: the stated errors on the same tasks for all, and intervals that mean what they say."""

import numpy as np
import pytest
import torch
from scipy import stats

from engine.evaluation import (
    diverged,
    estimate,
    final_errors,
    held_out_tasks,
    knowing_nothing,
    left_out,
    mean_errors,
    spoken,
    step_scores,
)
from engine.learners import make
from engine.tasks import GaussianClasses, Sine, stream
from engine.trees import tree_map


def test_losses_are_the_query_mse_after_each_step(learner, monkeypatch):
    monkeypatch.setattr("engine.evaluation.CHUNK", 3)  # the last chunk is smaller
    params, tasks = learner.init(stream("init"), Sine.spec), held_out_tasks(Sine(shots=4), 7)
    errors = step_scores(learner, params, tasks, 2).losses
    assert errors.shape == (7, 3)
    one = tree_map(lambda v: v[5], tasks)
    trajectory = learner.adapt(params, one.support_x, one.support_y, 2)
    for step, state in enumerate(trajectory):
        gap = learner.predict(params, state, one.query_x) - one.query_y
        torch.testing.assert_close(errors[5, step], gap.square().mean(), rtol=1e-4, atol=1e-5)


def test_final_errors_are_the_last_ones_to_the_bit(learner, monkeypatch):
    monkeypatch.setattr("engine.evaluation.CHUNK", 3)
    params, tasks = learner.init(stream("init"), Sine.spec), held_out_tasks(Sine(shots=4), 7)
    assert torch.equal(final_errors(learner, params, tasks), step_scores(learner, params, tasks).losses[:, -1])


def test_means_of_several_learners_are_over_the_tasks_on_which_none_diverges(monkeypatch):
    nan, inf = float("nan"), float("inf")
    losses = {"one": [1.0, nan, 3.0, 4.0, 5.0], "other": [2.0, 2.0, inf, 4.0, 1001.0]}  # more than 100 times 10
    monkeypatch.setattr("engine.evaluation.final_errors", lambda name, *_: torch.tensor(losses[name]))
    assert mean_errors(["one", "other"], None, None, 10.0) == ([2.5, 3.0], 3)
    assert mean_errors(["one"], None, None, 10.0) == ([3.25], 1)
    means, left = mean_errors(["one"], None, None, 0.001)
    assert np.isnan(means).all()
    assert left == 5


def test_scores_of_classes_are_cross_entropy_and_the_share_of_right_ones():
    learner, distribution = make("maml", steps=2, test_steps=2), GaussianClasses(ways=3, queries=4)
    params, tasks = learner.init(stream("init"), distribution.spec), held_out_tasks(distribution, 7)
    scores = step_scores(learner, params, tasks)
    assert scores.losses.shape == scores.accuracies.shape == (7, 3)
    one = tree_map(lambda v: v[5], tasks)
    for step, state in enumerate(learner.adapt(params, one.support_x, one.support_y)):
        logits = learner.predict(params, state, one.query_x)
        right = [int(logits[i].argmax()) == int(one.query_y[i]) for i in range(12)]
        assert float(scores.accuracies[5, step]) == pytest.approx(np.mean(right))
        expected = torch.nn.functional.cross_entropy(logits, one.query_y)
        torch.testing.assert_close(scores.losses[5, step], expected, rtol=1e-4, atol=1e-5)
    assert scores.measure == "accuracy"
    assert scores.headline is scores.accuracies


def test_scores_of_numbers_have_no_accuracy():
    learner = make("maml", steps=2, test_steps=2)
    scores = step_scores(learner, learner.init(stream("init"), Sine.spec), held_out_tasks(Sine(), 3))
    assert (scores.accuracies, scores.measure) == (None, "mse")
    assert scores.headline is scores.losses


def test_everyone_meets_the_same_tasks_and_training_does_not():
    a, b = (held_out_tasks(Sine(), 10) for _ in range(2))
    assert torch.equal(a.query_x, b.query_x)
    assert not torch.equal(a.query_x, Sine().sample(stream("train"), 10).query_x)
    assert not torch.equal(a.query_x, Sine().sample(stream("validation"), 10).query_x)


def test_mean_interval_is_scipys_t_interval():
    values = np.random.default_rng(0).exponential(size=50)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = estimate(values)
    assert found.mean_interval == pytest.approx((expected.low, expected.high))
    assert found.ci95 == pytest.approx((expected.high - expected.low) / 2)


def test_median_interval_covers_the_median_95_times_in_100():
    rng = np.random.default_rng(1)
    intervals = [estimate(rng.exponential(size=101)).median_interval for _ in range(2000)]
    covered = np.mean([low <= np.log(2) <= high for low, high in intervals])
    assert 0.94 <= covered <= 0.99  # the exact interval is never too narrow


def test_what_diverged_is_left_out_of_the_mean_and_infinite_in_the_median():
    values = np.random.default_rng(2).exponential(size=60)
    away = np.zeros(60, bool)
    away[:4] = True
    values[0], values[1] = np.nan, np.inf  # two were finite, and diverged on the way
    found, kept = estimate(values, away), values[4:]
    assert (found.tasks, found.diverged) == (60, 4)
    assert found.mean == pytest.approx(kept.mean())
    interval = stats.ttest_1samp(kept, 0).confidence_interval(0.95)
    assert found.mean_interval == pytest.approx((interval.low, interval.high))
    assert found.median == pytest.approx(np.median([*kept, *[np.inf] * 4]))
    assert found.median > np.median(kept)
    assert estimate(values) == estimate(values, away & ~np.isfinite(values))  # what is not finite always diverged


def test_a_median_may_be_infinite_and_its_interval_half_so():
    values = np.array([*range(52), *[np.nan] * 48], float)
    found = estimate(values)
    assert (found.median, found.median_interval[1]) == (49.5, np.inf)
    assert np.isfinite(found.median_interval[0])
    found = estimate(np.full(5, np.nan))
    assert np.isnan([found.mean, found.ci95]).all()
    assert found.median == np.inf
    assert estimate(np.array([0.9, np.nan, np.nan]), worst=0.0).median == 0.0  # accuracies
    assert [spoken(value) for value in (found.mean, found.median, 0.5)] == ["none", "infinite", "0.5000"]
    assert [left_out(*counts) for counts in ((0, 9), (1, 9), (2, 2000), (9, 9))] == [
        "",
        "1 of 9 tasks diverged and is left out of the mean.",
        "2 of 2,000 tasks diverged and are left out of the mean.",
        "All 9 tasks diverged: there is no mean.",
    ]


def test_diverged_is_not_finite_or_in_the_end_a_hundred_times_as_wrong_as_knowing_nothing():
    losses = np.array([[3.0, 99.0], [101.0, 0.1], [np.nan, 0.1], [1.0, np.inf]])
    assert diverged(losses, 1.0).tolist() == [False, False, True, True]  # the second overshot, and came back
    assert diverged(losses[:, :1], 1.0).tolist() == [False, True, True, False]
    tasks = held_out_tasks(Sine(), 50)
    assert knowing_nothing(Sine(), tasks) == pytest.approx(float(tasks.query_y.square().mean()))


def test_the_argmax_of_nan_is_no_answer():
    learner, distribution = make("maml", steps=3, inner_lr=1e30), GaussianClasses(ways=3, queries=4)
    scores = step_scores(learner, learner.init(stream("init"), distribution.spec), held_out_tasks(distribution, 5))
    assert scores.losses[:, -1].isnan().all()
    assert scores.accuracies[:, -1].tolist() == [0.0] * 5
    assert scores.diverged(np.log(3)).all()
    assert scores.final(np.log(3)).diverged == 5
