"""A real training beside a measurement: started by what the page Train calls, at work all the time, gone afterwards."""

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

PATIENCE_S = 300  # until its first update (compiling takes a minute), and until it has stopped
SEEDS = (0, 1, 2)
ENDLESS = 100_000_000  # updates: it is called off, never done


@dataclass
class Beside:
    """A training at work.

    Attributes:
        job: as it was submitted.
        seen: the updates that it had made when it was last seen, and when that was.
    """

    job: Any
    seen: tuple[int, float] = (0, 0.0)

    def at_work(self) -> dict[str, Any]:
        """Waits until it has moved on from where it was last seen, and says what it did since.

        Raises:
            SystemExit: it does not run.
        """
        from engine.jobs import local as jobs

        before, since = self.seen
        end = time.monotonic() + PATIENCE_S
        while True:
            found, now = jobs.job(self.job.folder), time.monotonic()
            reached = int(found.record.get("iteration") or 0)
            if found.status == "running" and reached > before:
                break
            if found.status not in jobs.ACTIVE or now > end:
                sys.exit(f"The training beside is {found.status} after {reached:,} updates; nothing was measured.")
            time.sleep(0.2)
        self.seen, record = (reached, now), found.record
        tasks = (reached - before) * record["training"]["meta_batch"] * len(found.folders)
        about = {key: record[key] for key in ("learner", "shots", "compiled")} | {"seeds": len(found.folders)}
        return about | {"updates": reached - before, "tasks_per_s": tasks / (now - since)}

    def stop(self) -> None:
        """Calls it off, and sees it gone; kills it where it does not go."""
        from engine.errors import EngineError
        from engine.jobs import local as jobs
        from engine.runs.locks import held

        with contextlib.suppress(EngineError):
            jobs.cancel(self.job.folder)
        pid = int(jobs.job(self.job.folder).record.get("pid") or 0)  # it has one once it runs
        end = time.monotonic() + PATIENCE_S
        while held(self.job.folder) or alive(pid):
            if time.monotonic() > end:
                if not pid:
                    sys.exit(f"The training beside waits in {self.job.folder} and does not go.")
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return pid > 0


@contextlib.contextmanager
def training(name: str = "maml", shots: int = 10, *, compiled: bool | None = None) -> Iterator[Beside]:
    """Trains a learner as the page Train would, in a folder of own runs that exists only meanwhile.

    Servers started meanwhile have the same folder of own runs, so the page shows this training too.

    Args:
        name: the learner.
        shots: its support points.
        compiled: use torch.compile; as the page chooses unless given.
    """
    before = os.environ.get("INNERLOOP_RUNS")
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        os.environ["INNERLOOP_RUNS"] = str(runs)
        try:
            beside = Beside(_submitted(runs, name, shots, compiled))
            try:
                beside.at_work()
                yield beside
            finally:
                beside.stop()
        finally:
            os.environ.pop("INNERLOOP_RUNS")
            if before is not None:
                os.environ["INNERLOOP_RUNS"] = before


def _submitted(runs: Path, name: str, shots: int, compiled: bool | None) -> Any:
    from engine.configure import configure
    from engine.execution.gradients import can_compile
    from engine.jobs import local as jobs
    from engine.learners import make
    from engine.runs.budget import Training
    from engine.tasks import Sine
    from engine.training import plans, recipes

    recipe = recipes.recipe("sine", "default", name, shots)
    learner = make(name, **recipe.hyper_parameters)
    budget = configure(Training, {**recipe.training, "iterations": ENDLESS}, "training")
    compiles = can_compile() if compiled is None else compiled
    planned = plans.plan(learner, Sine(shots=shots), budget, SEEDS, runs / "sine", compiled=compiles)
    return jobs.submit(planned, queue=runs / ".queue")
