"""How long a training will take, and how much memory, before it begins: from runs that were trained, or by trying."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine import plugins
from engine.configure import one_form, plain_values
from engine.errors import BadInput
from engine.learners import Learner, learner_class
from engine.processes import cores, keep_memory, peak_memory, physical_memory, step_back
from engine.runs.budget import Training
from engine.runs.listing import find
from engine.runs.places import PACKAGES
from engine.tasks import TaskDistribution
from engine.training.memory import BASE

TRIAL_S = 3.0  # seconds of trying after the first update, besides recording
PATIENCE_S = 10.0  # of recording a trace, which takes as long as about 150 plain updates


@dataclass(frozen=True)
class Machine:
    """What trainings run on: processor cores, bytes of memory, and the name of a GPU (None: there is none)."""

    cores: int
    memory: int
    gpu: str | None

    @property
    def sentence(self) -> str:
        """For people."""
        gpu = f"GPU {self.gpu}" if self.gpu else "no GPU"
        return f"{self.cores} cores, {self.memory / 1e9:.0f} GB of memory, {gpu}"


def machine() -> Machine:
    """This machine."""
    import torch

    return Machine(cores(), physical_memory(), torch.cuda.get_device_name() if torch.cuda.is_available() else None)


def from_records(learner: Learner, distribution: TaskDistribution, training: Training, *roots: Path) -> dict[str, Any]:
    """The time of the most similar finished training of this learner, scaled to so many updates and tasks.

    Returns:
        seconds; `run` and `took`: the run it is scaled from and its seconds; and `memory`, the bytes that it held at
        most, if it had the same networks and tasks and its record says so. Empty where there is none to compare.
    """
    best: tuple[tuple[bool, ...], dict[str, Any]] | None = None
    for path, record in find(*roots):
        told, took = record.get("training") or {}, float(record.get("seconds") or 0)
        if (
            record.get("learner") != learner.name
            or record.get("status") != "done"
            or not (took and told.get("iterations"))
        ):
            continue
        values, known = plain_values(learner), record.get("hyper_parameters") or {}
        same = all(one_form(values.get(key)) == one_form(known.get(key)) for key in ("network", "encoder", "steps"))
        close = (same, record.get("task") == distribution.name, record.get("shots") == distribution.shots)
        work = training.iterations * training.meta_batch / (told["iterations"] * told.get("meta_batch", 1))
        if best is None or close > best[0]:
            best = close, {"seconds": took * work, "run": str(path), "took": took}
            if all(close) and record.get("memory") and told.get("meta_batch") == training.meta_batch:
                best[1]["memory"] = record["memory"]
    return best[1] if best else {}


def least_memory(learner: Learner, distribution: TaskDistribution, training: Training, seeds: tuple[int, ...]) -> float:
    """Bytes that a training holds at least, counted, not tried.

    PyTorch itself; the meta-parameters of every seed with their gradient, the optimiser's two averages and the best
    so far; and one copy of them for each task and inner step, which the meta-gradient goes back through.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    from engine.tasks import stream
    from engine.trees import count

    with FakeTensorMode():  # counts the parameters without making them
        numbers = count(learner.init(stream("init"), distribution.spec))
    copies = 5 + training.meta_batch * learner.train_steps
    return BASE + 4.0 * len(seeds) * numbers * copies


def trial(
    learner: Learner, distribution: TaskDistribution, training: Training, seeds: tuple[int, ...]
) -> dict[str, float]:
    """Trains for a moment in this process, without compiling.

    Returns:
        `update_s`: seconds per update, of those that replay a trace if the training is long enough for one and it can
        be made while somebody waits, else of plain ones; `seconds`: of the whole training, without validations;
        `memory`: peak bytes.
    """
    from engine.training.trainer import Trainer

    trainer = Trainer(learner, distribution, training, seeds)
    plain = trainer.plain_updates
    trainer.record(after=sys.maxsize)
    trainer.update()
    update, before = _update_s(trainer), 0.0
    if training.iterations > plain and 150 * update < PATIENCE_S:
        before, began = plain * update, time.perf_counter()
        trainer.record()
        for _ in range(4):  # TorchScript needs some calls until it knows how to run
            trainer.update()
        before += time.perf_counter() - began
        update = _update_s(trainer)
    seconds = before + update * training.iterations
    return {"update_s": update, "seconds": seconds, "memory": float(peak_memory())}


def _update_s(trainer: Any) -> float:
    """Seconds per update, tried for half the time there is."""
    began, count = time.perf_counter(), 0
    while not count or time.perf_counter() - began < TRIAL_S / 2:
        trainer.update()
        count += 1
    return (time.perf_counter() - began) / count


def tried(
    learner: Learner, distribution: TaskDistribution, training: Training, seeds: tuple[int, ...]
) -> dict[str, float]:
    """`trial` in a process of its own, so that its memory is counted alone and no page waits in its lock.

    Raises:
        BadInput: it failed; the message is its last line.
    """
    asked = {
        "learner": learner.name,
        "hyper_parameters": plain_values(learner),
        "task": distribution.name,
        "task_parameters": asdict(distribution),
        "training": asdict(training),
        "seeds": list(seeds),
    }
    done = subprocess.run(
        [sys.executable, "-m", "engine.training.estimates"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        cwd=PACKAGES,  # where `-m` finds it
        env={**plugins.environment(), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it was stopped (too little memory?)"]
        raise BadInput(f"Trying it failed: {lines[-1][:300]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _main() -> None:
    from engine.configure import configure
    from engine.tasks import task_class

    step_back()  # as the training would
    keep_memory()
    asked = json.load(sys.stdin)
    learner = configure(learner_class(asked["learner"]), asked["hyper_parameters"], "learner")
    distribution = configure(task_class(asked["task"]), asked["task_parameters"], "task")
    training = configure(Training, asked["training"], "training")
    print(json.dumps(trial(learner, distribution, training, tuple(asked["seeds"]))))


if __name__ == "__main__":
    _main()
