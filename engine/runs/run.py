"""The run folder: `weights.safetensors` + `run.json` + `history.jsonl`, written atomically and checked on load.

The dashboard is a viewer of these folders: what the command line trains, the pages show.
"""

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from engine.configure import configure, plain_values
from engine.errors import BadRun, EngineError, quoted
from engine.learners import Learner, Params, Trajectory, learner_class
from engine.runs import folders
from engine.runs.files import write_atomically, write_json
from engine.runs.history import read_history
from engine.runs.inputs import (
    checked_inputs,
    checked_path,
    checked_step,
    checked_steps,
    checked_support,
    open_inputs,
    open_support,
    said_of_diverged,
)
from engine.runs.origins import plugins_of, refuse_missing
from engine.runs.record import SCHEMA, checked
from engine.tasks import TaskDistribution, stream, task_class
from engine.trees import Tree, from_names, leaves, named_leaves, tree_map

RECORD, WEIGHTS = folders.RECORD, "weights.safetensors"
TRAINED = ("done", "cancelled")  # the status of runs whose weights are those of a trained learner
ENDED = ("done", "diverged")  # the status of runs that nothing more is to be done for
KEPT = "kept"  # the folder of weights copied along the training, by iteration
MAX_RECORD_BYTES = 1_000_000
MAX_WEIGHTS_BYTES = 500_000_000


@dataclass(frozen=True)
class Run:
    """A trained learner: its hyper-parameters, meta-parameters and everything its record says.

    Attributes:
        path: the run folder.
        learner: the learner with its hyper-parameters.
        distribution: the task distribution it was trained on.
        params: its meta-parameters, best on validation.
        record: the whole content of `run.json`.
    """

    path: Path
    learner: Learner
    distribution: TaskDistribution
    params: Params
    record: dict[str, Any] = field(repr=False)

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.record["seed"])

    @property
    def sha256(self) -> str:
        """The hash of the weights: the key under which anything computed from this run may be cached."""
        return str(self.record["weights_sha256"])

    @property
    def device(self) -> torch.device:
        """Where the weights lie, and points must."""
        return next(leaves(self.params)).device

    def adapt(self, support_x: Any, support_y: Any, steps: int | None = None, *, grad: bool = False) -> Trajectory:
        """Adapts to one support set.

        Args:
            support_x: K inputs, an array or tensor of shape (K, *input_shape).
            support_y: K targets, (K, output_dim); for classification K class indices, (K,).
            steps: inner steps; the learner's evaluation steps unless given.
            grad: let derivatives and `torch.func` (grad, vmap ...) pass: only shapes are checked, and points of float64
                are adapted to in float64. Derivatives are exact, those of first-order learners too.

        Returns:
            The T + 1 states before the first step and after each one.

        Raises:
            BadInput: a shape is wrong, a value is not finite, there is no such class, or the steps are not 0, 1, 2, ...
        """
        if grad:
            x, y = open_support(self.distribution.spec, support_x, support_y, self.device)
            return _exact(self.learner).adapt(_of_type(self.params, x.dtype), x, y, checked_steps(steps))
        x, y = checked_support(self.distribution.spec, support_x, support_y, self.device)
        with torch.no_grad():
            return self.learner.adapt(self.params, x, y, checked_steps(steps))

    def predict(self, trajectory: Trajectory, query_x: Any, step: int = -1, *, grad: bool = False) -> Tensor:
        """Predictions (Q, output_dim) for query_x (Q, *input_shape) after `step` inner steps (-1: the last).

        For classification they are logits, one for each class. Warns where they are not finite; with `grad`, values
        are not looked at, and derivatives and `torch.func` pass, in the type of the points, that of the support.

        Raises:
            BadInput: a shape is wrong, a value is not finite, or there is no such step.
        """
        at = checked_step(step, len(trajectory))
        if grad:
            x = open_inputs(self.distribution.spec, "query_x", query_x, self.device)
            return _exact(self.learner).predict(_of_type(self.params, x.dtype), trajectory[at], x)
        x = checked_inputs(self.distribution.spec, "query_x", query_x, self.device)
        with torch.no_grad():
            found = self.learner.predict(self.params, trajectory[at], x)
        if said := said_of_diverged(self.learner.title, at % len(trajectory), found):
            warnings.warn(said, RuntimeWarning, stacklevel=2)
        return found

    def kept(self) -> dict[int, Params]:
        """The weights along the training by iteration, where the training kept copies (`keep_every`).

        Raises:
            BadRun: a copy is not readable or does not fit the learner.
        """
        found = {}
        for path in sorted((self.path / KEPT).glob("*.safetensors")):
            if not path.stem.isdigit():
                raise BadRun(f"{path} is not named after an iteration.")
            found[int(path.stem)] = _read_weights(path, path.read_bytes(), self.params)
        return found

    def history(self) -> list[dict[str, Any]]:
        """The rows of `history.jsonl`: iteration, loss, validation, ... (empty if there is no history)."""
        return read_history(self.path)


def describe(learner: Learner, distribution: TaskDistribution, seed: int) -> dict[str, Any]:
    """The part of a record that says which learner was trained on what."""
    plugins = plugins_of(learner, distribution)
    return {
        "schema": SCHEMA,
        **({"plugins": plugins} if plugins else {}),
        "learner": learner.name,
        "hyper_parameters": plain_values(learner),
        "task": distribution.name,
        "task_parameters": asdict(distribution),
        "seed": seed,
    }


def save(folder: Path, params: Params, record: dict[str, Any]) -> None:
    """Writes weights, then the record with their hash: a folder without a matching pair does not load."""
    content = save_tensors({name: leaf.detach().cpu().contiguous() for name, leaf in named_leaves(params)})
    write_atomically(folder / WEIGHTS, content)
    write_json(folder / RECORD, {**record, "weights_sha256": hashlib.sha256(content).hexdigest()})


def read_record(folder: Path) -> dict[str, Any]:
    """The checked content of `run.json`.

    Raises:
        BadRun: the folder or the record is missing, unreadable or not one of ours.
    """
    path = folder / RECORD
    try:
        if not folder.is_dir():
            raise BadRun(f"There is no run folder at {folder}.")
        if not path.is_file():
            raise BadRun(f"{folder} is not a run folder: it has no {RECORD}.")
        if path.stat().st_size > MAX_RECORD_BYTES:
            raise BadRun(f"{path} is larger than {MAX_RECORD_BYTES:,} bytes; a record never is.")
        record = json.loads(path.read_bytes())
    except BadRun:
        raise
    except (ValueError, OSError, RecursionError):
        raise BadRun(f"{path} is not readable JSON.") from None
    return checked(record, str(path))


def load(folder: str | Path) -> Run:
    """Opens a trained run.

    Args:
        folder: a run folder, such as `checkpoints/sine/maml-k10-s0`; ~ is the home folder.

    Raises:
        BadRun: something is missing, differs from what the record says, or is not finite; the message names it.
    """
    folder = checked_path(folder)
    record = read_record(folder)
    if not (folder / WEIGHTS).is_file():
        status = record.get("status", "unknown")
        if status == "diverged":
            raise BadRun(f"{folder} has no {WEIGHTS}: its training diverged; train it again with other settings.")
        raise BadRun(f"{folder} has no {WEIGHTS} yet (status: {status}); resume it or train it again.")
    if "weights_sha256" not in record:
        raise BadRun(f"{folder / RECORD} lacks weights_sha256.")
    refuse_missing(record, folder / RECORD)
    try:
        learner = configure(
            learner_class(record["learner"]), record["hyper_parameters"], f"learner {record['learner']}"
        )
        distribution = configure(task_class(record["task"]), record["task_parameters"], f"task {record['task']}")
        like = tree_map(_as_saved, learner.init(stream("init"), distribution.spec))
    except EngineError as error:
        raise BadRun(f"{folder / RECORD} does not describe a run: {error}") from None
    except (RuntimeError, MemoryError):
        raise BadRun(f"{folder / RECORD} describes networks that are too large to build.") from None
    return Run(folder, learner, distribution, _weights(folder / WEIGHTS, record["weights_sha256"], like), record)


def _exact(learner: Learner) -> Learner:
    """The same, with derivatives through its inner gradients: those are constants to first-order learners."""
    return replace(learner, first_order=False) if getattr(learner, "first_order", False) else learner  # type: ignore[call-arg]


def _of_type(params: Params, dtype: torch.dtype) -> Params:
    return tree_map(lambda leaf: leaf.to(dtype) if leaf.is_floating_point() else leaf, params)


def _as_saved(leaf: Tensor) -> Tensor:
    """Weights are saved in float32, whatever PyTorch's default type is where they are opened."""
    return leaf.float() if leaf.is_floating_point() else leaf


def _weights(path: Path, sha256: str, like: Tree) -> Params:
    if path.stat().st_size > MAX_WEIGHTS_BYTES:
        raise BadRun(f"{path} is larger than {MAX_WEIGHTS_BYTES:,} bytes.")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        hashes = f"its hash is {found[:12]}, not {str(sha256)[:12]}"
        raise BadRun(f"{path} is not the file that {RECORD} describes: {hashes}.")
    return _read_weights(path, content, like)


def _read_weights(path: Path, content: bytes, like: Tree) -> Params:
    try:
        named = load_tensors(content)
    except (SafetensorError, KeyError) as error:  # KeyError: a number format that PyTorch does not have
        raise BadRun(f"{path} is not a safetensors file that can be read: {quoted(str(error))[1:-1]}.") from None
    check_tensors(path, named, like)
    there = torch.get_default_device()  # of whoever loads: `engine.execution.devices.on`
    return from_names({name: tensor.to(there) for name, tensor in named.items()}, like)


def check_tensors(path: Path, named: dict[str, Tensor], like: Tree) -> None:
    """Compares names, shapes and types with what the learner needs, and refuses values that are not finite.

    Raises:
        BadRun: names the first difference.
    """
    expected = dict(named_leaves(like))
    for name in (name for name in expected if name not in named):
        raise BadRun(f"{path} lacks the tensor {quoted(name)}.")
    for name in (name for name in named if name not in expected):
        raise BadRun(f"{path} has a tensor {quoted(name)} that this learner does not know.")
    for name, wanted in expected.items():
        given = named[name]
        if given.shape != wanted.shape:
            raise BadRun(f"{path}: {name} must have shape {tuple(wanted.shape)}, got {tuple(given.shape)}.")
        if given.dtype != wanted.dtype:
            raise BadRun(f"{path}: {name} must be {wanted.dtype}, got {given.dtype}.")
        if not given.isfinite().all():
            raise BadRun(f"{path}: {name} has {int((~given.isfinite()).sum())} values that are not finite.")
