"""A process that answers questions about trained learners for another one: see `engine.jobs.crew`.

Messages are pickled, as `multiprocessing` does it: they pass between a process and its own children only.
"""

import contextlib
import functools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection, Pipe
from typing import Any

from engine import plugins
from engine.processes import keep_memory
from engine.runs.ensembles import Ensemble
from engine.runs.places import PACKAGES
from engine.runs.run import load

MOST_OPEN = 256  # ensembles that a helper keeps
PATIENCE_S = 5.0  # at least; one that does not answer for so long is taken to hang
STARTING_S = 120.0  # until it says that it is ready


@dataclass(frozen=True)
class Errand:
    """One question about one ensemble, for whoever is free to answer it.

    Attributes:
        function: of a module, called as `function(ensemble, *arguments)`; answers without tensors.
        ensemble: trained learners.
        arguments: plain values and arrays.
    """

    function: Callable[..., Any]
    ensemble: Ensemble
    arguments: tuple[Any, ...] = ()

    @property
    def kind(self) -> tuple[str, str]:
        """What takes about the same time whenever it is asked."""
        return self.function.__qualname__, self.ensemble.learner.name


def answer(errand: Errand) -> tuple[float, Any]:
    """Seconds of work, and what was found."""
    start = time.thread_time()
    found = errand.function(errand.ensemble, *errand.arguments)
    return time.thread_time() - start, found


@dataclass(eq=False)
class Helper:
    """A process that answers; it ends when this one does, or lets go of the pipe.

    Args:
        modules: imported there before it says that it is ready.
        starting_s: how long it may take until then.
        starts: how many were started in its place, it among them, since one was ready.
    """

    modules: Sequence[str] = ()
    starting_s: float = STARTING_S
    starts: int = 1
    lock: threading.Lock = field(default_factory=threading.Lock)  # held from a question to its answer
    owes: int = 1  # messages that are on their way: the first says that it is ready
    ready: bool = False

    def __post_init__(self) -> None:
        self._pipe, theirs = Pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine.jobs.helper", str(theirs.fileno()), *self.modules],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=PACKAGES,  # where `-m` finds it
            env=plugins.environment(),
        )
        theirs.close()
        self._due = time.monotonic() + self.starting_s

    def free(self) -> bool:
        """Whether it could begin at once. What it found for somebody who did not wait for it is dropped.

        Raises:
            OSError, EOFError: it is no more, or owes something for too long.
        """
        while self.owes and self._pipe.poll():
            with self._within(PATIENCE_S):
                self._pipe.recv()
            self.owes, self.ready = self.owes - 1, True
        if self.owes and time.monotonic() > self._due:
            raise TimeoutError
        return not self.owes

    def begin(self, errands: Sequence[Errand], patience_s: float) -> None:
        """Hands over questions, to be answered in so many seconds.

        Raises:
            OSError: it is no more, or took none.
        """
        with self._within(patience_s):
            self._pipe.send([(errand.function, errand.ensemble.saved, errand.arguments) for errand in errands])
        self.owes += 1
        self._due = time.monotonic() + patience_s

    def end(self, wait: Callable[[], None], patience_s: float) -> list[tuple[float, Any] | None]:
        """The answers; None for those that it could not give. Meanwhile `wait` is called now and then.

        Raises:
            OSError, EOFError: it is no more, or did not answer in so many seconds from now.
        """
        self._due = time.monotonic() + patience_s
        with self._within(patience_s):
            while not self._pipe.poll(0.1):
                wait()
            found: list[tuple[float, Any] | None] = self._pipe.recv()
        self.owes -= 1
        return found

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Kills it after so long: whoever waits for the other end of its pipe, in whatever call, is then told."""
        timer = threading.Timer(seconds, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """Ends it, even one that was stopped and would not hear that it shall end."""
        self._pipe.close()
        self.process.kill()
        self.process.wait()


# ---- the helper's side ---------------------------------------------------------------------------------


@functools.lru_cache(MOST_OPEN)
def _ensemble(folders: tuple[str, ...], hashes: tuple[str, ...]) -> Ensemble:
    found = Ensemble(tuple(load(folder) for folder in folders))
    if tuple(run.sha256 for run in found.runs) != hashes:
        raise ValueError("other weights than those asked about")
    return found


def _answered(asked: tuple[Callable[..., Any], tuple[tuple[str, ...], tuple[str, ...]], tuple[Any, ...]]) -> Any:
    function, saved, arguments = asked
    try:
        return answer(Errand(function, _ensemble(*saved), arguments))
    except Exception:  # whoever asked finds out by itself why, and says so
        return None


def main(descriptor: int, modules: Sequence[str]) -> None:
    """Answers until nobody holds the other end of the pipe."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is meant for the process that asks
    torch.set_num_threads(1)
    keep_memory()
    for module in modules:
        import_module(module)
    with Connection(descriptor) as pipe, contextlib.suppress(EOFError, OSError):
        pipe.send("ready")
        while True:
            pipe.send([_answered(one) for one in pipe.recv()])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
