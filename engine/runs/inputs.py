"""What people hand to a run: points, steps and folders, taken as they mean it or refused in one sentence."""

import operator
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadInput, BadRun, quoted
from engine.tasks import Classes, TaskSpec, Values


def checked_inputs(spec: TaskSpec, name: str, x: Any, device: torch.device) -> Tensor:
    """Inputs as a tensor (points, *input_shape) on the device of the weights; raises BadInput."""
    return _rows(name, x, spec.input_shape, device)


def checked_support(spec: TaskSpec, support_x: Any, support_y: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """A support set as tensors (K, *input_shape) and (K, output_dim), or class indices (K,); raises BadInput."""
    x = checked_inputs(spec, "support_x", support_x, device)
    match spec.targets:
        case Values(size):
            y = _rows("support_y", support_y, (size,), device)
        case Classes(ways):
            y = _classes(support_y, ways, device)
    if len(x) != len(y) or not len(x):
        raise BadInput(f"Adapting needs as many inputs as targets, at least one: {len(x)} and {len(y)} were given.")
    return x, y


def open_inputs(spec: TaskSpec, name: str, x: Any, device: torch.device) -> Tensor:
    """Inputs as a tensor (points, *input_shape) that derivatives and vmap pass through: only its shape is checked.

    Of float64 it stays so; other types become float32. Raises BadInput.
    """
    return _open_rows(name, x, spec.input_shape, device)


def open_support(spec: TaskSpec, support_x: Any, support_y: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """A support set in the same way, targets in the type of the inputs; class indices must be whole numbers already."""
    x = open_inputs(spec, "support_x", support_x, device)
    match spec.targets:
        case Values(size):
            y = _open_rows("support_y", support_y, (size,), device).to(x.dtype)
        case Classes():
            y = torch.as_tensor(support_y, device=device)
            if y.ndim != 1 or y.dtype.is_floating_point or y.dtype.is_complex:
                raise BadInput(f"support_y must be class indices of shape (points,); {_given(support_y)} was given.")
            y = y.long()
    if len(x) != len(y) or not len(x):
        raise BadInput(f"Adapting needs as many inputs as targets, at least one: {len(x)} and {len(y)} were given.")
    return x, y


def checked_steps(steps: Any) -> int | None:
    """A number of inner steps, or None for the learner's own; raises BadInput."""
    if steps is None:
        return None
    number = whole("steps", steps)
    if number < 0:
        raise BadInput(f"Adapting takes 0 steps or more; {quoted(number)} were asked for.")
    return number


def checked_step(step: Any, states: int) -> int:
    """A place in a trajectory of so many states, counted from its end where negative; raises BadInput."""
    number = whole("step", step)
    if not -states <= number < states:
        raise BadInput(f"This trajectory has steps 0 to {states - 1}; step {quoted(number)} was asked for.")
    return number


def whole(name: str, value: Any) -> int:
    """A whole number of Python, NumPy or PyTorch; raises BadInput for anything else, True and 3.0 among them."""
    true_or_false = isinstance(value, bool | np.bool_) or (isinstance(value, Tensor) and value.dtype == torch.bool)
    try:
        if not true_or_false:
            return operator.index(value)
    except (TypeError, RuntimeError):  # the latter: a tensor without numbers
        pass
    raise BadInput(f"{name} must be a whole number; {_given(value)} was given.")


def checked_path(path: Any) -> Path:
    """A path that a person gave, ~ taken for the home folder; raises BadRun."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise BadRun(f"A run folder is given by its path; {_given(path)} is none.")
    try:
        found = Path(path).expanduser()
        found.exists()  # raises where the system cannot look
    except (RuntimeError, OSError, ValueError) as error:  # nobody's home; too long, not allowed; a zero within
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadRun(f"There is no run folder at {quoted(os.fspath(path))}: {why}.") from None
    return found


def _given(value: Any) -> str:
    """A value as a sentence quotes it, on one line; of what holds many numbers, its kind alone."""
    if isinstance(value, Tensor | np.ndarray):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    return quoted(value)


def _rows(name: str, value: Any, row: tuple[int, ...], device: torch.device) -> Tensor:
    """Real numbers as float32, (points, *row); raises BadInput."""
    shape = f"(points, {', '.join(map(str, row))})"
    tensor = _numbers(name, value, f"numbers of shape {shape}", device).to(torch.float32)
    if tuple(tensor.shape[1:]) != row or tensor.ndim != 1 + len(row):
        raise BadInput(f"{name} must have shape {shape}; {tuple(tensor.shape)} was given.")
    if not tensor.isfinite().all():
        raise BadInput(f"{name} must be finite; {int((~tensor.isfinite()).sum())} of its values are not.")
    return tensor


def _open_rows(name: str, value: Any, row: tuple[int, ...], device: torch.device) -> Tensor:
    shape = f"(points, {', '.join(map(str, row))})"
    try:
        tensor = torch.as_tensor(value, device=device)
    except (TypeError, ValueError, RuntimeError):
        raise BadInput(f"{name} must be numbers of shape {shape}.") from None
    if tuple(tensor.shape[1:]) != row or tensor.ndim != 1 + len(row):
        raise BadInput(f"{name} must have shape {shape}; {tuple(tensor.shape)} was given.")
    if tensor.is_complex():
        raise BadInput(f"{name} must be numbers of shape {shape}, and not complex.")
    return tensor if tensor.dtype == torch.float64 else tensor.to(torch.float32)


def _classes(value: Any, ways: int, device: torch.device) -> Tensor:
    """Class indices (K,) as int64; raises BadInput."""
    rule = f"class indices of shape (points,), whole numbers from 0 to {ways - 1}"
    raw = _numbers("support_y", value, rule, device).double()
    if raw.ndim != 1:
        raise BadInput(f"support_y must be {rule}; shape {tuple(raw.shape)} was given.")
    wrong = raw[(raw != raw.round()) | (raw < 0) | (raw >= ways)]  # NaN differs from itself
    if len(wrong):
        raise BadInput(f"support_y must be {rule}; {wrong[0].item():g} was given.")
    return raw.long()


def _numbers(name: str, value: Any, rule: str, device: torch.device) -> Tensor:
    """Anything that holds real numbers as a dense tensor; raises BadInput with the rule."""
    if isinstance(value, Tensor) and (unfit := _unfit(value, device)):
        raise BadInput(f"{name} must be {rule}, and {unfit}.")
    if isinstance(value, np.ma.MaskedArray):
        raise BadInput(f"{name} must be {rule}, and without a mask: leave masked points out.")
    try:
        # a copy: views that run backwards or are read-only make no tensor
        raw = value if isinstance(value, Tensor) else torch.as_tensor(np.array(value, order="C"), device=device)
    except (TypeError, ValueError, RuntimeError):  # the last: a list of tensors that cannot be arrays
        raise BadInput(f"{name} must be {rule}.") from None
    if raw.is_complex():
        raise BadInput(f"{name} must be {rule}, and not complex.")
    return raw


def _unfit(tensor: Tensor, device: torch.device) -> str:
    """Why a tensor cannot be taken as it is, and what makes it fit; "" if it can."""
    if tensor.is_nested:
        return "not nested: give one set of points at a time"
    if tensor.layout != torch.strided:
        return "dense: call .to_dense() on it"
    if tensor.is_quantized:
        return "not quantized: call .dequantize() on it"
    if tensor.requires_grad:
        return "without a gradient, which adapting here does not carry on: call .detach() on it"
    if tensor.device != device:
        return f"on {device} as the weights are; {tensor.device} was given"
    return ""


def said_of_diverged(title: str, step: int, predicted: Tensor) -> str:
    """One sentence where predictions are not finite, "" where all are."""
    lost = int((~predicted.isfinite()).sum())
    if not lost:
        return ""
    return (
        f"{title} diverged on these points: after {step} inner steps {lost} of {predicted.numel()} predictions are not "
        "finite. Gradient steps grow with the targets; nearer to those of training they hold."
    )
