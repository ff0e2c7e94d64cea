"""JAX: one XLA program a task, or one for all by vmap; convolutions as products of windows, or those of XLA."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor

from engine.networks.network import Net
from engine.tasks import Task
from tests.benchmarks.peers.images import ImageWork

Weights = dict[str, Any]


class Windows:
    """Inner steps unrolled, `jit(value_and_grad(...))` of a task; kernels times what their windows see."""

    vmapped: ClassVar[bool] = False
    windows: ClassVar[bool] = True

    def __init__(self, work: ImageWork, net: Net):
        if net["weight1"].dtype == torch.float64:
            jax.config.update("jax_enable_x64", True)
        self.theta = {key: jnp.asarray(w.numpy()) for key, w in net.items()}
        convolve = by_windows if self.windows else by_xla

        def meta_loss(theta: Weights, task: Task) -> Any:
            if work.learner == "protonet":
                z = forward(theta, task.support_x, convolve)
                member = jax.nn.one_hot(task.support_y, work.ways, dtype=z.dtype)
                means = member.T @ z / member.sum(0)[:, None]
                distances = jnp.square(forward(theta, task.query_x, convolve)[:, None] - means).sum(-1)
                return cross_entropy(-distances, task.query_y)
            weights = theta
            for _ in range(work.steps):
                steps = jax.grad(lambda w: cross_entropy(forward(w, task.support_x, convolve), task.support_y))(weights)
                if work.learner == "fomaml":
                    steps = jax.lax.stop_gradient(steps)
                weights = {key: w - work.inner_lr * steps[key] for key, w in weights.items()}
            return cross_entropy(forward(weights, task.query_x, convolve), task.query_y)

        def mean_loss(theta: Weights, batch: Task) -> Any:
            return jax.vmap(meta_loss, in_axes=(None, 0))(theta, batch).mean()

        self.gradient = jax.jit(jax.value_and_grad(mean_loss if self.vmapped else meta_loss))
        self.add = jax.jit(lambda one, other: jax.tree.map(jnp.add, one, other))
        self.mean = jax.jit(lambda tree: jax.tree.map(lambda v: v / work.tasks, tree))

    def accept(self, batch: Task) -> list[Task]:
        """As JAX arrays, images with their channels last: one Task per task, or one with all."""
        x = (v.movedim(-3, -1) if v.ndim == 5 else v.int() for v in batch)
        whole = Task(*(jnp.asarray(v.contiguous().numpy()) for v in x))  # type: ignore[arg-type]
        return [whole] if self.vmapped else [Task(*task) for task in zip(*whole, strict=True)]

    def __call__(self, batch: list[Task]) -> Any:
        """One meta-gradient; waits until it is there."""
        total = self.gradient(self.theta, batch[0])
        for task in batch[1:]:
            total = self.add(total, self.gradient(self.theta, task))
        return jax.block_until_ready(total if self.vmapped else self.mean(total))

    def read(self, result: tuple[Any, Weights]) -> tuple[Net, Tensor]:
        """By the network's names, as torch tensors."""
        loss, gradient = result
        named = {key: torch.from_numpy(np.array(gradient[key])) for key in self.theta}
        return named, torch.from_numpy(np.array(loss))


class VmappedWindows(Windows):
    """The same of a meta-batch, by vmap."""

    vmapped = True


class Convolutions(Windows):
    """`lax.conv_general_dilated`."""

    windows = False


class VmappedConvolutions(Convolutions):
    """Which vmap makes one grouped convolution."""

    vmapped = True


def by_windows(x: Any, w: Any) -> Any:
    """Images (K, side, side, d), kernels (outputs, d, 3, 3): (K, side, side, outputs)."""
    side = x.shape[1]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = [padded[:, row : row + side, column : column + side] for row in range(3) for column in range(3)]
    return jnp.concatenate(seen, -1) @ w.transpose(2, 3, 1, 0).reshape(-1, len(w))


def by_xla(x: Any, w: Any) -> Any:
    """The same."""
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "OIHW", "NHWC"))


def forward(weights: Weights, x: Any, convolve: Any) -> Any:
    """Images (K, side, side, 1) to (K, outputs)."""
    last = sum(key.startswith("weight") for key in weights)
    for n in range(1, last):
        z = convolve(x, weights[f"weight{n}"]) + weights[f"bias{n}"]
        centred = z - z.mean((0, 1, 2))
        root = jax.lax.rsqrt(jnp.square(centred).mean((0, 1, 2)) + 1e-5)
        z = jax.nn.relu(centred * (root * weights[f"scale{n}"]) + weights[f"shift{n}"])
        x = pooled(z)
    x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)  # the head reads channels first
    return x @ weights[f"weight{last}"].T + weights[f"bias{last}"]


def pooled(z: Any) -> Any:
    """2x2 max-pooling of images (K, side, side, d).

    Not `max` over axes: compiled and vmapped on a processor, its gradients were off by 15 to 25 % without an error
    (jaxlib 0.10.2; perhaps because its derivative asks which number equals the largest, and both are computed again).
    """
    even = 2 * (z.shape[1] // 2)
    z = z[:, :even, :even]
    rows = jnp.maximum(z[:, ::2], z[:, 1::2])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


def cross_entropy(z: Any, y: Any) -> Any:
    """Of logits (K, ways) and classes (K,)."""
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1).mean()
