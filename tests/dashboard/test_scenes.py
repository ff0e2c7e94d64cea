"""Scenes: what the live page knows of a task, against the task itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from dashboard.scenes import Scene, refusal, scene_of
from dashboard.scenes.stories import STORIES
from dashboard.widgets.state import MAX_POINTS, View, read_points, to_query, write_points
from engine.configure import configure
from engine.tasks import (
    LINE,
    GaussianClasses,
    Numbers,
    Polynomials,
    Sine,
    SineComposition,
    SineFamilies,
    Table,
    TaskSpec,
    Values,
    stream,
)
from engine.tasks.task import Drawn, Task, TaskDistribution

FUNCTIONS = [
    Sine(),
    Sine(noise=0.5, amplitude=(1.0, 20.0)),
    SineFamilies(),
    SineFamilies(varied=("phase",), ordered_grid=True),
    SineComposition(inputs=(0.0, 3.0)),
    Polynomials(order=3),
]


def csv(folder: Path, columns: tuple[str, ...] = ("x",), rows: int = 30) -> Path:
    """Six tasks whose x run from 100 to 900, and whose y from 300 to 700."""
    lines = [",".join(("task", *columns, "y", "split"))]
    for task, split in zip("abcdef", ("train", "train", "validation", "validation", "validation", "test"), strict=True):
        for row in range(rows):
            x = 100 + 800 * row / (rows - 1)
            y = 500 + 200 * math.sin(x / 200 + ord(task))
            lines.append(",".join([f"rat {task}", *[f"{x:.3f}"] * len(columns), f"{y:.4f}", split]))
    path = folder / "rats.csv"
    path.write_text("\n".join(lines))
    return path


def table(path: Path, **parameters: int) -> Table:
    """The task as the command line makes it."""
    return configure(Table, {"path": str(path), "shots": 4, "queries": 5, **parameters}, "task table")


@pytest.mark.parametrize("task", FUNCTIONS, ids=repr)
@pytest.mark.parametrize("number", [1, 7])
def test_a_new_task_is_a_draw_of_the_distribution(task: TaskDistribution, number: int):
    """Its true function is that of the draw, up to where sliders can stand; its points lie on it, but for noise."""
    scene = scene_of(task)
    view = scene.new_task(View(shots=8), number)
    drawn = task.draw(stream("page", number, 1), 1)
    x = torch.from_numpy(scene.grid).reshape(1, -1, 1)
    gap = np.abs(scene.curve(view) - drawn.truth(x)[0, :, 0].numpy())
    assert gap.max() < (0.15 if scene.sliders else 1e-9), "sliders stand at hundredths"
    points = scene.points(view)
    assert points.shape == (8, 2)
    off = points[:, 1] - scene.true_function(view, points[:, 0])
    assert (np.abs(off).max() < 0.05) == (scene.values(view).get("noise", 0.0) == 0.0)
    query_x, target = scene.scored(view)
    assert (len(query_x), scene.error(view)) == (50, "query MSE")
    assert np.array_equal(target, scene.true_function(view, query_x))
    assert to_query(scene.new_task(view, number), scene.bounds) == to_query(view, scene.bounds)


@pytest.mark.parametrize("task", FUNCTIONS, ids=repr)
def test_what_tasks_have_lies_within_the_picture(task: TaskDistribution):
    scene = scene_of(task)
    values = task.draw(stream("test", 5), 300).truth(torch.from_numpy(scene.grid).reshape(1, -1, 1))
    low, high = scene.bounds.y
    assert low < values.min() and values.max() < high
    assert scene.bounds.x == (scene.grid[0], scene.grid[-1]) == task.span
    for number in range(20):
        view = scene.new_task(View(shots=70), number)
        assert len(view.points) == MAX_POINTS
        low, high = scene.window(view, scene.points(view))
        assert low < min(y for _, y in view.points) and max(y for _, y in view.points) < high
        assert read_points(write_points(view.points), scene.bounds) == view.points


def test_waves_are_drawn_where_they_always_were():
    """Links of before hold numbers of tasks, and pictures the same axes."""
    scene = scene_of(Sine(shots=7, queries=3))
    assert (scene.bounds.x, scene.bounds.y, scene.near) == ((-5, 5), (-12, 12), (-6, 6))
    assert scene.values(View()) == {"amplitude": 3.0, "phase": 0.6, "frequency": 1.0, "noise": 0.0}
    assert [slider.title for slider in scene.sliders] == [
        "Amplitude a (trained on 0.1 to 5)",
        "Phase φ (trained on 0 to π)",
        "Frequency f (trained on 1 only)",
        "Noise on the labels (standard deviation; trained without)",
    ]
    wave, x = Sine().waves(stream("page", 9, 1), 1), -5 + 10 * torch.rand(5, generator=stream("page", 9)).double()
    a, phase = round(float(wave.amplitude), 2), round(float(wave.phase), 2)
    wanted = np.stack([x.numpy(), a * np.sin(x.numpy() + phase)], 1).round(3)
    assert np.array_equal(scene.points(scene.new_task(View(), 9)), wanted)


def test_sliders_move_the_function_and_nothing_else():
    scene = scene_of(SineFamilies(varied=("amplitude", "offset")))
    assert [(slider.name, slider.title) for slider in scene.sliders] == [
        ("amplitude", "Amplitude A"),
        ("frequency", "Frequency w (trained on 1 only)"),
        ("phase", "Phase p (trained on 0 only)"),
        ("offset", "Offset c"),
    ]
    view = scene.new_task(View(), 3)
    moved = scene.at(view, {"frequency": 2.0, "offset": -1.5})
    values = scene.values(moved)
    assert np.allclose(scene.curve(moved), values["amplitude"] * np.sin(2.0 * scene.grid) - 1.5)
    assert (moved.task, moved.points) == (view.task, view.points)
    assert scene_of(SineComposition()).sliders == scene_of(Polynomials()).sliders == ()


def test_presets_are_for_the_task_that_their_words_speak_of():
    assert scene_of(Sine(shots=3)).presets == {preset.title: preset for preset in STORIES["sine"].presets}
    assert scene_of(Sine(noise=0.1)).presets == {}


def test_one_scene_for_equal_tasks():
    assert isinstance(scene_of(Sine()), Scene)
    assert scene_of(Sine(shots=3)) is scene_of(Sine(shots=3)) is not scene_of(Sine(shots=4))


# ---- tables --------------------------------------------------------------------------------------------


def test_a_task_of_a_table_is_a_task_of_its_validation_split(tmp_path: Path):
    scene = scene_of(table(csv(tmp_path)))
    assert scene.bounds.x == pytest.approx((100, 900))
    low, high = scene.near
    assert 0 < low < 300 and 700 < high < 800
    met = []
    for number in range(1, 7):
        view = scene.new_task(View(shots=4), number)
        known, rows = scene.known(view), scene.rows(view)
        name = known.says.split(",")[0].removeprefix("Task rat ")
        met.append(name)
        every = np.concatenate([scene.points(view), rows])
        assert (len(scene.points(view)), len(every), len(np.unique(every[:, 0]))) == (4, 30, 30), "no row comes twice"
        wanted = 500 + 200 * np.sin(every[:, 0] / 200 + ord(name))
        assert np.abs(every[:, 1] - wanted).max() < 0.15, "all are rows of that task"
        assert np.array_equal(np.stack(scene.scored(view), 1), rows)
        assert scene.curve(view) is None
        assert f", {(number - 1) % 3 + 1} of 3 in the validation split of rats.csv" in known.says
        assert "26 other rows" in known.says
    assert met == [*"cde", *"cde"]
    one, other = (scene.points(scene.new_task(View(shots=4), number)) for number in (1, 4))
    assert not np.array_equal(one, other), "the second time, other rows are its support"
    view = scene.new_task(View(shots=4), 1).changed(truth=False)
    assert (scene.scored(view), len(scene.rows(view)), scene.error(view)) == (None, 0, "support MSE")


def test_without_its_file_the_picture_is_the_same_and_points_can_be_moved(tmp_path: Path):
    """What the record of a run holds is enough to open it."""
    path = csv(tmp_path)
    made = table(path)
    before, path_said = scene_of(made), str(path)
    path.unlink()
    again = configure(Table, {**vars(made), "shots": 3}, "task table")
    scene = scene_of(again)
    assert (scene.bounds, scene.near) == (before.bounds, before.near)
    view = scene.new_task(View(shots=3), 2)
    known = scene.known(view)
    assert path_said[:40] in known.trouble and known.trouble.endswith(".")  # a long one is cut
    assert (scene.scored(view), scene.error(view), len(scene.rows(view))) == (None, "support MSE", 0)
    assert len(view.points) == 3
    assert all(100 < x < 900 and before.near[0] < y < before.near[1] for x, y in view.points)
    csv(tmp_path)
    assert scene.known(view).trouble, "a hand that moves points asks no disk"
    assert scene.again(view).trouble == ""


def test_older_runs_say_nothing_of_their_targets(tmp_path: Path):
    path = csv(tmp_path)
    made = table(path)
    older = configure(Table, {**vars(made), "targets": (0.0, 0.0)}, "task table")
    assert scene_of(older).near == scene_of(made).near
    path.unlink()
    unknown = scene_of(configure(Table, {**vars(older), "shots": 2}, "task table"))
    assert unknown.near[0] < 0 < unknown.near[1]


# ---- who has none --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs(TaskDistribution):
    """Two numbers from one."""

    name = "pairs"
    summary = "Two numbers from one."
    spec = TaskSpec(Numbers(1), Values(2))


@dataclass(frozen=True)
class Endless(TaskDistribution):
    """One number from one, anywhere."""

    name = "endless"
    summary = "One number from one, anywhere."
    spec = LINE


def test_why_there_is_none_is_one_sentence(tmp_path: Path):
    wide = table(csv(tmp_path, ("x1", "x2")))
    for task, why in (
        (GaussianClasses(ways=3), "they tell 3 classes apart"),
        (wide, "their inputs have 2 numbers each"),
        (Pairs(), "their targets have 2 numbers each"),
        (Endless(), "nobody says between which numbers their inputs lie"),
    ):
        assert scene_of(task) is None
        said = refusal(task, "those")
        assert said.startswith(f"Runs on “those” are not shown here: {why}. This page draws ")


@dataclass(frozen=True)
class Blind(TaskDistribution):
    """A task of a plug-in that says nothing of its function."""

    name = "blind"
    summary = "Numbers that nobody knows the function of."
    spec = LINE

    @property
    def span(self) -> tuple[float, float]:
        return (2.0, 2.0)

    def draw(self, generator: torch.Generator, tasks: int) -> Drawn:
        """Everything is 7."""
        ones = torch.ones(tasks, self.shots, 1), torch.ones(tasks, self.queries, 1)
        return Drawn(Task(2 * ones[0], 7 * ones[0], 2 * ones[1], 7 * ones[1]), {})


def test_a_task_without_a_truth_is_scored_on_its_query_points():
    """And a domain of no width, and values that are all the same, have a picture still."""
    scene = scene_of(Blind(queries=6))
    view = scene.new_task(View(shots=2), 1)
    assert scene.compared == "the query points of the task"
    assert scene.rows(view).tolist() == [[2.0, 7.0]] * 6
    assert scene.bounds.x[0] < 2 < scene.bounds.x[1] and scene.near[0] < 7 < scene.near[1]
