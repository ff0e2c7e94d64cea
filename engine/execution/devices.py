"""Where things are computed: choosing a device, and running code that was written for the processor on another one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from engine.errors import BadInput, quoted


def pick_device(device: str) -> str:
    """Resolves "auto" to the GPU where there is one.

    Raises:
        BadInput: "cuda" was asked for and there is none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise BadInput(f"--device must be auto, cpu or cuda, not {quoted(device)}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda was asked for, but PyTorch finds no GPU here.")
    return device


@contextmanager
def on(device: str) -> Iterator[None]:
    """Within it, new tensors and loaded weights lie on a device, and what is drawn is what the processor would draw.

    PyTorch's own `with torch.device(...)` leaves two things to be done, which this does: random numbers come from
    generators of the processor (the streams are the same everywhere) and move over; tensors become arrays of NumPy. The
    other way is `torch.as_tensor`: `torch.from_numpy` makes tensors of the processor everywhere.
    """
    if device == "cpu":
        yield
        return
    with torch.device(device), _Bridge(device):
        yield


class _Bridge(TorchFunctionMode):
    """Carries random draws to a device, and numbers for NumPy back."""

    def __init__(self, device: str):
        super().__init__()
        self._device = device

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.numpy, Tensor.__array__):
            return func(args[0].cpu(), *args[1:], **kwargs)
        if kwargs.get("generator") is not None:
            return func(*args, **{**kwargs, "device": "cpu"}).to(self._device)
        return func(*args, **kwargs)
