r"""What does an exact meta-gradient cost, against a first-order one, as the number of parameters N grows?

The exact meta-gradient of T inner steps theta_{t+1} = theta_t - alpha grad L_support(theta_t) is

    grad L_query(theta_T) (I - alpha H_{T-1}) ... (I - alpha H_0),   H_t the N x N Hessian of L_support at theta_t.

Three ways of computing it, all measured here on MAML with a network 1-w-w-1 (N = w^2 + 4w + 1) and one sine task:

    first-order   leaves the product out: it is an approximation
    exact         differentiates through the inner loop, so that each factor is met as one Hessian-vector product:
                  a few gradients' time and no matrix (Pearlmutter, Neural Computation 1994; Griewank & Walther 2008)
    explicit      writes every H_t out and multiplies, which is where O(N^2) comes from

and the first two for TURTLE, whose rule works on the N coordinates of the same network. Time is the processor's, the
least of several repeats; memory is what PyTorch holds at its peak beyond what it held before (every allocation in its
profiler), and so without the parameters themselves. From both, p in cost ~ N^p is fitted on logarithms with Student's
95 % interval, over the largest two decades of N: below, what does not depend on N (calls, activations) is most of the
cost and would make p look too small.
"""

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from scipy import stats
from torch import Tensor
from torch.func import grad, hessian
from torch.profiler import ProfilerActivity, profile

from engine.learners import Learner, Params, make
from engine.tasks import Sine, Task, stream
from engine.trees import count, leaves, tree_map
from probes.probe import Progress
from probes.tools.losses import flat, look_ahead

QUESTION = "What does an exact meta-gradient cost against a first-order one, as the number of parameters grows?"
FIRST, EXACT, EXPLICIT = "first-order", "exact", "explicit"
WAYS = (FIRST, EXACT, EXPLICIT)
LEAST_POINTS = 3  # of a fit with an interval
Widths = tuple[Annotated[int, Field(ge=1, le=4000)], ...]


@dataclass(frozen=True)
class Config:
    """Which networks, and how often.

    Attributes:
        maml, turtle, explicit: widths w for each (explicit: for MAML's written-out Hessians).
        steps: inner steps T.
        shots, queries: points of the task.
        repeats: timings, of which the least counts; of written-out Hessians a tenth of them.
        fit_span: exponents are fitted on N down to the largest one divided by this.
    """

    maml: Widths = (30, 40, 55, 74, 98, 131, 176, 235, 314, 420, 560, 748, 998, 1331, 1776, 2369, 3160)
    turtle: Widths = (30, 40, 55, 74, 98, 131, 176, 235, 314, 420, 560)
    explicit: Widths = (20, 24, 30, 35, 40, 47, 55, 64, 74)
    steps: Annotated[int, Field(ge=1, le=50)] = 5
    shots: Annotated[int, Field(ge=1)] = 10
    queries: Annotated[int, Field(ge=1)] = 50
    repeats: Annotated[int, Field(ge=1)] = 25
    fit_span: Annotated[float, Field(gt=1)] = 110.0


@dataclass(frozen=True)
class Point:
    """One meta-gradient: processor seconds (the least of the repeats) and peak bytes, at N weights of the network."""

    learner: str
    way: str
    width: int
    n: int
    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Fit:
    """cost = c N^p over `points` sizes from `least` parameters on: p with its 95 % interval."""

    learner: str
    way: str
    cost: str
    exponent: float
    low: float
    high: float
    constant: float
    least: int
    points: int


@dataclass(frozen=True)
class Cost:
    """All measurements, what was fitted to them, on which machine, and with which settings."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    points: list[Point]
    fits: list[Fit]


def measure(config: Config, progress: Progress) -> Cost:
    """Measures every size, small ones first."""
    cases = [("maml", way, w) for way in (FIRST, EXACT) for w in config.maml]
    cases += [("maml", EXPLICIT, w) for w in config.explicit]
    cases += [("turtle", way, w) for way in (FIRST, EXACT) for w in config.turtle]
    cases.sort(key=lambda case: case[2])
    points = []
    for done, (name, way, width) in enumerate(cases):
        points.append(_point(name, way, width, config))
        progress((done + 1) / len(cases))
    points.sort(key=lambda p: (p.learner, WAYS.index(p.way), p.n))
    settings = {key: getattr(config, key) for key in ("steps", "shots", "queries", "repeats")}
    return Cost(machine(), settings, points, fits(points, config))


def machine() -> dict[str, Any]:
    """What the numbers depend on, without names or paths."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def _point(name: str, way: str, width: int, config: Config) -> Point:
    learner = make(name, network={"widths": (width, width)}, steps=config.steps, first_order=way == FIRST)
    params = learner.init(stream("init"), Sine.spec)
    drawn = Sine(shots=config.shots, queries=config.queries).sample(stream("test"), 1)
    task = tree_map(lambda v: v[0], drawn)
    compute = (lambda: explicit(learner, params, task)) if way == EXPLICIT else lambda: through(learner, params, task)
    peak = peak_bytes(compute)
    repeats = 1 + config.repeats // 10 if way == EXPLICIT else config.repeats  # seconds each, and far from noise
    seconds = min(_timed(compute) for _ in range(repeats))
    return Point(name, way, width, count(params["net"]), seconds, peak)


def _timed(compute: Callable[[], object]) -> float:
    start = time.process_time()
    compute()
    return time.process_time() - start


def through(learner: Learner, params: Params, task: Task) -> Tensor:
    """The meta-gradient by differentiating through the inner loop: (N,)."""
    fresh = tree_map(lambda leaf: leaf.detach().requires_grad_(), params)
    loss = look_ahead(learner, fresh, task)
    found = torch.autograd.grad(loss, list(leaves(fresh)), materialize_grads=True)
    return torch.cat([g.reshape(-1) for g in found])


def explicit(learner: Learner, params: Params, task: Task) -> Tensor:
    """MAML's exact meta-gradient with every Hessian of the inner loop written out: (N,)."""
    _, layout = flat(params["net"])

    def loss(vector: Tensor, x: Tensor, y: Tensor) -> Tensor:
        net = tree_map(lambda leaf: leaf[0], layout.unpack(vector[None]))
        return learner.loss(learner.predict({}, {"net": net}, x), y)

    states = learner.adapt(params, task.support_x, task.support_y, learner.train_steps)
    path = [flat(state["net"])[0] for state in states]
    g: Tensor = grad(loss)(path[-1], task.query_x, task.query_y)
    for theta in reversed(path[:-1]):
        matrix = hessian(loss)(theta, task.support_x, task.support_y)  # (N, N)
        g = g - learner.inner_lr * (matrix @ g)  # type: ignore[attr-defined]
    return g


def peak_bytes(compute: Callable[[], object]) -> int:
    """The most that PyTorch holds at once during a call, beyond what it held before."""
    compute()  # what is allocated once stays out
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        compute()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    changes = [(e["ts"], e["args"]["Bytes"]) for e in events if e.get("name") == "[memory]"]
    held = np.cumsum([change for _, change in sorted(changes, key=lambda pair: pair[0])])
    return int(max(held.max(initial=0), 0))


def fits(points: Sequence[Point], config: Config) -> list[Fit]:
    """The exponents of time and memory of every learner and way; points come in the order of their sizes."""
    found = []
    for name, way in dict.fromkeys((p.learner, p.way) for p in points):
        mine = [p for p in points if (p.learner, p.way) == (name, way)]
        mine = [p for p in mine if p.n * config.fit_span >= mine[-1].n]
        if len(mine) >= LEAST_POINTS:
            n = np.array([p.n for p in mine], float)
            for cost, values in (("seconds", [p.seconds for p in mine]), ("peak_bytes", [p.peak_bytes for p in mine])):
                found.append(Fit(name, way, cost, *exponent(n, np.array(values, float)), mine[0].n, len(mine)))
    return found


def exponent(n: np.ndarray, cost: np.ndarray) -> tuple[float, float, float, float]:
    """p, its 95 % interval (low, high), and c of cost = c n^p, by least squares on logarithms."""
    line = stats.linregress(np.log(n), np.log(cost))
    half = float(stats.t.ppf(0.975, len(n) - 2) * line.stderr)
    p = float(line.slope)
    return p, p - half, p + half, float(np.exp(line.intercept))
