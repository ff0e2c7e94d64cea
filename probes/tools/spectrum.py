r"""The spectrum of a symmetric matrix H (N, N) that is known only by its products with vectors.

    ends        the k largest and the k smallest eigenvalues: Lanczos, scipy's `eigsh` on a `LinearOperator`, restarted
    quadrature  the density of all eigenvalues by stochastic Lanczos quadrature (Ghorbani, Krishnan & Xiao, ICML 2019):
                from a random start z the tridiagonal matrix of m Lanczos steps has eigenvalues (nodes) and squared
                first entries of eigenvectors (weights) with sum_i w_i f(theta_i) close to z^T f(H) z, whose mean over
                z is tr f(H) / N. Every new vector is made orthogonal to all before it, twice: without that, Lanczos
                finds the same eigenvalue again and again.
    ascent      the largest rise of a loss in a ball, by projected gradient ascent: a lower bound, as good as the ascent

Shifted by its spectral radius r, a matrix has all its eigenvalues on one side of 0. That makes the tolerance of Lanczos
relative to r at both ends: small eigenvalues that crowd near 0 are as exact as they matter, and cost nothing extra.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor
from torch.func import grad_and_value

from probes.tools.losses import Surface

TOLERANCE = 1e-6  # of an eigenvalue, relative to the spectral radius
RESTARTS = 300
BASIS = 40  # vectors that Lanczos keeps between restarts, at least
WRITTEN_OUT = 48  # up to so many parameters the matrix is written out

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Ends:
    """Both ends of a spectrum; NaN for what Lanczos did not reach.

    Attributes:
        high: the largest eigenvalues, falling, (k,).
        low: the smallest ones, rising, (k,).
        vectors: eigenvectors of the largest ones, (k, N).
    """

    high: np.ndarray
    low: np.ndarray
    vectors: np.ndarray


def ends(product: Product, n: int, k: int) -> Ends:
    """The k largest and k smallest eigenvalues of H (n, n), or all of them where there are fewer."""
    k = min(k, n)
    if n <= max(WRITTEN_OUT, 2 * k + 2):
        values, vectors = np.linalg.eigh(_written_out(product, n))
        return Ends(values[::-1][:k], values[:k], vectors.T[::-1][:k])
    start = np.random.default_rng(0).standard_normal(n)
    radius = 1.01 * abs(float(_largest(product, n, 1, 0.0, start, 1e-2)[0][0]))
    if radius == 0:  # no curvature at all, which Lanczos cannot say
        return Ends(np.zeros(k), np.zeros(k), np.eye(k, n))
    high, vectors = _largest(product, n, k, radius, start, TOLERANCE)
    low, _ = _largest(lambda v: -product(v), n, k, radius, start, TOLERANCE)
    return Ends(high, -low, vectors)


def _largest(
    product: Product, n: int, k: int, shift: float, start: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """The k largest eigenvalues, falling, and their vectors; with a shift of 0 those of largest magnitude."""

    def shifted(v: np.ndarray) -> np.ndarray:
        v = np.ascontiguousarray(v.reshape(-1))
        return product(torch.as_tensor(v)).numpy() + shift * v

    if not shifted(start).any():
        return np.zeros(k), np.eye(k, n)
    operator = LinearOperator((n, n), matvec=shifted, dtype=np.float64)
    options = {"ncv": min(n, max(BASIS, 2 * k + 2)), "maxiter": RESTARTS, "tol": tolerance, "v0": start}
    try:
        values, vectors = eigsh(operator, k=k, which="LA" if shift else "LM", **options)
    except ArpackNoConvergence as stopped:
        values, vectors = stopped.eigenvalues, stopped.eigenvectors
    order = np.argsort(-values)
    missing = k - len(order)
    values = np.concatenate([values[order] - shift, np.full(missing, np.nan)])
    return values, np.concatenate([vectors.T[order], np.full((missing, n), np.nan)])


def _written_out(product: Product, n: int) -> np.ndarray:
    rows = np.stack([product(row).numpy() for row in torch.eye(n, dtype=torch.float64)])
    return (rows + rows.T) / 2


def quadrature(
    product: Product, n: int, generator: torch.Generator, vectors: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the spectral density: (vectors, m) each, m = min(steps, n); the weights of a row sum to 1.

    Rows that end early, because Lanczos has found all that its start contains, are filled with weights of 0.
    """
    m = min(steps, n)
    nodes, weights = np.zeros((vectors, m)), np.zeros((vectors, m))
    for row in range(vectors):
        signs = torch.randint(0, 2, (n,), generator=generator).double() * 2 - 1
        diagonal, beside = lanczos(product, signs / n**0.5, m)
        values, columns = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        nodes[row, : len(values)], weights[row, : len(values)] = values, columns[0] ** 2
    return nodes, weights


def lanczos(product: Product, start: Tensor, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Diagonal (m,) and off-diagonal (m - 1,) of the tridiagonal matrix of Lanczos from a unit vector (N,)."""
    basis = start.new_zeros(steps, len(start))
    diagonal: list[float] = []
    beside: list[float] = []
    q = start
    for step in range(steps):
        basis[step] = q
        v = product(q)
        diagonal.append(float(q @ v))
        for _ in range(2):
            v = v - basis[: step + 1].mT @ (basis[: step + 1] @ v)
        length = float(v.norm())
        if step == steps - 1 or length <= 1e-10 * (max(map(abs, diagonal)) + sum(beside)):
            break
        beside.append(length)
        q = v / length
    return np.array(diagonal), np.array(beside[: len(diagonal) - 1])


def smoothed(nodes: np.ndarray, weights: np.ndarray, grid: np.ndarray, width: float) -> np.ndarray:
    """A density on a grid (points,) from nodes and weights of any equal shape: a Gaussian of `width` for every node.

    Its integral is 1 over the unit of the grid, which may be any increasing function of the eigenvalue.
    """
    theta, w = np.ravel(nodes), np.ravel(weights)
    bumps = np.exp(-np.square((grid[:, None] - theta) / width) / 2) / (width * np.sqrt(2 * np.pi))
    return bumps @ (w / w.sum())


def ascent(surface: Surface, at: Tensor, starts: Tensor, radius: float, steps: int) -> float:
    """The largest rise of the loss found within `radius` of a point (N,), and at least 0.

    Args:
        surface: the loss.
        at: the centre of the ball.
        starts: directions to start from, (s, N); every one is followed from the edge of the ball.
        radius: of the ball.
        steps: of the ascent; each goes a quarter of the radius along the gradient, then back into the ball.
    """
    slope = grad_and_value(surface.loss)
    _, level = slope(at)
    best = float(level)
    for start in starts:
        delta = start * (radius / start.norm().clamp_min(1e-300))
        for step in range(steps + 1):
            g, value = slope(at + delta)
            best = max(best, float(value))
            if step == steps:
                break
            delta = delta + 0.25 * radius * g / g.norm().clamp_min(1e-300)
            delta = delta * (radius / delta.norm().clamp_min(radius))
    return best - float(level)
