"""Tasks of the live page: points on their function, noise as said, presets that show what they say."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.scenes import scene_of
from dashboard.widgets.state import X_DOMAIN, View, to_query
from engine.tasks import Sine

SCENE = scene_of(Sine())


def test_points_follow_from_the_number_of_the_task():
    assert SCENE.draw(View(task=3)) == SCENE.draw(View(task=3))
    assert SCENE.draw(View(task=3)).points != SCENE.draw(View(task=4)).points


@pytest.mark.parametrize("shots", [5, 10])
def test_points_lie_on_the_true_function(shots: int):
    points = SCENE.points(View(shots=shots, values={"amplitude": 2.5, "phase": 1.1, "frequency": 2.0}))
    assert points.shape == (shots, 2)
    assert np.abs(points[:, 1] - 2.5 * np.sin(2.0 * points[:, 0] + 1.1)).max() < 2.5 * 2.0 * 0.0005 + 0.0005 + 1e-12


def test_noise_is_of_its_standard_deviation_and_changes_no_input():
    exact = [SCENE.points(View(task=task, shots=10)) for task in range(100)]
    noisy = [SCENE.points(View(task=task, shots=10, values={"noise": 1.0})) for task in range(100)]
    differences = np.concatenate([a - b for a, b in zip(noisy, exact, strict=True)])
    assert not differences[:, 0].any()
    assert differences[:, 1].std() == pytest.approx(1.0, abs=0.08)


def test_a_new_task_is_one_of_training():
    for number in range(50):
        view = SCENE.new_task(View(values={"amplitude": 9.0, "frequency": 3.0, "noise": 2.0}, on=("maml",)), number)
        values = SCENE.values(view)
        assert 0.1 <= values["amplitude"] <= 5
        assert 0 <= values["phase"] <= 3.15
        assert (values["frequency"], values["noise"], view.task, view.on) == (1.0, 0.0, number, ("maml",))


@pytest.mark.parametrize("title", list(SCENE.presets))
@pytest.mark.parametrize("shots", [5, 10])
def test_a_preset_shows_what_it_says(title: str, shots: int):
    before = View(shots=shots, on=("maml",), step=3, values={"amplitude": 1.0})
    view = SCENE.apply(before, title)
    preset = SCENE.presets[title]
    assert (view.shots, view.on, view.step) == (shots, ("maml",), 3)
    assert SCENE.values(view) == preset.values
    points = SCENE.points(view)
    assert len(points) == shots
    residual = np.abs(points[:, 1] - SCENE.true_function(view, points[:, 0]))
    low, high = preset.side or X_DOMAIN
    assert (points[:, 0] >= low).all()
    assert (points[:, 0] <= high).all()
    if preset.outlier:
        assert sorted(residual > 1) == [False] * (shots - 1) + [True]
        assert residual.max() == pytest.approx(preset.outlier, abs=0.01)
    elif preset.values["noise"]:
        assert (residual > 0.05).any()
    else:
        assert residual.max() < 0.01
    assert preset.look_for.endswith(("?", "."))


def test_presets_differ():
    drawn = [to_query(SCENE.apply(View(), title), SCENE.bounds) for title in SCENE.presets]
    assert all(drawn.count(one) == 1 for one in drawn)
