"""Curvature in float64: exact Hessians, an independent library, quadratics, and spectra that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import hessian

from engine import Run, Sine, make
from engine.networks import MLP, perceptron
from engine.runs.ensembles import Ensemble
from engine.tasks import stream
from engine.trees import Layout, named_leaves, tree_map
from probes import asking
from probes.questions import curvature
from probes.tools import surfaces
from probes.tools.losses import Surface, double, hessian_vector
from probes.tools.meta_curvature import hutchinson
from probes.tools.spectrum import ascent, ends, lanczos, quadrature, smoothed
from tests.probes.questions.test_diversity import ensemble

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # PyTorch's, at a hessian
FEW = {"vectors": 2, "spectra": 1, "lanczos": 4, "ascent": 2, "tasks": 2, "top": 2}


def symmetric(values: np.ndarray, seed: int = 0) -> torch.Tensor:
    """A matrix with these eigenvalues, in a random basis."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    return torch.from_numpy(q * values @ q.T)


def quadratic(matrix: torch.Tensor, centre: torch.Tensor | None = None) -> Surface:
    """The loss w^T H w / 2 around a point."""
    n = len(matrix)
    centre = torch.zeros(n, dtype=torch.float64) if centre is None else centre
    return Surface(lambda w: w @ matrix @ w / 2, centre, Layout({"w": torch.zeros(1, n)}))


@pytest.fixture(scope="module")
def adapted() -> tuple[Surface, torch.Tensor]:
    """The task loss of the 1-40-40-1 network (N = 1,761) after five steps of MAML, and its Hessian, written out."""
    learner = make("maml")
    params = double(learner.init(stream("init", 1), Sine.spec))
    task = double(surfaces.one_task(Sine(), 5))
    state = surfaces.adapted(learner, params, task, 5)[-1]
    surface = surfaces.task_loss(learner, params, state, task, "support")
    return surface, hessian(surface.loss)(surface.centre)


def test_both_ends_are_the_exact_ones_of_two_thousand_parameters(adapted):
    surface, matrix = adapted
    values = torch.linalg.eigvalsh(matrix).numpy()
    found = ends(hessian_vector(surface, surface.centre), surface.size, 5)
    radius = np.abs(values).max()
    assert found.high == pytest.approx(values[::-1][:5], abs=2e-6 * radius)
    assert found.low == pytest.approx(values[:5], abs=2e-6 * radius)
    assert found.low[-1] < -0.01 * radius, "the low end is negative, and no noise"
    for value, vector in zip(found.high, torch.from_numpy(found.vectors.copy()), strict=True):
        torch.testing.assert_close(matrix @ vector, value * vector, rtol=0, atol=1e-4 * radius)


def test_the_trace_lies_within_three_standard_errors(adapted):
    surface, matrix = adapted
    every = {"all": torch.ones(surface.size, dtype=torch.bool)}
    mean, error = hutchinson(hessian_vector(surface, surface.centre), surface.size, every, stream("page"), 100)["all"]
    assert abs(mean - float(matrix.trace())) < 3 * error
    assert error < 0.2 * abs(mean)


def test_the_density_is_that_of_the_exact_spectrum(adapted):
    """As means of functions: moments are exact for each start, and close to the spectrum's over many."""
    surface, matrix = adapted
    values = torch.linalg.eigvalsh(matrix).numpy()
    nodes, weights = quadrature(hessian_vector(surface, surface.centre), surface.size, stream("page"), 20, 40)
    assert weights.sum(1) == pytest.approx(np.ones(20), abs=1e-12)
    for power in (1, 2, 3):
        each = (weights * nodes**power).sum(1)
        error = each.std(ddof=1) / np.sqrt(20)
        assert abs(each.mean() - (values**power).mean()) < 3 * error
    edges = np.array([-0.05, 0.05, 1.0]) * values.max()
    shares = [np.histogram(v, edges, weights=w)[0] for v, w in ((nodes.ravel(), weights.ravel() / 20), (values, None))]
    assert shares[0] == pytest.approx(shares[1] / len(values), abs=0.01)


def test_lanczos_with_all_steps_gives_the_spectral_measure_of_its_start():
    values = np.concatenate([np.linspace(-2, 1, 25), [5.0, 9.0]])
    matrix = symmetric(values)
    start = torch.randn(27, generator=stream("page"), dtype=torch.float64)
    start /= start.norm()
    diagonal, beside = lanczos(lambda v: matrix @ v, start, 27)
    nodes, columns = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    exact, basis = np.linalg.eigh(matrix.numpy())
    assert nodes == pytest.approx(exact, abs=1e-9)
    assert columns[0] ** 2 == pytest.approx((basis.T @ start.numpy()) ** 2, abs=1e-9)


def test_reorthogonalised_lanczos_finds_no_eigenvalue_twice():
    """The outlier converges first; without reorthogonalisation, copies of it would appear by step 60."""
    values = np.concatenate([np.linspace(0, 1, 199), [1000.0]])
    diagonal, beside = lanczos(lambda v: symmetric(values) @ v, torch.ones(200, dtype=torch.float64) / 200**0.5, 60)
    nodes = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    assert (nodes > 500).sum() == 1


def test_lanczos_ends_where_its_start_holds_no_more():
    diagonal, beside = lanczos(lambda v: 3 * v, torch.ones(50, dtype=torch.float64) / 50**0.5, 10)
    assert (diagonal.tolist(), beside.tolist()) == ([pytest.approx(3)], [])
    nodes, weights = quadrature(lambda v: 3 * v, 50, stream("page"), 2, 10)
    assert (nodes * weights).sum(1) == pytest.approx([3, 3])


@pytest.mark.parametrize("n", [2, 30, 120])
def test_ends_of_known_spectra_small_and_large(n: int):
    values = np.sort(np.random.default_rng(n).normal(size=n))
    values[0] = -7.0
    found = ends(lambda v: symmetric(values) @ v, n, 3)
    k = min(3, n)
    assert found.high == pytest.approx(np.sort(values)[::-1][:k], abs=1e-4)
    assert found.low == pytest.approx(np.sort(values)[:k], abs=1e-4)


def test_eigenvalues_that_crowd_at_zero_are_found():
    """Rank 2 in 200 dimensions: the third to fifth eigenvalues are 0, and so is the whole low end."""
    values = np.zeros(200)
    values[:2] = 40.0, 3.0
    found = ends(lambda v: symmetric(values) @ v, 200, 5)
    assert found.high == pytest.approx([40, 3, 0, 0, 0], abs=1e-3)
    assert found.low == pytest.approx(np.zeros(5), abs=1e-3)


def test_without_curvature_all_is_zero():
    found = ends(torch.zeros_like, 100, 3)
    assert not found.high.any()
    assert not found.low.any()


def test_a_smoothed_density_has_the_area_of_one():
    grid = np.linspace(-10, 10, 2001)
    density = smoothed(np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([[0.5, 0.5], [1.0, 0.0]]), grid, 0.3)
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-6)
    assert density[1000] == pytest.approx(0.75 / (0.3 * np.sqrt(2 * np.pi)), rel=1e-2)


def test_sharpness_of_a_quadratic_is_half_its_largest_eigenvalue_times_the_square_of_the_radius():
    matrix = symmetric(np.array([-3.0, 0.0, 0.5, 4.0]))
    surface = quadratic(matrix)
    starts = torch.randn(2, 4, generator=stream("page"), dtype=torch.float64)
    assert ascent(surface, surface.centre, starts, 0.3, 60) == pytest.approx(4 * 0.3**2 / 2, rel=1e-3)
    assert ascent(quadratic(-symmetric(np.ones(4))), surface.centre, starts, 0.3, 20) == 0


def test_sharpness_of_a_slope_is_found_at_the_edge():
    direction = torch.tensor([3.0, 4.0], dtype=torch.float64)
    surface = Surface(lambda w: w @ direction, torch.ones(2, dtype=torch.float64), Layout({"w": torch.zeros(1, 2)}))
    away = torch.tensor([[-3.0, 4.0]], dtype=torch.float64)
    assert ascent(surface, surface.centre, away, 0.5, 60) == pytest.approx(2.5, rel=1e-3)


def test_the_task_loss_curves_as_an_independent_library_says():
    """curvlinops (Dangel et al.): its Hessian of a torch.nn copy of an adapted network, products and eigenvalues."""
    curvlinops = pytest.importorskip("curvlinops", reason="needs requirements-oracle.txt")
    from scipy.sparse.linalg import eigsh
    from torch import nn

    made = ensemble("maml", 1)
    task = surfaces.one_task(made.distribution, 2)
    state = surfaces.adapted(made.learner, made.runs[0].params, task, 5)[-1]
    net = double(made.learner.acting(made.runs[0].params, state).weights)
    layers: list[nn.Module] = []
    for layer in range(1, perceptron.depth(net) + 1):
        linear = nn.Linear(*reversed(net[f"weight{layer}"].shape)).double()
        linear.load_state_dict({"weight": net[f"weight{layer}"], "bias": net[f"bias{layer}"]})
        layers += [linear, nn.ReLU()]
    copy = nn.Sequential(*layers[:-1])
    data = [(task.support_x.double(), task.support_y.double())]
    theirs = curvlinops.HessianLinearOperator(copy, nn.MSELoss(), list(copy.parameters()), data).to_scipy()
    surface = surfaces.task_loss(made.learner, made.runs[0].params, state, task, "support")
    product, v = hessian_vector(surface, surface.centre), np.random.default_rng(0).normal(size=surface.size)
    assert [name for name, _ in named_leaves(net)] == ["weight1", "bias1", "weight2", "bias2", "weight3", "bias3"]
    assert product(torch.from_numpy(v)).numpy() == pytest.approx(theirs @ v, rel=1e-6, abs=1e-9)
    found = asking.ask("curvature", [made], FEW | {"task": 2, "step": 5, "top": 3, "points": "support"}).curved[0]
    for which, ours in (("LA", found.high[0][::-1]), ("SA", found.low[0])):
        assert ours == pytest.approx(np.sort(eigsh(theirs, k=3, which=which, return_eigenvectors=False)), rel=1e-3)


def test_the_probe_looks_at_every_seed():
    made = ensemble("maml", 2)
    found = asking.ask("curvature", [made], FEW | {"task": 1, "step": 3})
    (one,) = found.curved
    assert (one.high.shape, one.nodes.shape, one.trace.shape) == ((2, 2), (2, 1, 4), (2,))
    assert (found.steps, found.seeds, one.iteration) == ({"maml": 3}, {"maml": [0, 1]}, -1)
    task = surfaces.one_task(made.distribution, 1)
    for index, run in enumerate(made.runs):
        final = run.adapt(task.support_x, task.support_y, 3)[-1]
        said = run.learner.loss(run.learner.predict(run.params, final, task.support_x), task.support_y)
        assert one.loss[index] == pytest.approx(float(said), rel=1e-4)


def test_along_the_training_means_at_the_weights_it_kept(tmp_path):
    from safetensors.torch import save_file

    made = ensemble("maml", 2, network=MLP((6,)))
    runs = []
    for index, run in enumerate(made.runs):
        (tmp_path / f"{index}" / "kept").mkdir(parents=True)
        for iteration, by in ((0, 0.0), (500, 0.1)):
            moved = tree_map(lambda leaf: leaf + by, run.params)  # noqa: B023
            named = {name: leaf.contiguous() for name, leaf in named_leaves(moved)}
            save_file(named, tmp_path / f"{index}" / "kept" / f"{iteration:08}.safetensors")
        runs.append(Run(tmp_path / f"{index}", run.learner, run.distribution, run.params, run.record))
    for loss in ("task", "meta"):
        found = asking.ask("curvature", [Ensemble(tuple(runs))], FEW | {"loss": loss, "along": True}).curved
        assert [c.iteration for c in found] == [0, 500, -1]
        assert found[0].high == pytest.approx(found[2].high), "nothing had moved at iteration 0"
        assert not np.allclose(found[0].high, found[1].high)


def test_the_meta_loss_is_that_of_all_tasks_together():
    made = ensemble("maml", 1, network=MLP((6,)))
    found = asking.ask("curvature", [made], FEW | {"loss": "meta", "tasks": 4}).curved[0]
    surface = surfaces.meta_loss(made.learner, made.runs[0].params, surfaces.first_tasks(made.distribution, 4))
    values = torch.linalg.eigvalsh(hessian(surface.loss)(surface.centre)).numpy()
    assert found.high[0] == pytest.approx(values[::-1][:2], rel=1e-5)
    assert found.low[0] == pytest.approx(values[:2], rel=1e-5)


def test_who_lacks_a_loss_is_left_out_and_said():
    made = [ensemble("mt-net", 1), ensemble("lstm", 1), ensemble("maml", 1, network=MLP((6,)))]
    of_task, of_all = (asking.ask("curvature", made, FEW | {"loss": loss, "tasks": 1}) for loss in ("task", "meta"))
    assert [c.learner for c in of_task.curved] == ["mt-net", "maml"]
    assert [c.learner for c in of_all.curved] == ["lstm", "maml"]
    assert list(of_task.left_out) == ["lstm"]
    assert "straight-through" in of_all.left_out["mt-net"]


def test_a_progress_that_raises_cancels_at_once():
    class Enough(Exception):
        pass

    calls = []

    def stop(share: float) -> None:
        calls.append(share)
        if len(calls) == 5:
            raise Enough

    with pytest.raises(Enough):
        asking.ask("curvature", [ensemble("maml", 1)], {}, stop)
    assert len(calls) == 5


def test_progress_only_grows():
    shares: list[float] = []
    asking.ask("curvature", [ensemble("maml", 2, network=MLP((6,)))], FEW, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert curvature.PROBE.applies(ensemble("maml", 1)) is None
