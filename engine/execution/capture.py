"""Whole meta-steps, recorded once for tasks of one shape and replayed at every update.

Learners here are small: most of an update goes into starting hundreds to thousands of operations, one after the other,
from Python. Nothing in a meta-gradient depends on values that Python would have to see, so what was recorded for one
batch holds for every other. On a GPU a recording is a CUDA graph, which starts all operations at once; on a processor
it is their list (`engine.execution.traces`).
"""

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.execution.traces import faithful
from engine.trees import Tree, tree_map

WARM_UP = 3  # calls before recording: libraries choose their kernels and allocate in the first ones
WORTHWHILE = 50  # calls after which a trace is made: making it takes about as long as 10 to 200 more of them
LONG, FEW = 1000, 5  # calls of which a trace is made after the first few: that it will pay is known then

Function = Callable[[Tensor, Any], tuple[Tensor, Tensor]]  # of parameters and a Task or NoisyTask
Recorder = Callable[[Function, Tree], Function]  # records a call with these arguments


class CudaRecording:
    """A CUDA graph of one call. It reads and writes fixed places in memory."""

    def __init__(self, function: Function, given: Tree):
        self._given = tree_map(torch.clone, given)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP):
                function(*self._given)
        torch.cuda.current_stream().wait_stream(beside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._found = function(*self._given)

    def __call__(self, *given: Any) -> tuple[Tensor, Tensor]:
        """Copies the arguments in, replays, and copies the results out: the next replay writes over them."""
        tree_map(lambda place, value: place.copy_(value), self._given, given)
        self._graph.replay()
        gradient, loss = tree_map(torch.clone, self._found)
        return gradient, loss


class Captured:
    """A meta-gradient that is recorded once for tasks of a shape, and replayed from then on.

    What cannot be recorded (an operation that has to wait for the GPU, or that looks at values) is computed as before,
    after a warning.

    Args:
        function: f(parameters (seeds, N), tasks) -> (gradient (seeds, N), loss (seeds,)), without side effects,
            always given numbers of the same types.
        record: makes a recording.
        after: so many calls of a shape are plain ones.

    Attributes:
        after: the same; may be changed.
    """

    def __init__(self, function: Function, record: Recorder, after: int = 0):
        self._function, self._record, self.after = function, record, after
        self._calls: Counter[tuple[Any, ...]] = Counter()
        self._recordings: dict[tuple[Any, ...], Function] = {}

    @classmethod
    def on(cls, device: str, function: Function, after: int | None = None, calls: int = 0) -> "Captured":
        """Recorded as that device does it: as a trace on a processor once that pays, as a CUDA graph elsewhere.

        Args:
            device: where tensors will be.
            function: as above.
            after: so many calls are plain ones, if not as many as pay.
            calls: so many are expected.
        """
        if device == "cpu":
            usual = FEW if calls >= LONG else WORTHWHILE
            return cls(function, faithful, usual if after is None else after)
        return cls(function, CudaRecording, after or 0)

    def __call__(self, parameters: Tensor, tasks: Any) -> tuple[Tensor, Tensor]:
        shape = (parameters.shape, *(value.shape for value in tasks))
        recording = self._recordings.get(shape)
        if recording is not None:
            return recording(parameters, tasks)
        self._calls[shape] += 1
        if self._calls[shape] > self.after:
            self._recordings[shape] = self._recorded((parameters, tasks))
        return self._recordings.get(shape, self._function)(parameters, tasks)

    def _recorded(self, given: Tree) -> Function:
        try:
            return self._record(self._function, given)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            warnings.warn(f"Meta-steps are not recorded ({reason}); slower.", stacklevel=3)
            return self._function
