"""Planes of the two losses in float64: what they must equal at their centre, on quadratics, and along the path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine import Run, Sine, make
from engine.networks import MLP
from engine.runs.ensembles import Ensemble
from engine.tasks import stream
from engine.trees import Layout, leaves, named_leaves, tree_map
from probes import asking
from probes.questions import landscape
from probes.tools import planes, surfaces
from probes.tools.losses import Surface, double, flat, gradient
from probes.tools.spectrum import ends
from tests.probes.questions.test_diversity import ensemble

KINDS = ("path", "random", "eigen", "gradient", "runs")
FEW = {"size": 5, "tasks": 2, "task": 3}


def bowl(n: int = 30) -> Surface:
    """w^T H w / 2 with eigenvalues n, n - 1, ... 1 along the axes, around a point that is not its minimum."""
    values = torch.arange(n, 0, -1, dtype=torch.float64)
    centre = torch.linspace(0.1, 1, n, dtype=torch.float64)
    return Surface(lambda w: (values * w * w).sum() / 2, centre, Layout({"w": torch.zeros(1, n)}))


def trained(loss: str, kind: str, name: str = "maml", seeds: int = 3, **settings: object) -> landscape.Plane:
    own = {"network": MLP((6, 5))} | ({"ranks": (2, 4)} if name == "sap" else {})
    made = ensemble(name, seeds, **own)
    return asking.ask("landscape", [made], FEW | {"loss": loss, "directions": kind, **settings}).planes[0]


def at_centre(plane: landscape.Plane) -> float:
    return float(plane.values[np.flatnonzero(plane.y == 0)[0], np.flatnonzero(plane.x == 0)[0]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["task", "meta"])
def test_the_centre_is_the_loss_of_the_run(loss: str, kind: str):
    made = ensemble("maml", 3, network=MLP((6, 5)))
    plane = trained(loss, kind)
    run = made.runs[0]
    if loss == "task":
        task = surfaces.one_task(made.distribution, 3)
        final = run.adapt(task.support_x, task.support_y)[-1]
        said = float(run.learner.loss(run.learner.predict(run.params, final, task.support_x), task.support_y))
    else:
        tasks = surfaces.first_tasks(made.distribution, 2)
        each = []
        for i in range(2):
            task = tree_map(lambda v: v[i], tasks)  # noqa: B023
            final = run.adapt(task.support_x, task.support_y, run.learner.train_steps)[-1]
            each.append(float(run.learner.loss(run.learner.predict(run.params, final, task.query_x), task.query_y)))
        said = sum(each) / 2
    assert plane.centre == pytest.approx(said, rel=1e-4)
    assert at_centre(plane) == pytest.approx(plane.centre, rel=1e-12)
    assert plane.path.loss[-1] == pytest.approx(plane.centre, rel=1e-9)


@pytest.mark.parametrize("name", ["maml", "finetuning", "turtle", "op-lstm", "sap", "warp-maml", "mt-net", "film"])
def test_the_true_loss_along_the_path_is_the_support_loss_after_each_step(name: str):
    own = {"network": MLP((6, 5))} | ({"ranks": (2, 4)} if name == "sap" else {})
    run = ensemble(name, 1, **own).runs[0]
    task = surfaces.one_task(run.distribution, 3)
    path = run.adapt(task.support_x, task.support_y)
    expected = [float(run.learner.loss(run.predict([s], task.support_x), task.support_y)) for s in path]
    plane = trained("task", "path", name, 1)
    assert plane.path.loss == pytest.approx(expected, rel=1e-4)
    assert plane.path.at.tolist() == list(range(len(path)))


def test_a_plane_of_a_quadratic_by_hand():
    surface = bowl()
    directions, values = planes.eigen(surface, lambda _: None)
    assert values == pytest.approx([30, 29])
    x, y = planes.axis(-0.5, 0.5, 11), planes.axis(-1, 1, 5)
    found = planes.on_plane(surface, directions, x, y, 7, lambda _: None)
    c, scale = surface.centre.numpy(), surface.centre.norm().item()
    slope = [float(gradient(surface, surface.centre) @ d) for d in directions]
    expected = float(surface.loss(surface.centre)) + slope[0] * x + slope[1] * y[:, None]
    expected = expected + scale**2 * (30 * x**2 + 29 * y[:, None] ** 2) / 2
    assert found == pytest.approx(expected, rel=1e-6)
    assert c.shape == (30,)


def test_the_loss_of_a_plane_does_not_depend_on_the_chunks():
    surface = bowl()
    directions = planes.random(
        Surface(surface.loss, surface.centre, Layout({"w": torch.zeros(1, 6, 5)})), stream("page")
    )
    x, y = planes.axis(-1, 1, 9), planes.axis(-1, 1, 7)
    found = [planes.on_plane(surface, directions, x, y, chunk, lambda _: None) for chunk in (1, 10, 1000)]
    assert found[0] == pytest.approx(found[2], rel=1e-12)
    assert found[1] == pytest.approx(found[2], rel=1e-12)


def test_filter_normalised_rows_are_as_long_as_those_of_the_weights_and_biases_stay():
    learner = make("maml", network=MLP((6, 5)))
    params = double(learner.init(stream("init"), Sine.spec))
    params = tree_map(lambda leaf: leaf + 0.3, params)
    surface = surfaces.meta_loss(learner, params, surfaces.first_tasks(Sine(), 1))
    first, second = (surface.tree(d) for d in planes.random(surface, stream("page")))
    for direction in (first, second):
        for name, leaf in named_leaves(direction):
            own = dict(named_leaves(params))[name]
            if leaf.ndim == 1:
                assert not leaf.any()
            else:
                torch.testing.assert_close(leaf.norm(dim=1), own.norm(dim=1))
    assert not torch.allclose(flat(first)[0], flat(second)[0])


def test_directions_are_perpendicular_and_as_long_as_the_centre():
    surface = bowl()
    points = torch.randn(4, 30, generator=stream("page"), dtype=torch.float64)
    for found in (
        planes.principal(surface, points, stream("page")),
        planes.along(surface, [points[0], 2 * points[0], points[1]], stream("page")),
    ):
        assert float(found[0] @ found[1]) == pytest.approx(0, abs=1e-9)
        torch.testing.assert_close(found.norm(dim=1), surface.centre.norm().expand(2))


def test_the_gradient_is_the_first_axis_and_the_way_lies_in_the_plane():
    surface = bowl()
    start = torch.randn(30, generator=stream("page"), dtype=torch.float64)
    found = planes.uphill(surface, start, stream("page"))
    g = gradient(surface, surface.centre)
    assert float(found[0] @ g) == pytest.approx(float(found[0].norm() * g.norm()))
    assert planes.projected(surface, found, start[None]).off == pytest.approx([0], abs=1e-9)


def test_a_path_in_a_plane_is_explained_and_one_off_it_is_not():
    surface = bowl()
    inside = torch.zeros(5, 30, dtype=torch.float64)
    inside[:, 3], inside[:, 7] = torch.linspace(-2, 0, 5), torch.linspace(1, 0, 5) ** 2
    path = surface.centre + inside
    found = planes.principal(surface, path, stream("page"))
    on = planes.projected(surface, found, path)
    assert on.explained == pytest.approx(1)
    assert on.off == pytest.approx(np.zeros(5), abs=1e-9)
    away = torch.zeros(5, 30, dtype=torch.float64)
    away[:, 20] = torch.linspace(3, 0, 5)
    moved = planes.projected(surface, found, path + away)
    whole = float((inside + away).square().sum())
    assert moved.explained == pytest.approx(1 - float(away.square().sum()) / whole)
    assert moved.off == pytest.approx(away.norm(dim=1).numpy() / float(surface.centre.norm()))
    assert on.xy[0, 0] < 0, "the start lies to the left"


def test_principal_directions_hold_more_of_the_path_than_any_others():
    surface = bowl()
    path = surface.centre + torch.randn(8, 30, generator=stream("page"), dtype=torch.float64)
    best = planes.projected(surface, planes.principal(surface, path, stream("page")), path).explained
    for seed in range(20):
        others = torch.randn(2, 30, generator=stream("page", seed + 1), dtype=torch.float64)
        assert planes.projected(surface, others, path).explained < best
    singular = torch.linalg.svdvals(path - surface.centre).square()
    assert best == pytest.approx(float(singular[:2].sum() / singular.sum()))


def test_the_plane_below_the_path_is_not_the_loss_on_it():
    """The known trap: on random directions a path that falls by orders of magnitude looks flat."""
    plane = trained("task", "random", "turtle", 1)
    assert plane.path.explained < 0.2
    assert not np.allclose(plane.path.plane[0], plane.path.loss[0], rtol=0.01)
    own = ensemble("turtle", 1, network=MLP((6, 5))).runs[0]
    task = surfaces.one_task(own.distribution, 3)
    states = surfaces.adapted(own.learner, own.params, task, -1)
    surface = surfaces.task_loss(own.learner, own.params, states[-1], task, "support")
    directions = planes.random(surface, stream("page", landscape.DRAWS, 0))
    below = surface.centre + torch.from_numpy(plane.path.xy[0]) @ directions
    assert plane.path.plane[0] == pytest.approx(float(surface.loss(below)), rel=1e-9)


def test_three_runs_lie_on_their_plane():
    plane = trained("meta", "runs")
    assert plane.runs.at.tolist() == [0, 1, 2]
    assert plane.runs.off == pytest.approx(np.zeros(3), abs=1e-9)
    assert plane.runs.loss == pytest.approx(plane.runs.plane, rel=1e-9)
    assert plane.runs.xy[0] == pytest.approx([0, 0], abs=1e-12)
    for axis, places in zip((plane.x, plane.y), plane.runs.xy.T, strict=True):
        assert axis.min() < places.min()
        assert axis.max() > places.max()


def test_eigenvectors_are_those_of_the_largest_eigenvalues():
    plane = trained("meta", "eigen")
    made = ensemble("maml", 1, network=MLP((6, 5)))
    surface = surfaces.meta_loss(made.learner, made.runs[0].params, surfaces.first_tasks(made.distribution, 2))
    from probes.tools.losses import hessian_vector

    found = ends(hessian_vector(surface, surface.centre), surface.size, 2)
    assert plane.eigenvalues == pytest.approx(found.high)


def test_axes_hold_the_centre_the_points_and_what_is_asked():
    for low, high, n in ((-1, 1, 41), (-0.3, 0.9, 40), (0, 2, 7), (-5e-4, 1e-5, 9)):
        found = planes.axis(low, high, n)
        assert len(found) == n
        assert 0 in found
        assert found[-1] - found[0] == pytest.approx(high - low)
        assert np.diff(found) == pytest.approx((high - low) / (n - 1))
    (left, right), (down, up) = planes.limits(np.array([[-2.0, 0.1], [0.0, 0.0]]), 0.0)
    assert (left, right) == (-2.5, 0.5)
    assert (down < 0, up > 0.1, up - down) == (True, True, pytest.approx(1.0))
    assert planes.limits(np.zeros((1, 2)), 0.5) == [(-0.5, 0.5), (-0.5, 0.5)]


def test_the_way_of_the_meta_loss_starts_where_the_run_was_drawn():
    plane = trained("meta", "path")
    made = ensemble("maml", 1, network=MLP((6, 5)))
    assert plane.path.at.tolist()[0] == 0
    assert plane.path.loss[0] == pytest.approx(plane.centre), "these runs are untrained: they end where they start"
    assert plane.norm == pytest.approx(float(flat(double(made.runs[0].params))[0].norm()))


def test_the_way_of_the_meta_loss_goes_through_the_weights_that_were_kept(tmp_path):
    from safetensors.torch import save_file

    run = ensemble("maml", 1, network=MLP((6,))).runs[0]
    (tmp_path / "kept").mkdir()
    for iteration in (0, 100, 200):
        moved = tree_map(lambda leaf: leaf + iteration / 1000, run.params)  # noqa: B023
        named = {name: leaf.contiguous() for name, leaf in named_leaves(moved)}
        save_file(named, tmp_path / "kept" / f"{iteration:08}.safetensors")
    last = tree_map(lambda leaf: leaf + 0.2, run.params)
    made = Ensemble((Run(tmp_path, run.learner, run.distribution, last, run.record),))
    plane = asking.ask("landscape", [made], FEW | {"loss": "meta"}).planes[0]
    assert plane.path.at.tolist() == [0, 100, 200]
    distances = plane.path.xy[:, 0] / plane.path.xy[0, 0]
    assert distances == pytest.approx([1, 0.5, 0], abs=1e-6), "a straight way, at constant speed"
    assert plane.path.away == pytest.approx(np.abs(plane.path.xy[:, 0])), "and all of it on the first axis"
    assert plane.path.explained == pytest.approx(1)


def test_each_learner_has_its_plane_or_a_sentence():
    made = [ensemble("maml", 3, network=MLP((6,))), ensemble("mt-net", 3, network=MLP((6,))), ensemble("lstm", 1)]
    found = asking.ask("landscape", made, FEW | {"loss": "meta"})
    assert [p.learner for p in found.planes] == ["maml", "lstm"]
    assert "straight-through" in found.left_out["mt-net"]
    found = asking.ask("landscape", made, FEW | {"directions": "runs"})
    assert [p.learner for p in found.planes] == ["maml", "mt-net"]
    assert "three span a plane" in found.left_out["lstm"]


def test_it_can_be_written_as_json_and_read_again(tmp_path):
    import json

    made = ensemble("maml", 3, network=MLP((6,)))
    found = asking.ask("landscape", [made], FEW | {"directions": "runs"})
    asking.write(tmp_path / "plane.json", found)
    assert len(json.loads((tmp_path / "plane.json").read_text())["planes"][0]["values"]) == 5


def test_a_progress_that_raises_cancels_between_chunks():
    class Enough(Exception):
        pass

    shares = []

    def stop(share: float) -> None:
        shares.append(share)
        if share > 0.4:
            raise Enough

    with pytest.raises(Enough):
        asking.ask("landscape", [ensemble("maml", 1)], {"loss": "meta", "tasks": 10, "size": 11}, stop)
    assert shares[-1] < 0.6
    assert len(list(leaves(ensemble("maml", 1).params))) == 6
