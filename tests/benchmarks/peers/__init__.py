"""The same second-order MAML meta-gradient by several engines, each written the way its own users write it.

Every engine is one class built from `Work` and one network, with `accept` (a batch of tasks in the engine's own
form, before the clock starts), `__call__` (the meta-gradient, finished when it returns) and `read` (its result as
torch tensors, for comparison). A missing library raises `Missing` with the reason.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from torch import Tensor

from engine.networks.perceptron import Net
from engine.tasks import Task


@dataclass(frozen=True)
class Work:
    """What is computed: an MLP of these widths, T inner steps, a meta-batch of this many tasks."""

    widths: tuple[int, ...]
    steps: int
    tasks: int
    shots: int = 10
    queries: int = 10
    inner_lr: float = 0.01

    @property
    def network(self) -> str:
        """Such as 1-40-40-1."""
        return "-".join(map(str, (1, *self.widths, 1)))


class Engine(Protocol):
    """One way to compute the mean meta-gradient of a batch of tasks."""

    def __init__(self, work: Work, net: Net): ...

    def accept(self, batch: Task) -> Any:
        """A batch with a leading axis of tasks, in the engine's own form."""

    def __call__(self, batch: Any) -> Any:
        """The gradient with respect to the initialisation, and the meta-loss."""

    def read(self, result: Any) -> tuple[Net, Tensor]:
        """What `__call__` returned as torch tensors: like the network, and a scalar."""


class Missing(Exception):
    """An engine's library is not installed or does not load here."""


ENGINES = {
    "compiled": ("ours", "Compiled"),
    "eager": ("ours", "Eager"),
    "higher": ("by_higher", "Higher"),
    "loop": ("by_loop", "Loop"),
    "jax": ("by_jax", "Jax"),
}


def build(name: str, work: Work, net: Net) -> Engine:
    """The engine `name` for this work and network.

    Raises:
        Missing: its library cannot be imported.
    """
    module, cls = ENGINES[name]
    return getattr(load(name, module), cls)(work, net)


def load(name: str, module: str) -> Any:
    """The module of the engine `name`, below this one.

    Raises:
        Missing: it needs a library that cannot be imported.
    """
    try:
        return import_module(f"tests.benchmarks.peers.{module}")
    except (ImportError, AttributeError, RuntimeError) as error:  # absent, or at odds with another package
        if module.endswith(("ours", "by_loop")):
            raise
        raise Missing(f"{name} cannot be used here ({error}); pip install -r requirements-bench.txt") from error
