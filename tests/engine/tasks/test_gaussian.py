"""Gaussian classes: balanced, class by class around its own mean, and as hard as the spread says."""

import numpy as np
import pytest
import torch
from scipy import stats

from engine.configure import configure
from engine.errors import BadConfig
from engine.tasks import Classes, GaussianClasses, Numbers, TaskSpec, stream


def test_shapes_and_balance():
    task, hidden, _ = GaussianClasses(ways=4, shots=3, queries=6, dimensions=7).draw(stream("test"), 20)
    means = hidden["means"]
    assert means.shape == (20, 4, 7)
    assert (task.support_x.shape, task.query_x.shape) == ((20, 12, 7), (20, 24, 7))
    for y, of_each in ((task.support_y, 3), (task.query_y, 6)):
        assert y.dtype == torch.int64
        assert all(torch.equal(row.bincount(minlength=4), torch.full((4,), of_each)) for row in y)


def test_labels_come_in_random_order():
    """Not sorted by class: consecutive slices must be random batches, and the position must not tell the class."""
    y = GaussianClasses(ways=2, shots=5).sample(stream("test"), 2000).support_y
    assert y.double().mean(0).numpy() == pytest.approx(np.full(10, 0.5), abs=0.05)
    assert len({tuple(row) for row in y.tolist()}) == 252  # all of the 10-choose-5 orders


def test_points_are_their_class_mean_plus_noise_of_the_stated_spread():
    task, hidden, _ = GaussianClasses(ways=3, shots=50, dimensions=4, scale=2.0, spread=0.7).draw(stream("test"), 200)
    means = hidden["means"]
    gaps = torch.cat(
        [task.support_x[i] - means[i][task.support_y[i]] for i in range(200)]
        + [task.query_x[i] - means[i][task.query_y[i]] for i in range(200)]
    )
    assert stats.kstest(gaps.flatten().numpy() / 0.7, "norm").pvalue > 0.001
    assert stats.kstest(means.flatten().numpy() / 2.0, "norm").pvalue > 0.001


def test_means_are_new_in_every_task_and_no_point_comes_twice():
    task, hidden, _ = GaussianClasses().draw(stream("test"), 30)
    means = hidden["means"]
    assert len(means.reshape(-1, 2).unique(dim=0)) == 150
    assert len(torch.cat([task.support_x, task.query_x], 1).reshape(-1, 2).unique(dim=0)) == 30 * 5 * 20


@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0])
def test_two_classes_are_as_hard_as_the_spread_says(spread):
    """The nearest of two known means errs with probability Phi(-|mu_1 - mu_0| / (2 spread))."""
    task, hidden, _ = GaussianClasses(ways=2, queries=100, spread=spread).draw(stream("test"), 1000)
    means = hidden["means"]
    wrong = torch.cdist(task.query_x, means).argmin(-1) != task.query_y
    expected = stats.norm.cdf(-(means[:, 0] - means[:, 1]).norm(dim=-1).numpy() / (2 * spread)).mean()
    assert float(wrong.double().mean()) == pytest.approx(expected, abs=0.005)


def test_the_spec_follows_the_parameters():
    assert GaussianClasses(ways=7, dimensions=3).spec == TaskSpec(Numbers(3), Classes(7))
    assert GaussianClasses().spec == TaskSpec(Numbers(2), Classes(5))


def test_one_way_is_refused():
    with pytest.raises(BadConfig, match="The task gaussian-classes cannot take ways = 1"):
        configure(GaussianClasses, {"ways": 1}, "task gaussian-classes")
