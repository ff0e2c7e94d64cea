"""Training with run folders: one folder per seed, a shared snapshot, resumption exactly where it stopped."""

import contextlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any

from safetensors.torch import save as save_tensors

from engine.errors import EngineError, told
from engine.evaluation import final_scores, held_out_lazily, knowing_nothing, step_scores
from engine.execution.devices import pick_device
from engine.learners import Learner
from engine.processes import peak_memory
from engine.runs.budget import Training
from engine.runs.files import write_atomically, write_json
from engine.runs.folders import CANCEL
from engine.runs.history import HISTORY
from engine.runs.locks import Locks
from engine.runs.run import KEPT, RECORD, WEIGHTS, read_record, save
from engine.tasks import Pooled, TaskDistribution
from engine.training import snapshots
from engine.training.divergence import advice
from engine.training.plans import Plan, earlier_versions, now, plan, plan_of
from engine.training.standing import check_resumable
from engine.training.trainer import Progress, Trainer
from engine.trees import named_leaves

HEARTBEAT = 2.0  # seconds between records while it runs

Report = Callable[[Progress], None]


class Cancelled(Exception):
    """Someone asked for the training to stop; it is saved as it is."""


def train(
    learner: Learner,
    distribution: TaskDistribution,
    training: Training,
    seeds: tuple[int, ...],
    root: Path,
    *,
    device: str = "cpu",
    compiled: bool = False,
    recipe: str = "default",
    replace: bool = False,
    until: int | None = None,
    report: Report = lambda _: None,
) -> list[Path]:
    """Trains all seeds together in this process and writes their run folders.

    Args:
        learner: what to train.
        distribution: on what.
        training: how, and how long.
        seeds: how often.
        root: the folder that gets one run folder per seed.
        device: "cpu" or "cuda".
        compiled: use torch.compile.
        recipe: the name of the recipe collection, for the record.
        replace: overwrite finished runs of the same name.
        until: stop after this many iterations, as an interruption would; resume later.
        report: receives progress events.

    Returns:
        The run folders, one per seed.

    Raises:
        BadInput: a run of that name exists, or the learner cannot learn this kind of task.
        Busy: another process is training there.
    """
    how: dict[str, Any] = {"device": device, "compiled": compiled, "recipe": recipe}
    planned = plan(learner, distribution, training, seeds, root, replace=replace, **how)
    with Locks(planned.folders):
        planned.prepare("running")
        return begin(planned, until=until, report=report)


def resume(
    folder: Path, *, device: str | None = None, until: int | None = None, report: Report = lambda _: None
) -> list[Path]:
    """Continues an interrupted or cancelled training in this process, all its seeds, from its last snapshot.

    On `device`, or where it was trained so far: only there does it end with the same bits.

    Raises:
        BadRun: the folder is not a run, is finished already, or has no readable snapshot.
        Busy: another process is training there.
    """
    check_resumable(folder)
    planned = plan_of(folder)
    planned = replace_fields(planned, device=pick_device(device or planned.device))
    with Locks(planned.folders):
        for path in planned.folders:
            (path / CANCEL).unlink(missing_ok=True)  # what called it off before; not in `begin`: one may just have come
        return begin(planned, resumed=True, until=until, report=report)


def begin(
    planned: Plan, *, resumed: bool = False, until: int | None = None, report: Report = lambda _: None
) -> list[Path]:
    """Trains what is planned, in folders that this process has locked, to the end or until it is called off.

    What ends it is in the records: status "done", "cancelled", or "diverged" or "failed" with a sentence as `error`.
    Of several seeds some may be done and others have diverged (see `engine.training.divergence`).
    """
    try:
        session = _Session(planned)
        if resumed:
            session.restore()
        return session.run(until, report)
    except (EngineError, OSError, RuntimeError, MemoryError) as error:
        fail(planned, error)
        raise


def fail(planned: Plan, error: Exception) -> None:
    """Writes to the records why a training ended; where even that fails, they stay as they are."""
    lines = told(error).strip().splitlines() or [type(error).__name__]
    for folder in planned.folders:
        with contextlib.suppress(OSError, EngineError):
            write_json(folder / RECORD, {**read_record(folder), "status": "failed", "error": lines[0][:500], **now()})


class _Session:
    """A trainer and the run folders it writes."""

    def __init__(self, planned: Plan):
        self.plan, self.folders = planned, planned.folders
        self.trainer = Trainer(
            planned.learner,
            planned.distribution,
            planned.training,
            planned.seeds,
            device=planned.device,
            compiled=planned.compiled,
        )
        self.rows: snapshots.Rows = [[] for _ in planned.folders]  # the histories
        self.past: dict[str, Any] = {}  # the versions that it ran under before a break, if they were others
        self.beat = time.perf_counter()

    def write_records(self, status: str, folders: int | None = None, **more: Any) -> None:
        """The records of the first `folders` runs; weights saved by an earlier cancellation stay known."""
        trainer = self.trainer
        for index, folder in enumerate(self.folders[:folders]):
            old = read_record(folder) if (folder / WEIGHTS).is_file() else {}
            saved: dict[str, Any] = {key: old[key] for key in ("weights_sha256", "metrics") if key in old}
            live = {"iteration": trainer.iteration, "seconds": round(trainer.seconds, 1), "pid": os.getpid(), **more}
            known = {**self.plan.record(index), **self.past, **saved}
            write_json(folder / RECORD, {**known, **live, "status": status, **now()})

    def run(self, until: int | None, report: Report) -> list[Path]:
        trainer, training = self.trainer, self.trainer.training
        end = training.iterations if until is None else min(until, training.iterations)

        def keep(progress: Progress) -> None:
            if progress.logged:
                self.append_history(progress)
            if time.perf_counter() - self.beat > HEARTBEAT:
                self.beat = time.perf_counter()
                rate, seconds = round(progress.tasks_per_s, 1), round(progress.seconds, 1)
                self.write_records("running", 1, iteration=progress.iteration, seconds=seconds, tasks_per_s=rate)
            report(progress)
            if progress.iteration < training.iterations and any((f / CANCEL).exists() for f in self.folders):
                raise Cancelled

        periods = [training.snapshot_every, *([training.keep_every] if training.keep_every else [])]
        self.write_records("running")
        if trainer.iteration == 0:
            self.keep_weights()
        try:
            while trainer.iteration < end and not all(trainer.lost):
                trainer.run(min(end, *((trainer.iteration // every + 1) * every for every in periods)), keep)
                self.keep_weights()
                due = trainer.iteration % training.snapshot_every == 0 or trainer.iteration == end
                if due and trainer.iteration < training.iterations and not all(trainer.lost):
                    self.snapshot()
        except Cancelled:
            self.snapshot()
            self.save("cancelled")
            return list(self.folders)
        if trainer.iteration == training.iterations or all(trainer.lost):
            self.save("done")
            snapshots.remove(self.folders[0])
        return list(self.folders)

    def keep_weights(self) -> None:
        """A copy of the current weights of every seed, at the iterations that `keep_every` asks for."""
        trainer, every = self.trainer, self.trainer.training.keep_every
        if every is None or trainer.iteration % every:
            return
        for index, folder in enumerate(self.folders):
            named = {name: leaf.contiguous() for name, leaf in named_leaves(trainer.seed_params(index, now=True))}
            write_atomically(folder / KEPT / f"{trainer.iteration:08d}.safetensors", save_tensors(named))

    def append_history(self, progress: Progress) -> None:
        for index, folder in enumerate(self.folders):
            row = {
                "iteration": progress.iteration,
                "loss": _finite(progress.loss[index]),
                "validation": None if progress.validation is None else _finite(progress.validation[index]),
                "validation_diverged": None if progress.diverged is None else progress.diverged[index],
                "best": _finite(progress.best[index]),
                "lr": self.trainer.training.lr_at(progress.iteration),
                "tasks_per_s": round(progress.tasks_per_s, 1),
                "seconds": round(progress.seconds, 2),
                "time": round(time.time(), 1),  # for TensorBoard: nothing depends on it
            }
            if not self.rows[index] or self.rows[index][-1]["iteration"] < progress.iteration:
                self.rows[index].append(row)
                with (folder / HISTORY).open("a") as file:
                    file.write(json.dumps(row, allow_nan=False) + "\n")

    def snapshot(self) -> None:
        """One file for the whole group, in the first run's folder; the last two stay."""
        snapshots.write(self.folders[0], self.trainer, self.rows)
        self.write_records("running")

    def restore(self) -> None:
        """Takes up the last snapshot that is whole; without any, the training starts again."""
        self.rows = snapshots.restore(self.folders[0], self.trainer) or self.rows
        if past := earlier_versions(read_record(self.folders[0]), self.trainer.iteration):
            self.past = {"earlier_versions": past}
        for folder, rows in zip(self.folders, self.rows, strict=True):
            for leftover in folder.glob(".*.safetensors.*"):  # of a write that was cut off
                leftover.unlink()
            write_atomically(folder / HISTORY, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def save(self, status: str) -> None:
        """The best weights so far of every seed, with their test scores; seeds that diverged end as such.

        A seed whose validations were all of diverged tasks gets no weights, and neither does one that diverged before
        any update made it better: what there is has learned nothing.
        """
        trainer = self.trainer
        tasks = held_out_lazily(trainer.distribution)
        nothing = knowing_nothing(trainer.distribution, tasks)
        for index, folder in enumerate(self.folders):
            lost, best = trainer.lost[index], math.isfinite(trainer.best_error[index])
            metrics = {
                "validation": _finite(float(trainer.best_error[index])),
                "validation_diverged": int(trainer.best_diverged[index]),
                "best_iteration": trainer.best_iteration[index] if best else None,
            }
            ended: dict[str, Any] = {"iteration": trainer.iteration, "seconds": round(trainer.seconds, 1)}
            ended |= (
                {"status": "diverged", "error": f"{lost} {advice(trainer.learner)}"} if lost else {"status": status}
            )
            record = {**self.plan.record(index), **self.past, **ended, "memory": peak_memory()}
            skipped = {"skipped_updates": int(trainer.skipped[index])}
            if not best or (lost and not trainer.best_iteration[index]):
                write_json(folder / RECORD, {**record, "metrics": {**metrics, **skipped}, **now()})
                (folder / WEIGHTS).unlink(missing_ok=True)  # of an earlier end, such as a cancellation
                continue
            params = trainer.seed_params(index)
            if isinstance(tasks, Pooled):
                scores = final_scores(trainer.learner, params, tasks, trainer.device)
            else:
                scores = step_scores(trainer.learner, params, tasks)
            test = scores.final(nothing)
            metrics |= {
                f"test_{scores.measure}": _finite(test.mean),
                "test_ci95": _finite(test.ci95),
                "test_median": _finite(test.median),
                "test_diverged": test.diverged,
                "test_tasks": test.tasks,
            }
            save(folder, params, {**record, "metrics": {**metrics, **skipped}, **now()})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
