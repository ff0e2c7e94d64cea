"""The publication figure holds the numbers it was given, in the learners' own colours."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard.figures import palette
from dashboard.figures.adaptation import Line, figure

GRID = np.linspace(-5, 5, 7)
STEPS = np.array([0, 1, 2, 5])
POINTS = np.array([[0.5, 1.0], [-2.0, 0.3]])
rng = np.random.default_rng(0)


def line(name: str, last_step: int) -> Line:
    return Line(name, name.upper(), last_step, STEPS, rng.normal(size=(4, 3, 7)), rng.uniform(0.1, 2, size=(4, 3)))


LINES = [line("maml", 5), line("lstm", 2)]


def drawn(step: int = 5, *, truth: bool = True, dark: bool = False) -> go.Figure:
    return figure(LINES, POINTS, GRID, np.sin(GRID) if truth else None, step, "query MSE", dark)


def traces(fig: go.Figure, name: str, axis: str) -> list[go.Scatter]:
    """Traces of a name in the left (x) or right (x2) panel."""
    return [trace for trace in fig.data if trace.name == name and (trace.xaxis or "x") == axis]


@pytest.mark.parametrize(("step", "index", "lstm_index"), [(0, 0, 0), (1, 1, 1), (5, 3, 2)])
def test_curves_are_the_means_at_the_step(step: int, index: int, lstm_index: int):
    """A learner that is done before the step shows its last state."""
    fig = drawn(step)
    for one, at in zip(LINES, (index, lstm_index), strict=True):
        (curve,) = traces(fig, one.title, "x")
        assert np.allclose(curve.y, one.curves[at].mean(0))
        assert np.array_equal(curve.x, GRID)
        (band,) = traces(fig, f"{one.title}, range of seeds", "x")
        assert np.allclose(band.y, np.concatenate([one.curves[at].max(0), one.curves[at].min(0)[::-1]]))


def test_errors_end_with_the_learner():
    fig = drawn()
    for one, count in zip(LINES, (4, 3), strict=True):
        (curve,) = traces(fig, one.title, "x2")
        assert curve.customdata.tolist() == STEPS[:count].tolist()
        assert curve.x.tolist() == list(range(count)), "stops are drawn side by side"
        assert np.allclose(curve.y, one.errors[:count].mean(1))
    ticks = dict(zip(fig.layout.xaxis2.tickvals, fig.layout.xaxis2.ticktext, strict=True))
    assert ticks == {i: str(step) for i, step in enumerate(STEPS)}
    assert fig.layout.xaxis2.title.text == "inner step, not to scale"
    assert fig.layout.yaxis2.type == "log"
    assert fig.layout.yaxis2.title.text == "query MSE"


def test_the_support_and_the_true_function_are_there():
    (support,) = traces(drawn(), "support", "x")
    assert np.array_equal(np.stack([support.x, support.y], 1), POINTS)
    (truth,) = traces(drawn(), "true function", "x")
    assert np.allclose(truth.y, np.sin(GRID))
    assert traces(drawn(truth=False), "true function", "x") == []


@pytest.mark.parametrize("dark", [False, True])
def test_colours_and_dashes_are_those_of_the_palette(dark: bool):
    fig = drawn(dark=dark)
    for one in LINES:
        style = palette.style(one.name)
        for axis in ("x", "x2"):
            (curve,) = traces(fig, one.title, axis)
            assert curve.line.color == (style.dark if dark else style.light)
            assert curve.line.dash == style.plotly_dash


def test_one_entry_in_the_legend_for_each_learner():
    named = [trace.name for trace in drawn().data if trace.showlegend is not False]
    assert sorted(named) == ["LSTM", "MAML", "support", "true function"]


def test_an_error_of_zero_survives_the_logarithm():
    exact = Line("maml", "MAML", 5, STEPS, np.zeros((4, 3, 7)), np.zeros((4, 3)))
    fig = figure([exact], POINTS, GRID, None, 5, "support MSE", False)
    (curve,) = traces(fig, "MAML", "x2")
    assert (np.asarray(curve.y) > 0).all()


def test_no_learner_is_still_a_figure():
    fig = figure([], POINTS, GRID, None, 0, "query MSE", False)
    assert [trace.name for trace in fig.data] == ["support"]


def test_nothing_but_the_support_is_drawn_as_points():
    assert [trace.name for trace in drawn().data if "markers" in (trace.mode or "lines+markers")] == ["support"]


def test_many_learners_make_the_figure_taller_not_the_panels_lower():
    many = [line(f"learner-{i}", 5) for i in range(19)]
    tall = figure(many, POINTS, GRID, None, 5, "query MSE", False)
    assert tall.layout.height > drawn().layout.height
    assert len({trace.name for trace in tall.data if trace.showlegend is not False}) == 20
