"""JAX: `jit(value_and_grad(mean of vmap))` of the same function, inner steps unrolled."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor

from engine.networks.perceptron import Net
from engine.tasks import Task
from tests.benchmarks.peers import Work


class Jax:
    """The whole meta-gradient as one XLA program on the CPU."""

    def __init__(self, work: Work, net: Net):
        if next(iter(net.values())).dtype == torch.float64:
            jax.config.update("jax_enable_x64", True)
        self.keys = list(net)
        self.theta = [jnp.asarray(w.numpy()) for w in net.values()]

        def meta_loss(theta: list[Any], task: Task) -> Any:
            weights = theta
            for _ in range(work.steps):
                inner = jax.grad(lambda w: loss(w, task.support_x, task.support_y))(weights)
                weights = [w - work.inner_lr * g for w, g in zip(weights, inner, strict=True)]
            return loss(weights, task.query_x, task.query_y)

        def mean_loss(theta: list[Any], batch: Task) -> Any:
            return jax.vmap(meta_loss, in_axes=(None, 0))(theta, batch).mean()

        self.gradient = jax.jit(jax.value_and_grad(mean_loss))

    def accept(self, batch: Task) -> Task:
        """The batch as JAX arrays."""
        return Task(*(jnp.asarray(v.numpy()) for v in batch))  # type: ignore[arg-type]

    def __call__(self, batch: Task) -> tuple[Any, Any]:
        """One meta-gradient; waits until it is there."""
        return jax.block_until_ready(self.gradient(self.theta, batch))

    def read(self, result: tuple[Any, Any]) -> tuple[Net, Tensor]:
        """By the network's names, as torch tensors."""
        loss, gradient = result
        named = {key: torch.from_numpy(np.array(g)) for key, g in zip(self.keys, gradient, strict=True)}
        return named, torch.from_numpy(np.array(loss))


def loss(weights: list[Any], x: Any, y: Any) -> Any:
    """The mean squared error of the network on x (K, 1) and y (K, 1)."""
    for layer in range(0, len(weights) - 2, 2):
        x = jax.nn.relu(x @ weights[layer].T + weights[layer + 1])
    return jnp.mean((x @ weights[-2].T + weights[-1] - y) ** 2)
