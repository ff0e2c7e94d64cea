"""Whole meta-steps on a GPU as CUDA graphs: recorded once for tasks of one shape, replayed at every update.

Learners here are small: a GPU waits most of the time for the processor to start the next of thousands of operations.
A replay starts all of them at once. Nothing in a meta-gradient depends on values that the processor would have to see,
so what was recorded for one batch holds for every other.
"""

import warnings
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.trees import Tree, leaves, tree_map

WARM_UP = 3  # calls before recording: libraries choose their kernels and allocate in the first ones

Function = Callable[[Tensor, Any], tuple[Tensor, Tensor]]


class Recording(Protocol):
    """A function of tensors that lie in fixed places.

    Attributes:
        given: its arguments, to be written over.
        found: what `replay` computes from them, always in the same place.
    """

    given: Tree
    found: Tree

    def replay(self) -> None:
        """Computes `found` from `given`."""


class CudaRecording:
    """A CUDA graph of one call."""

    def __init__(self, function: Function, given: Tree):
        self.given = tree_map(torch.clone, given)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP):
                function(*self.given)
        torch.cuda.current_stream().wait_stream(beside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self.found = function(*self.given)

    def replay(self) -> None:
        """Starts the graph."""
        self._graph.replay()


class Captured:
    """A meta-gradient that is recorded at the first call with tasks of a shape, and replayed at all others.

    What cannot be recorded (an operation that has to wait for the GPU) is computed as before, after a warning.

    Args:
        function: f(parameters (seeds, N), tasks) -> (gradient (seeds, N), loss (seeds,)), without side effects.
        record: makes a recording.
    """

    def __init__(self, function: Function, record: Callable[[Function, Tree], Recording] = CudaRecording):
        self._function, self._record = function, record
        self._recordings: dict[tuple[Any, ...], Recording | None] = {}

    def __call__(self, parameters: Tensor, tasks: Any) -> tuple[Tensor, Tensor]:
        given = (parameters, tasks)
        shape = tuple((leaf.shape, leaf.dtype) for leaf in leaves(given))
        if shape not in self._recordings:
            self._recordings[shape] = self._recorded(given)
        recording = self._recordings[shape]
        if recording is None:
            return self._function(*given)
        tree_map(lambda place, value: place.copy_(value), recording.given, given)
        recording.replay()
        gradient, loss = tree_map(torch.clone, recording.found)  # the next replay writes over them
        return gradient, loss

    def _recorded(self, given: Tree) -> Recording | None:
        try:
            return self._record(self._function, given)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            warnings.warn(f"Meta-steps are not captured as a CUDA graph ({reason}); slower.", stacklevel=3)
            return None
