"""Snapshots of a training in progress: everything that its next update depends on, checked when it is read."""

import hashlib
import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from engine.errors import BadRun
from engine.runs.files import write_atomically
from engine.runs.folders import PREVIOUS, SNAPSHOT
from engine.runs.run import check_tensors
from engine.training.trainer import Trainer
from engine.trees import from_names, named_leaves, tree_map


class Changed(BadRun):
    """A record asks for another training than was begun."""


Rows = list[list[dict[str, Any]]]  # the history of every seed


def write(folder: Path, trainer: Trainer, rows: Rows) -> None:
    """Writes a snapshot of the whole group of seeds with their histories; the one before stays beside it."""
    state = _state(trainer)
    tensors = {name: leaf.detach().cpu().contiguous() for name, leaf in named_leaves(state)}
    metadata = {
        "iteration": str(trainer.iteration),
        "seconds": str(trainer.seconds),
        "best_iteration": json.dumps(trainer.best_iteration),
        "lost": json.dumps(trainer.lost),
        "history": json.dumps(rows),
        "trained": json.dumps(_trained(trainer)),
    }
    content = save_tensors(tensors, {**metadata, "sha256": _digest(tensors, metadata)})
    if (folder / SNAPSHOT).is_file():
        os.replace(folder / SNAPSHOT, folder / PREVIOUS)
    write_atomically(folder / SNAPSHOT, content)


def restore(folder: Path, trainer: Trainer) -> Rows | None:
    """Takes up the last snapshot that is whole, and returns its histories; None where there is no snapshot at all.

    Raises:
        Changed: the record now asks for another training than the one that the snapshot is of.
        BadRun: there are snapshots, and none of them is whole and fits the training.
    """
    found = [path for name in (SNAPSHOT, PREVIOUS) if (path := folder / name).is_file()]
    for path in found:
        try:
            return _restore(path, trainer)
        except Changed:
            raise
        except BadRun:
            if path == found[-1]:
                raise
    return None


def remove(folder: Path) -> None:
    """Removes the snapshots of a training that is done."""
    for name in (SNAPSHOT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def _restore(path: Path, trainer: Trainer) -> Rows:
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            named = {name: file.get_tensor(name) for name in file.keys()}
        if metadata.pop("sha256", "") != _digest(named, metadata):
            raise ValueError("its content is not what was written")
        iteration, seconds = int(metadata["iteration"]), float(metadata["seconds"])
        best_iteration, rows = json.loads(metadata["best_iteration"]), json.loads(metadata["history"])
        lost = json.loads(metadata.get("lost", "null")) or [""] * len(trainer.seeds)
        trained = json.loads(metadata.get("trained", "{}"))  # neither is in snapshots of earlier versions
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise BadRun(f"{path} is not a readable snapshot: {error}.") from None
    for key, asked in json.loads(json.dumps(_trained(trainer))).items():
        if key in trained and trained[key] != asked:
            raise Changed(
                f"The record was changed since it was trained: {key} is {asked!r}, and was {trained[key]!r} so far. "
                "Put that back to go on, or restart the training."
            )
    _materialise_optimiser(trainer)
    state = _state(trainer)
    if "best_diverged" not in named and "best_error" in named:  # of a version that took no means without all tasks
        found = named["best_error"].isfinite()
        named["best_diverged"] = torch.where(found, 0, trainer.training.validation_tasks)
    finite = {name: tensor for name, tensor in named.items() if name != "best_error"}
    check_tensors(path, {**finite, "best_error": torch.zeros_like(trainer.best_error)}, state)
    tree_map(lambda now, saved: now.data.copy_(saved), state, from_names(named, state))
    trainer.iteration, trainer.seconds, trainer.best_iteration, trainer.lost = iteration, seconds, best_iteration, lost
    losses = [history[-1].get("loss") if history else None for history in rows]
    trainer.loss = torch.tensor([math.nan if loss is None else loss for loss in losses])  # the last that was logged
    return rows


def _trained(trainer: Trainer) -> dict[str, Any]:
    """What is trained, on what and how, by the names that a record has for it."""
    values = {"learner": trainer.learner.name, "task": trainer.distribution.name, "seeds": list(trainer.seeds)}
    for prefix, owner in (("", trainer.learner), ("task.", trainer.distribution), ("training.", trainer.training)):
        values |= {f"{prefix}{key}": value for key, value in asdict(owner).items()}
    return values


def _digest(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """A hash of all that a snapshot holds."""
    found = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def _state(trainer: Trainer) -> dict[str, Any]:
    optimiser = {
        str(index): {key: value for key, value in trainer.optimiser.state[parameter].items()}
        for index, parameter in enumerate(trainer.optimiser.param_groups[0]["params"])
        if trainer.optimiser.state.get(parameter)
    }
    found = {"best_error": trainer.best_error, "best_diverged": trainer.best_diverged, "skipped": trainer.skipped}
    return {"params": trainer.params, "best": trainer.best, "optimiser": optimiser, **found}


def _materialise_optimiser(trainer: Trainer) -> None:
    """Gives the optimiser its (zero) state, so that a snapshot can be copied into it."""
    optimiser = trainer.optimiser
    before = tree_map(torch.clone, trainer.params)
    for parameter in optimiser.param_groups[0]["params"]:
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    tree_map(lambda now, old: now.data.copy_(old), trainer.params, before)
