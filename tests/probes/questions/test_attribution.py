"""Attributions: axioms, Captum as the oracle, and cases in which the answer is known."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, ShapleyValues, ShapleyValueSampling

from engine.errors import BadConfig, BadInput
from engine.learners import LEARNERS, Learner
from engine.networks import MLP
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import Sine, stream
from probes import asking
from probes.questions import attribution
from probes.questions.attribution import Config
from probes.tools import algorithms, conductance
from probes.tools import coalitions as games
from probes.tools.coalitions import Coalitions
from tests.probes.attributed import POINTS, SMALL, double
from tests.probes.questions.test_diversity import ensemble

GRID = np.linspace(-5, 5, 11)
QUERY = 4  # a place on the grid, x = -1


@pytest.fixture
def maml() -> Ensemble:
    return double("maml")


@pytest.fixture
def coalitions(maml: Ensemble) -> Coalitions:
    return Coalitions(maml, POINTS, GRID)


def regression() -> list[str]:
    """Every learner of numbers."""
    return [name for name, kind in LEARNERS.items() if "regression" in kind.kinds]


def value_of(coalitions: Coalitions, seed: int):
    """The game of one seed at one query as Captum wants it: masks (rows, K) to values (rows,)."""

    def said(masks: torch.Tensor) -> torch.Tensor:
        codes = [sum(1 << i for i, inside in enumerate(row) if inside > 0.5) for row in masks.tolist()]
        return torch.from_numpy(coalitions.values(codes)[seed, :, QUERY])

    return said


@pytest.mark.parametrize("orders", [0, 6])
@pytest.mark.parametrize("name", ["maml", "op-lstm", "lstm", "lstm-sequential", "turtle", "finetuning"])
def test_shapley_values_sum_to_what_the_points_changed(name: str, orders: int):
    table = Coalitions(double(name), POINTS, GRID)
    values, _ = games.shapley_values(table, orders)
    everything, nothing = table.values([15, 0]).swapaxes(0, 1)
    assert np.abs(everything - nothing).max() > 1e-3
    np.testing.assert_allclose(values.sum(1), everything - nothing, atol=1e-10)


def test_shapley_values_are_those_of_captum(coalitions: Coalitions):
    ours, error = games.shapley_values(coalitions, 0)
    for seed in (0, 1):
        theirs = ShapleyValues(value_of(coalitions, seed)).attribute(torch.ones(1, 4).double())
        np.testing.assert_allclose(ours[seed, :, QUERY], theirs[0].numpy(), atol=1e-6)
    assert (error == 0).all()


def test_sampled_shapley_values_are_those_of_captum_on_the_same_orders(coalitions: Coalitions):
    ours, _ = games.shapley_values(coalitions, 8)
    sampling = ShapleyValueSampling(value_of(coalitions, 0))
    sampling.permutation_generator = lambda features, count: iter(games.orders_of(4, 8).tolist())
    theirs = sampling.attribute(torch.ones(1, 4).double(), n_samples=8)
    np.testing.assert_allclose(ours[0, :, QUERY], theirs[0].numpy(), atol=1e-6)


def test_the_mean_over_every_order_is_exact(coalitions: Coalitions, monkeypatch: pytest.MonkeyPatch):
    every = np.array(list(itertools.permutations(range(4))))
    pairs = [order for one in every if tuple(one) < tuple(one[::-1]) for order in (one, one[::-1])]
    monkeypatch.setattr(games, "orders_of", lambda points, count: np.array(pairs))
    sampled, _ = games.shapley_values(coalitions, 24)
    exact, _ = games.shapley_values(coalitions, 0)
    np.testing.assert_allclose(sampled, exact, atol=1e-10)


def test_the_standard_error_is_that_of_the_pairs(coalitions: Coalitions):
    exact, _ = games.shapley_values(coalitions, 0)
    sampled, error = games.shapley_values(coalitions, 200)
    assert (np.abs(sampled - exact) < 5 * error + 1e-12).all()
    _, fewer = games.shapley_values(coalitions, 50)
    assert 1.5 < fewer.mean() / error.mean() < 2.7  # a quarter of the orders, twice the error


def test_leaving_one_out_is_captums_ablation(maml: Ensemble, coalitions: Coalitions):
    answer = asking.ask("attribution", [maml], {"points": POINTS.tolist(), "query": -1.0}).answers[0]
    at = int(np.abs(np.linspace(-5, 5, attribution.QUERIES) + 1.0).argmin())
    theirs = FeatureAblation(value_of(coalitions, 0)).attribute(torch.ones(1, 4).double())
    np.testing.assert_allclose(answer.leave_one_out[0, :, at], theirs[0].numpy(), atol=1e-6)


def test_twin_points_share_alike_and_leaving_one_out_is_no_sum():
    twins = POINTS[[0, 1, 1, 3]]
    table = Coalitions(double("maml"), twins, GRID)
    values, _ = games.shapley_values(table, 0)
    np.testing.assert_allclose(values[:, 1], values[:, 2], atol=1e-10)
    left = table.values([15])[:, 0] - table.values([11])[:, 0]
    assert np.abs(left - values[:, 1]).max() > 1e-4


@pytest.mark.parametrize("name", regression())
def test_before_its_first_step_no_learner_has_looked_at_its_points(name: str):
    """So that nothing is what the empty coalition means."""
    found = ensemble(name)
    x, y = torch.from_numpy(POINTS).float().unsqueeze(-1).unbind(1)
    grid = torch.linspace(-5, 5, 7).unsqueeze(-1)
    one = algorithms.predictions(found, x[None], y[None], grid, steps=0)
    other = algorithms.predictions(found, x[None] + 1, 3 - y[None], grid, steps=0)
    np.testing.assert_array_equal(one, other)


# ---- labels ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ridge(Learner):
    """Ridge regression on sine and cosine, solved in its one step: what it says is linear in its labels."""

    name, title, family, steps = "ridge", "Ridge", "test", 1

    def init(self, generator: torch.Generator, spec: object) -> dict:
        return {"prior": {"weight": torch.zeros(2, 1).double()}}

    def start(self, params: dict, support_x: torch.Tensor, support_y: torch.Tensor) -> dict:
        return {"weight": params["prior"]["weight"]}

    def step(self, params: dict, state: dict, support_x: torch.Tensor, support_y: torch.Tensor) -> dict:
        waves = self.waves(support_x)
        solved = torch.linalg.solve(waves.mT @ waves + 0.1 * torch.eye(2).double(), waves.mT @ support_y)
        return {"weight": solved.expand_as(state["weight"])}  # one for each of a stack of seeds

    def predict(self, params: dict, state: dict, x: torch.Tensor) -> torch.Tensor:
        return self.waves(x) @ state["weight"]

    def network(self, params: dict, state: dict) -> None:
        return None

    def waves(self, x: torch.Tensor) -> torch.Tensor:
        """Sine and cosine of x (K, 1): (K, 2)."""
        return torch.cat([x.sin(), x.cos()], -1)


def test_labels_of_a_linear_learner_get_their_entry_of_the_hat_matrix():
    run = Run(Path("ridge"), Ridge(), Sine(shots=4), Ridge().init(None, None), {"seed": 0})
    found, waves = Ensemble((run,)), lambda x: np.stack([np.sin(x), np.cos(x)], -1)
    hat = waves(-1.0) @ np.linalg.solve(
        waves(POINTS[:, 0]).T @ waves(POINTS[:, 0]) + 0.1 * np.eye(2), waves(POINTS[:, 0]).T
    )
    one = asking.ask("attribution", [found], {"points": POINTS.tolist(), "query": -1.0, "steps": 3}).answers[0]
    at = int(np.abs(np.linspace(-5, 5, attribution.QUERIES) + 1.0).argmin())
    np.testing.assert_allclose(one.integrated[0], hat * POINTS[:, 1], atol=1e-9)
    np.testing.assert_allclose(one.walked[0, :, at], hat * POINTS[:, 1], atol=1e-9)


@pytest.mark.parametrize("baseline", ["zero", "before"])
@pytest.mark.parametrize("name", ["lstm", "lstm-sequential", "warp-maml"])
def test_integrated_gradients_are_complete_where_learners_are_smooth_in_their_labels(name: str, baseline: str):
    found = double(name)
    answer = asking.ask("attribution", [found], {"points": POINTS.tolist(), "baseline": baseline}).answers[0]
    assert np.abs(answer.explained).max() > 1e-4
    assert answer.completeness_error.max() < 0.01


@pytest.mark.parametrize(
    ("name", "baseline"),  # where labels say nothing new, Adam's steps do not shrink: rounding decides where they go
    [*itertools.product(["maml", "turtle", "op-lstm", "lstm"], ["zero", "before"]), ("reptile", "zero")],
)
def test_a_walk_is_always_complete(name: str, baseline: str):
    found = double(name)
    answer = asking.ask("attribution", [found], {"points": POINTS.tolist(), "baseline": baseline}).answers[0]
    at = int(np.abs(np.linspace(-5, 5, attribution.QUERIES) - 1.0).argmin())
    np.testing.assert_allclose(answer.walked[..., at].sum(1), answer.explained, atol=1e-9)


def test_what_integrated_gradients_miss_are_the_jumps(maml: Ensemble):
    """One label moves; where a ReLU switches, what MAML says jumps by as much as the integral lacks."""
    one = POINTS[2:3] * [1.0, 2.0]
    config = Config(points=tuple(map(tuple, one)), steps=400)
    values = attribution.integrated_gradients(maml, one, 2.0, config)
    x, y, _ = conductance.in_type(maml, one, 2.0)
    fine = 20_001
    labels = torch.linspace(0, 1, fine).double()[:, None, None] * y[None, :, None]
    said = algorithms.predictions(maml, x.expand(fine, 1, 1), labels, torch.tensor([[2.0]]).double())[..., 0]
    steps, explained = np.diff(said, axis=1), said[:, -1] - said[:, 0]
    usual = np.abs(np.median(steps, axis=1, keepdims=True))
    jumps = np.where(np.abs(steps) > 20 * usual, steps, 0.0).sum(1)
    missing = explained - values.sum(1)
    assert np.abs(jumps).max() > 1e-3  # there are some to be found
    np.testing.assert_allclose(missing, jumps, atol=0.03 * np.abs(explained).max())


def test_a_learner_that_cuts_its_graph_is_differentiated_as_the_function_that_it_is():
    second = double("maml")
    settings = {**SMALL["maml"]}
    first = double("fomaml", **settings)
    runs = zip(first.runs, second.runs, strict=True)
    first = Ensemble(tuple(replace(f, params=s.params) for f, s in runs))
    config = Config(points=tuple(map(tuple, POINTS)))
    ours, theirs = (attribution.integrated_gradients(e, POINTS, -1.0, config) for e in (first, second))
    assert np.abs(theirs).max() > 1e-3
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


# ---- asking ------------------------------------------------------------------------------------------


def test_another_query_adapts_to_no_coalition_again(monkeypatch: pytest.MonkeyPatch):
    found = double("maml")
    named = [replace(run, record={**run.record, "weights_sha256": f"moved-{run.seed}"}) for run in found.runs]
    found = Ensemble(tuple(named))
    calls = []
    real = algorithms.predictions

    def counted(*args: object, **more: object) -> np.ndarray:
        calls.append(args)
        return real(*args, **more)

    monkeypatch.setattr(games, "predictions", counted)
    first = asking.ask("attribution", [found], {"points": POINTS.tolist(), "query": 1.0})
    count = len(calls)
    second = asking.ask("attribution", [found], {"points": POINTS.tolist(), "query": -2.0})
    assert count > 0 and len(calls) == count
    assert first.at != second.at
    np.testing.assert_array_equal(first.answers[0].shapley, second.answers[0].shapley)


def test_few_points_are_always_exact_and_many_refuse_to_be():
    found = ensemble("maml", network=MLP((4, 4)), steps=1)
    many = [[float(x), 0.5] for x in np.linspace(-4, 4, 12)]
    assert asking.ask("attribution", [found], {"points": POINTS.tolist(), "orders": 2}).exact
    assert not asking.ask("attribution", [found], {"points": many, "orders": 2}).exact
    with pytest.raises(BadInput, match="at most 10 points; here are 12"):
        asking.ask("attribution", [found], {"points": many, "orders": 0})


@pytest.mark.parametrize(
    "values",
    [{"points": [[0.0, float("nan")]]}, {"points": [[0.0, 1.0]] * 21}, {"orders": 3}, {"task": 50}, {"baseline": "x"}],
)
def test_what_cannot_be_asked_is_refused(values: dict):
    with pytest.raises(BadConfig):
        asking.ask("attribution", [ensemble("maml", network=MLP((4, 4)), steps=1)], values)


def test_the_points_of_a_held_out_task_are_its_support():
    points, truth = attribution.support_of(Sine(shots=5), Config(task=3), GRID)
    drawn = Sine(shots=5).sample(stream("test"), attribution.TASKS)
    np.testing.assert_allclose(points[:, 0], drawn.support_x[3, :, 0].double().numpy())
    assert np.interp(points[2, 0], GRID, truth) == pytest.approx(points[2, 1], abs=0.6)
