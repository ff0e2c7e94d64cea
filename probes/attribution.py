r"""Which support points, which labels, which layers and which units made a prediction?

For one support set S of K points and one query x*, with f(x*; S) what a learner says after adapting to S:

    leave-one-out     f(x*; S) - f(x*; S without i)
    Shapley values    the mean over orders of f(x*; P and i) - f(x*; P), P the points that come before i; they sum to
                      f(x*; S) - f(x*; nothing), where nothing means the learner before its first inner step
    integrated        (y_i - y'_i) times the mean of df(x*; x, y)/dy_i along the line from labels y' to y, through the
    gradients         whole inner loop; they sum to f(x*; x, y) - f(x*; x, y'); y' is 0, or what the learner said before

    walked labels     the same line in a few stretches, in each of which one label after the other moves, there and
                      back; y_i gets what f changes by when it moves

The first two are about points: a coalition of points is adapted to as it is, nothing else stands in for those left
out. The third is about labels: all inputs stay. Learners that cut their graph in training (first-order ones) adapt by
the same function as their second-order siblings, and it is that function's derivative that is integrated.

    conductance       of a unit: integrated gradients of f(.; S) from input 0 to x*, as far as they pass through the
                      unit; over a hidden layer they sum to f(x*) - f(0). Before and after adapting.
    layers            Shapley values of the layers' changes: adapted weights in some layers, the first ones in others

Integrated gradients (Sundararajan, Taly & Yan 2017, arXiv 1703.01365) and conductance (Dhamdhere, Sundararajan & Yan
2018, arXiv 1805.12233) are Captum's. Shapley values (Castro, Gomez & Tejada 2009 for the sampled ones) come from one
table of coalitions for all queries at once; Captum's, which walk one query and one order at a time, are the oracle in
the tests.
"""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import factorial
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import vmap

from engine.ensembles import Ensemble
from engine.errors import BadInput
from engine.learners import Learner
from engine.networks import mlp
from engine.tasks import Sine, Task
from engine.trees import tree_map
from probes.asking import Progress, part
from probes.blackbox import predictions
from probes.representations import tasks_of
from probes.updates import in_type_of

QUESTION = "Which support points, labels, layers and units made a prediction?"
MOST_POINTS = 20
MOST_EXACT = 10  # points; 1,024 coalitions
FEW = 6  # so many points or fewer are always exact
QUERIES = 101  # even inputs
STRETCHES = 8  # of a walk; even, so that both directions count alike
CHUNK = 64  # coalitions at once
KEPT = 24  # tables of coalitions
TASKS = 50  # that `task` counts
INTERVALS = 100  # of the line that conductance is integrated along; ReLU networks bend often
Coordinate = Annotated[float, Field(ge=-1e3, le=1e3)]


@dataclass(frozen=True)
class Config:
    """What is asked about.

    Attributes:
        task: a held-out task, unless points are given.
        points: support points (x, y).
        query: x*; the nearest of 101 even inputs is taken.
        orders: of the points for sampled Shapley values, in pairs of an order and its reverse; 0: all coalitions,
            which 6 points or fewer get anyway.
        baseline: labels y' that integrated gradients start from.
        steps: of the integral over labels (Gauss-Legendre).
    """

    task: Annotated[int, Field(ge=0, lt=TASKS)] = 0
    points: Annotated[tuple[tuple[Coordinate, Coordinate], ...], Field(max_length=MOST_POINTS)] = ()
    query: Annotated[float, Field(ge=-1e3, le=1e3)] = 1.0
    orders: Annotated[int, Field(ge=0, le=1000, multiple_of=2)] = 12
    baseline: Literal["zero", "before"] = "zero"
    steps: Annotated[int, Field(ge=2, le=500)] = 24


@dataclass(frozen=True)
class Units:
    """Conductance of the units of one hidden layer, (seeds, units), before and after adapting."""

    layer: str
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class OfLearner:
    """What made one learner's prediction at the query.

    Attributes:
        learner: its registered name.
        seeds: the seeds of its runs.
        before, after: predictions at the even inputs, (seeds, queries).
        leave_one_out: at the even inputs, (seeds, K, queries).
        shapley: at the even inputs, (seeds, K, queries).
        shapley_error: standard error of sampling at the query, (seeds, K); 0 where all coalitions were asked.
        integrated: at the query, (seeds, K).
        walked: at the even inputs, (seeds, K, queries).
        explained: what these two should sum to at the query, (seeds,).
        layers: names of the layers, () for a learner without a network that adapts.
        by_layer: Shapley values of their changes at the query, (seeds, layers).
        units: of the hidden layers at the query.
        through: what conductances should sum to, before and after, (seeds, 2).
    """

    learner: str
    seeds: list[int]
    before: np.ndarray
    after: np.ndarray
    leave_one_out: np.ndarray
    shapley: np.ndarray
    shapley_error: np.ndarray
    integrated: np.ndarray
    walked: np.ndarray
    explained: np.ndarray
    layers: list[str]
    by_layer: np.ndarray
    units: list[Units]
    through: np.ndarray

    @property
    def completeness_error(self) -> np.ndarray:
        """How far integrated gradients miss their sum, as a share of the sum of their sizes, (seeds,)."""
        missed = np.abs(self.integrated.sum(-1) - self.explained)
        return np.asarray(missed / np.maximum(np.abs(self.integrated).sum(-1), 1e-12))


@dataclass(frozen=True)
class Attributions:
    """One answer per ensemble, in the order asked.

    Attributes:
        points: the support, (K, 2).
        grid: the even inputs, (queries,).
        at: the place of the query among them.
        exact: whether Shapley values come from all coalitions.
        truth: the true function at the even inputs, (queries,); NaN for points that were given.
        answers: one for each learner.
    """

    points: np.ndarray
    grid: np.ndarray
    at: int
    exact: bool
    truth: np.ndarray
    answers: list[OfLearner]


def applies(ensemble: Ensemble) -> str | None:
    """None for learners of sine waves: one input, and a grid of queries."""
    if not isinstance(ensemble.distribution, Sine):
        return f"Attributions are drawn over one input; {ensemble.learner.title} was trained on other tasks."
    return None


def probe(ensembles: Sequence[Ensemble], config: Config, progress: Progress) -> Attributions:
    """Attributes every learner's prediction.

    Raises:
        BadInput: all coalitions of too many points were asked for.
    """
    distribution = ensembles[0].distribution
    assert isinstance(distribution, Sine)
    grid = np.linspace(*distribution.inputs, QUERIES)
    points, truth = support_of(distribution, config, grid)
    exact = not config.orders or len(points) <= FEW
    if exact and len(points) > MOST_EXACT:
        raise BadInput(f"All coalitions are asked of at most {MOST_EXACT} points; here are {len(points)}.")
    at, answers = int(np.abs(grid - config.query).argmin()), []
    for index, ensemble in enumerate(ensembles):
        share = part(progress, index / len(ensembles), (index + 1) / len(ensembles))
        answers.append(_answer(ensemble, points, grid, at, replace(config, orders=0) if exact else config, share))
    return Attributions(points, grid, at, exact, truth, answers)


def support_of(distribution: Sine, config: Config, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The support (K, 2) that a configuration means, and the true function on the grid (NaN for given points)."""
    if config.points:
        return np.array(config.points, float), np.full(len(grid), np.nan)
    tasks, hidden = tasks_of(distribution, TASKS)
    if tasks.support_x.shape[1] > MOST_POINTS:
        raise BadInput(f"At most {MOST_POINTS} points are attributed to; these tasks have {tasks.support_x.shape[1]}.")
    points = torch.cat([tasks.support_x[config.task], tasks.support_y[config.task]], -1).double().numpy()
    truth = hidden["amplitude"][config.task] * np.sin(grid + hidden["phase"][config.task])
    return points, np.asarray(truth)


def _answer(
    ensemble: Ensemble, points: np.ndarray, grid: np.ndarray, at: int, config: Config, progress: Progress
) -> OfLearner:
    coalitions, k = coalitions_of(ensemble, points, grid), len(points)
    leave_one_out = coalitions.values([(1 << k) - 1])[:, 0, None] - coalitions.values(
        [(1 << k) - 1 - (1 << i) for i in range(k)]
    )
    shapley, error = shapley_values(coalitions, config.orders, part(progress, 0.0, 0.7))
    walked = coalitions.walk(config.baseline)
    progress(0.8)
    integrated, explained = integrated_gradients(ensemble, points, float(grid[at]), config)
    progress(0.9)
    inside = through_layers(ensemble, points, float(grid[at]))
    progress(1.0)
    return OfLearner(
        ensemble.learner.name,
        [run.seed for run in ensemble.runs],
        coalitions.values([0])[:, 0],
        coalitions.values([(1 << k) - 1])[:, 0],
        leave_one_out,
        shapley,
        error[..., at],
        integrated,
        walked,
        explained,
        **inside,
    )


# ---- coalitions of points ----------------------------------------------------------------------------


class Coalitions:
    """What every seed says on a grid after adapting to some of the points; asked once, kept.

    A coalition is an integer whose bit i says whether point i is in it.
    """

    def __init__(self, ensemble: Ensemble, points: np.ndarray, grid: np.ndarray) -> None:
        self.ensemble, self.count = ensemble, len(points)
        self._x, self._y = torch.from_numpy(points).unsqueeze(-1).unbind(1)
        self._grid = torch.from_numpy(grid).unsqueeze(-1)
        self._said: dict[int, np.ndarray] = {}
        self._walked: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def ask(self, wanted: Sequence[int], progress: Progress | None = None) -> None:
        """Adapts to the coalitions that were not asked before, those of one size together."""
        with self._lock:
            missing = sorted({c for c in wanted if c not in self._said}, key=lambda c: (c.bit_count(), c))
            done = 0
            for size, group in itertools.groupby(missing, int.bit_count):
                for chunk in _batched(group, CHUNK):
                    said = self._adapted(chunk, size)
                    self._said |= {c: said[:, i] for i, c in enumerate(chunk)}
                    done += len(chunk)
                    if progress:
                        progress(done / len(missing))

    def _adapted(self, coalitions: Sequence[int], size: int) -> np.ndarray:
        if not size:  # before the first step the support is not looked at
            return predictions(self.ensemble, self._x[None], self._y[None], self._grid, steps=0)
        members = torch.tensor([[i for i in range(self.count) if c >> i & 1] for c in coalitions])
        return predictions(self.ensemble, self._x[members], self._y[members], self._grid)

    def walk(self, baseline: str) -> np.ndarray:
        """What every label's own steps from the baseline to its value change, (seeds, K, queries)."""
        with self._lock:
            if baseline not in self._walked:
                self._walked[baseline] = self._walk(baseline)
            return self._walked[baseline]

    def _walk(self, baseline: str) -> np.ndarray:
        k, rows = self.count, []
        ends = baselines(self.ensemble, self._x, self._y, baseline)  # (seeds, K)
        runs = [Ensemble((run,)) for run in self.ensemble.runs] if baseline == "before" else [self.ensemble]
        for alone, start in zip(runs, ends if len(runs) > 1 else ends[:1], strict=True):
            moved = torch.zeros(STRETCHES * k + 1, k, dtype=self._y.dtype)  # how far each label has come, 0 to 1
            for step in range(STRETCHES * k):
                stretch, place = divmod(step, k)
                moved[step + 1] = moved[step]
                moved[step + 1, place if stretch % 2 == 0 else k - 1 - place] = (stretch + 1) / STRETCHES
            labels = start + moved * (self._y[:, 0] - start)
            said = predictions(alone, self._x.expand(len(labels), -1, -1), labels.unsqueeze(-1), self._grid)
            gains = np.diff(said, axis=1).reshape(len(said), STRETCHES, k, -1)
            gains[:, 1::2] = gains[:, 1::2, ::-1]
            rows.append(gains.sum(1))
        return np.concatenate(rows)

    def values(self, wanted: Sequence[int]) -> np.ndarray:
        """Predictions after adapting to each coalition, (seeds, coalitions, queries)."""
        self.ask(wanted)
        return np.stack([self._said[c] for c in wanted], 1)


_kept: OrderedDict[tuple[Any, ...], Coalitions] = OrderedDict()
_kept_lock = threading.Lock()


def coalitions_of(ensemble: Ensemble, points: np.ndarray, grid: np.ndarray) -> Coalitions:
    """The table of a learner and its points: the same one again while the query moves."""
    weights = [run.record.get("weights_sha256") for run in ensemble.runs]
    if None in weights:  # never saved: nothing to know them again by
        return Coalitions(ensemble, points, grid)
    key = (*weights, points.tobytes(), grid.tobytes())
    with _kept_lock:
        if key not in _kept:
            _kept[key] = Coalitions(ensemble, points, grid)
        _kept.move_to_end(key)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
        return _kept[key]


def orders_of(points: int, count: int) -> np.ndarray:
    """Orders of points in pairs of an order and its reverse, the same ones every time: (count, points)."""
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(points) for _ in range(count // 2)]
    return np.array([order for one in drawn for order in (one, one[::-1])])


def shapley_values(
    coalitions: Coalitions, orders: int, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Shapley values of all points at all queries and their standard errors, (seeds, K, queries) each.

    Args:
        coalitions: the game.
        orders: how many orders are walked; 0: all coalitions are weighed, and the errors are 0.
        progress: told the share that is done.
    """
    k = coalitions.count
    if not orders:
        every = range(1 << k)
        coalitions.ask(every, progress)
        said = coalitions.values(every)
        weights = np.zeros((k, 1 << k))
        for c in every:
            size = c.bit_count()
            for i in range(k):
                inside = c >> i & 1
                before = size - inside
                weight = factorial(before) * factorial(k - before - 1) / factorial(k)
                weights[i, c] = weight if inside else -weight
        exact = np.einsum("ic,scq->siq", weights, said)
        return exact, np.zeros_like(exact)
    walked = orders_of(k, orders)
    prefixes = np.concatenate([np.zeros((orders, 1), int), np.cumsum(1 << walked, 1)], 1)
    coalitions.ask(prefixes.ravel().tolist(), progress)
    said = coalitions.values(prefixes.ravel().tolist())
    said = said.reshape(len(said), orders, k + 1, -1)
    gains = np.empty_like(said[:, :, 1:])  # (seeds, orders, K, queries), by point
    for index, order in enumerate(walked):
        gains[:, index, order] = np.diff(said[:, index], axis=1)
    pairs = gains.reshape(len(gains), orders // 2, 2, *gains.shape[2:]).mean(2)  # reverses are not independent
    spread = pairs.std(1, ddof=1) if orders > 2 else np.full_like(pairs[:, 0], np.nan)
    return gains.mean(1), spread / np.sqrt(orders // 2)


def _batched(values: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """`itertools.batched`, which Python 3.11 does not have."""
    values = iter(values)
    while chunk := tuple(itertools.islice(values, size)):
        yield chunk


# ---- labels ------------------------------------------------------------------------------------------


def differentiable(learner: Learner) -> Learner:
    """The same adaptation with its whole graph: what first-order learners hide in training is part of the function."""
    changes: dict[str, Any] = {"first_order": False}
    return replace(learner, **changes) if "first_order" in {f.name for f in fields(learner)} else learner


def _in_type(ensemble: Ensemble, points: np.ndarray, query: float) -> tuple[Tensor, Tensor, Tensor]:
    """Support inputs (K, 1), labels (K,) and the query (1, 1) in the type of the weights."""
    x, y = torch.from_numpy(points).unsqueeze(-1).unbind(1)
    task = in_type_of(ensemble.params, Task(x, y, torch.tensor([[query]]), torch.zeros(1, 1)))
    return task.support_x, task.support_y[:, 0], task.query_x


def baselines(ensemble: Ensemble, x: Tensor, y: Tensor, baseline: str) -> Tensor:
    """Labels that say nothing, (seeds, K): 0, or what each seed says at x (K, 1) before it adapts."""
    if baseline == "zero":
        return torch.zeros(len(ensemble.runs), len(x), dtype=y.dtype)
    return torch.from_numpy(predictions(ensemble, x[None], y[None], x, steps=0)[:, 0]).to(y)


def integrated_gradients(
    ensemble: Ensemble, points: np.ndarray, query: float, config: Config
) -> tuple[np.ndarray, np.ndarray]:
    """Integrated gradients of the prediction over the labels, (seeds, K), and what they should sum to, (seeds,)."""
    from captum.attr import IntegratedGradients

    learner, params = differentiable(ensemble.learner), ensemble.params
    x, y, at = _in_type(ensemble, points, query)

    def one(params: Any, labels: Tensor) -> Tensor:
        labels = labels.unsqueeze(-1)
        state = learner.start(params, x, labels)
        for _ in range(learner.evaluation_steps):
            state = learner.step(params, state, x, labels)
        return learner.predict(params, state, at)[0, 0]

    def said(labels: Tensor, seed: Tensor) -> Tensor:
        return vmap(one)(tree_map(lambda leaf: leaf[seed], params), labels)

    seeds = torch.arange(len(ensemble.runs))
    labels = y.expand(len(seeds), -1)
    baseline = baselines(ensemble, x, y.unsqueeze(-1), config.baseline).to(y)
    found = IntegratedGradients(said).attribute(
        labels, baseline, additional_forward_args=(seeds,), n_steps=config.steps
    )
    with torch.no_grad():
        explained = said(labels, seeds) - said(baseline, seeds)
    return found.detach().double().numpy(), explained.double().numpy()


# ---- layers and units --------------------------------------------------------------------------------


class Networks(nn.Module):
    """ReLU networks side by side, as a module that Captum can look into: each row names its network, layer by layer.

    Args:
        nets: weights with a leading axis of networks.
    """

    def __init__(self, nets: mlp.Net) -> None:
        super().__init__()
        self.nets, self.depth = nets, mlp.depth(nets)
        self.hidden = nn.ModuleList(nn.ReLU() for _ in range(self.depth - 1))

    def forward(self, x: Tensor, which: Tensor) -> Tensor:
        """Outputs (rows,) at inputs x (rows, 1); which: the network that gives each layer, (rows, layers)."""
        for layer in range(1, self.depth + 1):
            weight, bias = (self.nets[f"{kind}{layer}"][which[:, layer - 1]] for kind in ("weight", "bias"))
            x = (weight @ x.unsqueeze(-1)).squeeze(-1) + bias
            if layer < self.depth:
                x = self.hidden[layer - 1](x)
        return x[:, 0]


def through_layers(ensemble: Ensemble, points: np.ndarray, query: float) -> dict[str, Any]:
    """The fields `layers`, `by_layer`, `units` and `through` of `OfLearner`."""
    learner, seeds = ensemble.learner, len(ensemble.runs)
    x, y, at = _in_type(ensemble, points, query)
    with torch.no_grad():
        path = learner.adapt(ensemble.params, x, y.unsqueeze(-1))
        before, after = (learner.network(ensemble.params, state) for state in (path[0], path[-1]))
    if before is None or after is None:
        return {"layers": [], "by_layer": np.zeros((seeds, 0)), "units": [], "through": np.zeros((seeds, 2))}
    nets = {key: torch.cat([before[key], after[key]]).detach() for key in after}
    model = Networks(nets)
    return {
        "layers": [f"layer {layer}" for layer in range(1, model.depth + 1)],
        "by_layer": _by_layer(model, at, seeds),
        **_conductance(model, at, seeds),
    }


def _by_layer(model: Networks, query: Tensor, seeds: int) -> np.ndarray:
    """Shapley values of the layers' changes, exact: (seeds, layers)."""
    from captum.attr import ShapleyValues

    def said(adapted: Tensor, seed: Tensor) -> Tensor:
        return model(query.expand(len(adapted), -1), seed.unsqueeze(-1) + seeds * adapted.long())

    ones = torch.ones(seeds, model.depth)
    with torch.no_grad():
        found = ShapleyValues(said).attribute(ones, additional_forward_args=(torch.arange(seeds),))
    return np.asarray(found.double().numpy())


def _conductance(model: Networks, query: Tensor, seeds: int) -> dict[str, Any]:
    """The units of every hidden layer, and what they should sum to."""
    from captum.attr import LayerConductance

    which = torch.arange(2 * seeds).unsqueeze(-1).expand(-1, model.depth)
    x = query.expand(2 * seeds, -1)
    units = []
    for index, layer in enumerate(model.hidden, start=1):
        found = LayerConductance(model, layer).attribute(x, additional_forward_args=(which,), n_steps=INTERVALS)
        values = found.detach().double().numpy()
        units.append(Units(f"hidden {index}", values[:seeds], values[seeds:]))
    with torch.no_grad():
        through = (model(x, which) - model(torch.zeros_like(x), which)).double().numpy()
    return {"units": units, "through": through.reshape(2, seeds).T}
