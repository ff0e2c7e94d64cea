"""A device that is not the processor, without having one: it computes what the processor would, and keeps apart.

Tensors of this device call themselves "meta". As on a GPU, they refuse to meet tensors of the processor (but for single
numbers), and NumPy cannot read them; unlike PyTorch's own meta tensors, they have values.
"""

from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("meta")
aten = torch.ops.aten


class Elsewhere(torch.Tensor):
    """A tensor of the device; `held` has its values."""

    @staticmethod
    def __new__(cls, held):
        kept = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        self = torch.Tensor._make_wrapper_subclass(cls, held.shape, device=DEVICE, **kept)
        self.held = held
        return self

    def __repr__(self, **_):
        return f"Elsewhere({self.held!r})"

    def tolist(self):
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


class Machine(TorchDispatchMode):
    """Makes the tensors that are asked for there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


class Given(TorchFunctionMode):
    """Sends there what Python's numbers are made into, which no dispatch sees."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == DEVICE:
            return func(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)
        return func(*args, **kwargs)


@torch.inference_mode(False)  # whose tensors cannot be wrapped
def computed(func, args, kwargs):
    """One operation, on whatever device its tensors are."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere)]
    moves = func in (aten._to_copy.default, aten.copy_.default)
    if there and not moves and any(tensor.dim() for tensor in here):
        raise RuntimeError(f"{func}: tensors of two devices, {DEVICE} and cpu")
    asked = kwargs.get("device")
    target = bool(there) if asked is None else torch.device(asked) == DEVICE
    if func is aten.copy_.default:
        target = isinstance(args[0], Elsewhere)
    kwargs = {**kwargs, "device": torch.device("cpu")} if asked is not None else kwargs
    held = tree_map_only(Elsewhere, lambda tensor: tensor.held, (args, kwargs))
    if func is aten._efficientzerotensor.default and target:
        func = aten.zeros.default  # a tensor that is known to be zero has no memory, and outside no such mark
    out = func(*held[0], **held[1])
    if target and torch.Tag.inplace_view in func.tags:  # such as squeeze_: the tensor itself gets another shape
        with no_dispatch():
            func(*args, **kwargs)
    known = {id(tensor.held): tensor for tensor in there}  # what is written over stays itself

    def placed(tensor):
        if not target:
            return tensor
        return known[id(tensor)] if id(tensor) in known else Elsewhere(tensor)

    return tree_map_only(torch.Tensor, placed, out)


@contextmanager
def machine():
    """Within it, the device exists."""
    with Given(), Machine():
        yield
