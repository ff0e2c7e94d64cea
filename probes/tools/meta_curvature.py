r"""How curved is the meta-loss L_meta(theta) at meta-parameters theta, in forms that different learners can share?

Everything is of exact Hessian-vector products (`losses.hessian_vector`), for all meta-parameters or a block of them:

    eigenvalue   lambda, the eigenvalue of H of largest magnitude (Lanczos, scipy's `eigsh`)
    trace        mean of z^T H z over random signs z (Hutchinson, 1989), with its standard error
    along        g^T H g / g^T g: the curvature that the next outer step meets, g the exact meta-gradient
    scaled       |lambda| |theta|^2, in units of the loss: theta measured in its own length
    rise         mean over directions u of (L(theta + r u) + L(theta - r u)) / 2 - L(theta), where u is as long as theta
                 *tensor by tensor*: what a random change of every tensor by the share r costs

The first three depend on the parametrisation: a number that is learned as half of what it was, and doubled where it is
used, has four times the curvature in the same function. They compare learners only over what these have in common,
such as the weights of one initialisation. `scaled` does not depend on the scale of theta, `rise` not on that of any
tensor; to second order it is r^2 / 2 times the sum over tensors l of |theta_l|^2 tr(H_ll) / n_l. Its r is finite: a
ReLU network's inner gradients jump where a unit switches, and so does the meta-loss. A Hessian, taken between the
jumps, does not see them; `rise` does. Divided by the loss, either says how curved it is for how low it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from engine.trees import leaves
from probes.tools.losses import Surface

LANCZOS = 12  # vectors kept between restarts
RESTARTS = 60
TOLERANCE = 1e-3  # relative, of the eigenvalue
SMALL = 3  # up to so many parameters the matrix is written out: Lanczos needs more

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Curvature:
    """The measures above, of one block of parameters on one group of tasks.

    `trace_error` is a standard error, `loss` the meta-loss itself.
    """

    eigenvalue: float
    trace: float
    trace_error: float
    along: float
    scaled: float
    rise: float
    loss: float


def curvatures(
    surface: Surface,
    product: Product,
    slope: Tensor,
    blocks: dict[str, Tensor],
    generator: torch.Generator,
    *,
    vectors: int,
    radius: float,
) -> dict[str, Curvature]:
    """All measures at the centre of a surface, block by block.

    Args:
        surface: the meta-loss.
        product: its Hessian at the centre, times a vector.
        slope: its gradient there, (N,).
        blocks: which parameters belong to a block, by name: (N,) booleans.
        generator: draws the directions.
        vectors: how many directions the trace is a mean over; the rise, which costs less, over four times as many.
        radius: r.
    """
    with torch.no_grad():
        loss = float(surface.loss(surface.centre))
    traces = hutchinson(product, surface.size, blocks, generator, vectors)
    found: dict[str, Curvature] = {}
    for name, block in blocks.items():
        same = [other for other in found if torch.equal(blocks[other], block)]
        if same:
            found[name] = found[same[0]]
            continue
        top = top_eigenvalue(product, block)
        part = torch.where(block, slope, 0.0)
        along = float(part @ product(part) / part.square().sum())
        scaled = abs(top) * float(surface.centre[block].square().sum())
        rises = [rise(surface, loss, _direction(surface, block, generator), radius) for _ in range(4 * vectors)]
        found[name] = Curvature(top, *traces[name], along, scaled, float(np.mean(rises)), loss)
    return found


def top_eigenvalue(product: Product, block: Tensor) -> float:
    """The eigenvalue of largest magnitude of the Hessian of a block (N,) of parameters, the others held fixed.

    NaN where Lanczos does not reach it, such as between two of nearly the same magnitude and opposite signs.
    """
    places = block.nonzero().flatten()
    n = len(places)

    def restricted(v: np.ndarray) -> np.ndarray:
        whole = torch.zeros(len(block), dtype=torch.float64)
        whole[places] = torch.as_tensor(np.ascontiguousarray(v.reshape(-1)))
        return product(whole)[places].numpy()

    if n <= SMALL:
        values = np.linalg.eigvalsh(np.stack([restricted(row) for row in np.eye(n)]))
        return float(values[np.abs(values).argmax()])
    start = np.random.default_rng(0).standard_normal(n)
    if not restricted(start).any():  # no curvature at all, which Lanczos cannot say
        return 0.0
    operator = LinearOperator((n, n), matvec=restricted, dtype=np.float64)
    kept = min(LANCZOS, n - 1)
    settings = {"which": "LM", "ncv": kept, "tol": TOLERANCE, "maxiter": RESTARTS, "v0": start}
    try:
        return float(eigsh(operator, k=1, return_eigenvectors=False, **settings)[0])
    except ArpackNoConvergence:
        return float("nan")


def hutchinson(
    product: Product, size: int, blocks: dict[str, Tensor], generator: torch.Generator, vectors: int
) -> dict[str, tuple[float, float]]:
    """The trace of each block of the Hessian with its standard error; all blocks share the vectors."""
    rows: dict[str, list[float]] = {name: [] for name in blocks}
    for _ in range(vectors):
        signs = torch.randint(0, 2, (size,), generator=generator).double() * 2 - 1
        products = signs * product(signs)
        for name, block in blocks.items():
            rows[name].append(float(products[block].sum()))
    error = {
        name: float(np.std(row, ddof=1) / np.sqrt(vectors)) if vectors > 1 else np.nan for name, row in rows.items()
    }
    return {name: (float(np.mean(row)), error[name]) for name, row in rows.items()}


def rise(surface: Surface, loss: float, direction: Tensor, radius: float) -> float:
    """How much higher the loss is, on the mean of both ends, at `radius` along a direction (N,)."""
    with torch.no_grad():
        ends = [float(surface.loss(surface.centre + sign * radius * direction)) for sign in (1, -1)]
    return sum(ends) / 2 - loss


def _direction(surface: Surface, block: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction (N,) as long as the centre, tensor by tensor; 0 outside the block."""
    pieces = []
    for leaf in leaves(surface.tree(surface.centre)):
        u = torch.randn(leaf.shape, generator=generator, dtype=torch.float64)
        pieces.append((u * (leaf.norm() / u.norm())).reshape(-1))
    return torch.where(block, torch.cat(pieces), 0.0)
