"""Training with run folders: one folder per seed, a shared snapshot, resumption exactly where it stopped."""

import json
import math
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors

from engine.errors import BadInput, BadRun
from engine.evaluation import estimate, held_out_tasks, step_scores
from engine.learners import Learner, configure, learner_class
from engine.runs import (
    HISTORY,
    KEPT,
    RECORD,
    check_tensors,
    describe,
    read_history,
    read_record,
    save,
    write_atomically,
    write_json,
)
from engine.tasks import TaskDistribution, task_class
from engine.training import Progress, Trainer, Training
from engine.trees import from_names, named_leaves, tree_map

SNAPSHOT = "snapshot.safetensors"
TEST_TASKS = 2000

Report = Callable[[Progress], None]


def pick_device(device: str) -> str:
    """Resolves "auto" to the GPU where there is one.

    Raises:
        BadInput: "cuda" was asked for and there is none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise BadInput(f"--device must be auto, cpu or cuda, not {device!r}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda was asked for, but PyTorch finds no GPU here.")
    return device


def run_folder(root: Path, distribution: TaskDistribution, learner: Learner, seed: int) -> Path:
    """Where a run belongs: `<root>/<learner>-k<shots>-s<seed>`."""
    return root / f"{learner.name}-k{distribution.shots}-s{seed}"


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
    """Trains all seeds together and writes their run folders.

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
    """
    if distribution.spec.kind not in learner.kinds:
        kinds = " and ".join(learner.kinds)
        raise BadInput(f"{learner.name} learns {kinds} tasks; {distribution.name} is {distribution.spec.kind}.")
    folders = [run_folder(root, distribution, learner, seed) for seed in seeds]
    for folder in folders:
        if folder.exists() and not replace:
            raise BadInput(f"{folder} exists: resume it, remove it, or pass --replace to train it again.")
    trainer = Trainer(learner, distribution, training, seeds, device=device, compiled=compiled)
    session = _Session(trainer, folders, recipe, compiled)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (folder / HISTORY, folder / SNAPSHOT, *(folder / KEPT).glob("*.safetensors")):
            path.unlink(missing_ok=True)
    session.write_records("running")
    return session.run(until, report)


def resume(
    folder: Path, *, device: str = "cpu", until: int | None = None, report: Report = lambda _: None
) -> list[Path]:
    """Continues an interrupted training, with all seeds that were training beside it, from its last snapshot.

    Raises:
        BadRun: the folder is not a run, is finished already, or has no readable snapshot.
    """
    record = read_record(folder)
    if record.get("status") == "done":
        raise BadRun(f"{folder} is trained to its end; there is nothing to resume.")
    try:
        learner = configure(learner_class(record["learner"]), record["hyper_parameters"], "learner")
        distribution = configure(task_class(record["task"]), record["task_parameters"], "task")
        training = configure(Training, record["training"], "training")
        folders = [folder.parent / Path(name).name for name in record["group"]]
        seeds = tuple(int(read_record(f)["seed"]) for f in folders)
    except KeyError as error:
        raise BadRun(f"{folder / RECORD} lacks {error.args[0]}, which resuming needs.") from None
    except TypeError:
        raise BadRun(f"{folder / RECORD} names no run folders in its group, which resuming needs.") from None
    if folder.resolve() not in [f.resolve() for f in folders]:
        raise BadRun(f"{folder / RECORD} names a group without itself, so there is nothing to resume it with.")
    compiled = bool(record.get("compiled"))
    trainer = Trainer(learner, distribution, training, seeds, device=device, compiled=compiled)
    session = _Session(trainer, folders, str(record.get("recipe", "default")), compiled)
    session.restore()
    return session.run(until, report)


class _Session:
    """A trainer and the run folders it writes."""

    def __init__(self, trainer: Trainer, folders: list[Path], recipe: str, compiled: bool):
        self.trainer, self.folders, self.recipe, self.compiled = trainer, folders, recipe, compiled

    def record(self, index: int) -> dict[str, Any]:
        trainer = self.trainer
        return {
            **describe(trainer.learner, trainer.distribution, trainer.seeds[index]),
            "shots": trainer.distribution.shots,
            "recipe": self.recipe,
            "training": asdict(trainer.training),
            "group": [folder.name for folder in self.folders],
            "iteration": trainer.iteration,
            "device": trainer.device,
            "compiled": self.compiled,
            "threads": torch.get_num_threads(),
            "versions": {"python": platform.python_version(), "torch": version("torch")},
            "seconds": round(trainer.seconds, 1),
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def write_records(self, status: str) -> None:
        for index, folder in enumerate(self.folders):
            write_json(folder / RECORD, {**self.record(index), "status": status})

    def run(self, until: int | None, report: Report) -> list[Path]:
        trainer, training = self.trainer, self.trainer.training
        end = training.iterations if until is None else min(until, training.iterations)

        def keep(progress: Progress) -> None:
            if progress.validation is not None:
                self.append_history(progress)
            report(progress)

        periods = [training.snapshot_every, *([training.keep_every] if training.keep_every else [])]
        if trainer.iteration == 0:
            self.keep_weights()
        while trainer.iteration < end:
            trainer.run(min(end, *((trainer.iteration // every + 1) * every for every in periods)), keep)
            self.keep_weights()
            due = trainer.iteration % training.snapshot_every == 0 or trainer.iteration == end
            if due and trainer.iteration < training.iterations:
                self.snapshot()
        if trainer.iteration == training.iterations:
            self.finish()
        return self.folders

    def keep_weights(self) -> None:
        """A copy of the current weights of every seed, at the iterations that `keep_every` asks for."""
        trainer, every = self.trainer, self.trainer.training.keep_every
        if every is None or trainer.iteration % every:
            return
        for index, folder in enumerate(self.folders):
            mine = tree_map(lambda p: p[index], trainer.params)  # noqa: B023
            named = {name: leaf.detach().cpu().contiguous() for name, leaf in named_leaves(mine)}
            write_atomically(folder / KEPT / f"{trainer.iteration:08d}.safetensors", save_tensors(named))

    def append_history(self, progress: Progress) -> None:
        assert progress.validation is not None
        for index, folder in enumerate(self.folders):
            loss = progress.loss[index]
            row = {
                "iteration": progress.iteration,
                "loss": loss if math.isfinite(loss) else None,
                "validation": _finite(progress.validation[index]),
                "best": _finite(progress.best[index]),
                "lr": self.trainer.training.lr_at(progress.iteration),
                "tasks_per_s": round(progress.tasks_per_s, 1),
                "seconds": round(progress.seconds, 2),
            }
            rows = read_history(folder)
            if not rows or rows[-1]["iteration"] < progress.iteration:
                with (folder / HISTORY).open("a") as file:
                    file.write(json.dumps(row, allow_nan=False) + "\n")

    def snapshot(self) -> None:
        """One file for the whole group, in the first run's folder, so that it is whole or absent."""
        trainer = self.trainer
        tensors = {f"{part}.{name}": leaf for part, tree in self._state().items() for name, leaf in named_leaves(tree)}
        tensors["best_error"], tensors["skipped"] = trainer.best_error, trainer.skipped
        metadata = {
            "iteration": str(trainer.iteration),
            "seconds": str(trainer.seconds),
            "best_iteration": json.dumps(trainer.best_iteration),
        }
        plain = {name: leaf.detach().cpu().contiguous() for name, leaf in tensors.items()}
        write_atomically(self.folders[0] / SNAPSHOT, save_tensors(plain, metadata))
        self.write_records("running")

    def restore(self) -> None:
        path, trainer = self.folders[0] / SNAPSHOT, self.trainer
        if not path.is_file():
            for folder in self.folders:
                (folder / HISTORY).unlink(missing_ok=True)
            return  # nothing was snapshot yet: start again
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata()
                named = {name: file.get_tensor(name) for name in file.keys()}
        except SafetensorError as error:
            raise BadRun(f"{path} is not a readable snapshot: {error}.") from None
        self._materialise_optimiser()
        state = {**self._state(), "best_error": trainer.best_error, "skipped": trainer.skipped}
        finite = {name: tensor for name, tensor in named.items() if name != "best_error"}
        check_tensors(path, {**finite, "best_error": torch.zeros_like(trainer.best_error)}, state)
        tree_map(lambda now, saved: now.data.copy_(saved), state, from_names(named, state))
        trainer.iteration = int(metadata["iteration"])
        trainer.seconds = float(metadata["seconds"])
        trainer.best_iteration = json.loads(metadata["best_iteration"])
        for folder in self.folders:
            kept = [row for row in read_history(folder) if row["iteration"] <= trainer.iteration]
            write_atomically(folder / HISTORY, "".join(json.dumps(row) + "\n" for row in kept).encode())

    def _state(self) -> dict[str, Any]:
        trainer = self.trainer
        optimiser = {
            str(index): {key: value for key, value in trainer.optimiser.state[parameter].items()}
            for index, parameter in enumerate(trainer.optimiser.param_groups[0]["params"])
            if trainer.optimiser.state.get(parameter)
        }
        return {"params": trainer.params, "best": trainer.best, "optimiser": optimiser}

    def _materialise_optimiser(self) -> None:
        """Gives the optimiser its (zero) state, so that a snapshot can be copied into it."""
        optimiser = self.trainer.optimiser
        before = tree_map(torch.clone, self.trainer.params)
        for parameter in optimiser.param_groups[0]["params"]:
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        tree_map(lambda now, old: now.data.copy_(old), self.trainer.params, before)

    def finish(self) -> None:
        trainer = self.trainer
        tasks = held_out_tasks(trainer.distribution, TEST_TASKS)
        for index, folder in enumerate(self.folders):
            params = trainer.seed_params(index)
            scores = step_scores(trainer.learner, params, tasks)
            test = estimate(scores.headline[:, -1].numpy())
            metrics = {
                "validation": _finite(float(trainer.best_error[index])),
                "best_iteration": trainer.best_iteration[index],
                f"test_{scores.measure}": _finite(test.mean),
                "test_ci95": _finite(test.ci95),
                "test_median": _finite(test.median),
                "test_tasks": TEST_TASKS,
                "skipped_updates": int(trainer.skipped[index]),
            }
            save(folder, params, {**self.record(index), "status": "done", "metrics": metrics})
        (self.folders[0] / SNAPSHOT).unlink(missing_ok=True)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
