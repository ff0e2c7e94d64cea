"""Convolutions of many stacks of images, each with its own kernels: channels last, under any nesting of vmap.

`vmap` over tasks whose kernels differ makes one grouped convolution, which processors run 1 to 10 times slower than one
convolution after the other, and where images are few, most of the time of those goes into their preparation. Here
`vmap` adds an axis of groups instead. Few images: what all windows see times the kernels of their group, as one batch
of matrix products; many: one convolution a group (`python tests/benchmarks/images.py --ways` measures both).
Kernels that tasks share see all their images as one group.

A convolution is linear in its images and in its kernels, so these three maps are each other's derivatives, to any
order:

    Maps(x, w)       y = w * x
    Images(y, w)     the x of <y, w * x>: its derivative with respect to x
    Kernels(x, y)    the w of <y, w * x>
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad

Dims = tuple[int | None, ...]
MANY = 2_000_000  # numbers that the windows of a group see: on a processor, from here on a convolution is sooner


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    """As torch.nn.functional.conv2d, under any nesting of vmap and derivatives.

    Args:
        x: images (K, inputs, h, w).
        weight: (outputs, inputs, kernel, kernel).
        bias: (outputs,).
        stride: the same along both sides.
        padding: likewise.

    Returns:
        (K, outputs, h', w'), with the channels last in memory.
    """
    found: Tensor = Maps.apply(x.permute(0, 2, 3, 1).unsqueeze(0), weight.unsqueeze(0), stride, padding).squeeze(0)
    return (found if bias is None else found + bias).permute(0, 3, 1, 2)


def windows(x: Tensor, side: int, stride: int) -> Tensor:
    """What every window of images x (G, K, h, w, d) sees: (G, K, h', w', side * side * d)."""
    return x.unfold(2, side, stride).unfold(3, side, stride).permute(0, 1, 2, 3, 5, 6, 4).flatten(4)


def _many(x: Tensor, places: int, side: int) -> bool:
    """Whether the windows of images x (G, K, h, w, d), `places` of them a group, see many numbers."""
    return x.device.type == "cpu" and places * side**2 * x.shape[-1] > MANY


def _each(function: Callable[[Tensor, Tensor], Tensor], one: Tensor, other: Tensor) -> Tensor:
    """A function of images or kernels, channels first, group after group; what it makes lies with its channels last."""
    pairs = zip(one.unbind(0), other.unbind(0), strict=True)
    return torch.stack([function(*pair) for pair in pairs])


def _first(images: Tensor) -> Tensor:
    """Images (K, h, w, d) as torch asks for them, (K, d, h, w), where they lie."""
    return images.permute(0, 3, 1, 2)


def _derivative(y: Tensor, x: Tensor, w: Tensor, stride: int, padding: int, of: int) -> Tensor:
    """That of a convolution with respect to x (0) or w (1), which is there for its shape."""
    rest = [stride] * 2, [padding] * 2, [1] * 2, False, [0] * 2, 1, [of == 0, of == 1, False]
    found: Tensor = torch.ops.aten.convolution_backward(_first(y), x, w, None, *rest)[of]
    return found


def _front(one: Tensor, other: Tensor, dims: Dims, size: int) -> list[Tensor]:
    """Both with the axis of vmap and their groups as one axis; what has none is the same for all."""
    moved = [
        value.unsqueeze(0).expand(size, *value.shape) if dim is None else value.movedim(dim, 0)
        for value, dim in zip((one, other), dims, strict=False)
    ]
    return [value.flatten(0, 1) for value in moved]


class _Bilinear(Function):
    """What the three share."""

    shared: bool  # whether the second operand, where it is the same for all, leaves one group with more images

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        one, other, *ctx.rest = inputs
        ctx.save_for_backward(one, other)
        ctx.save_for_forward(one, other)

    @classmethod
    def jvp_of(cls, ctx: Any, one_t: Tensor | None, other_t: Tensor | None) -> Tensor:
        one, other = ctx.saved_tensors
        parts = [cls.apply(one_t, other, *ctx.rest)] if one_t is not None else []
        parts += [cls.apply(one, other_t, *ctx.rest)] if other_t is not None else []
        return sum(parts[1:], parts[0])

    @classmethod
    def vmap_of(cls, info: Any, dims: Dims, one: Tensor, other: Tensor, *rest: int) -> tuple[Tensor, int]:
        if cls.shared and dims[0] is not None and dims[1] is None:
            found = cls.apply(one.movedim(dims[0], 1).flatten(1, 2), other, *rest)
            return found.unflatten(1, (info.batch_size, -1)), 1
        found = cls.apply(*_front(one, other, dims, info.batch_size), *rest)
        return found.unflatten(0, (info.batch_size, -1)), 0


class Maps(_Bilinear):
    """x (G, K, h, w, inputs), w (G, outputs, inputs, k, k) -> (G, K, h', w', outputs)."""

    shared = True

    @staticmethod
    def forward(x: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        side = w.shape[-1]
        sides = [(n + 2 * padding - side) // stride + 1 for n in x.shape[2:4]]
        if _many(x, x.shape[1] * math.prod(sides), side):

            def one(x: Tensor, w: Tensor) -> Tensor:
                return torch.conv2d(_first(x), w, None, stride, padding).permute(0, 2, 3, 1)

            return _each(one, x, w)
        seen = windows(pad(x, (0, 0, *[padding] * 4)), side, stride)
        kernels = w.permute(0, 3, 4, 2, 1).flatten(1, 3)
        return (seen.flatten(1, 3) @ kernels).unflatten(1, seen.shape[1:4])

    @staticmethod
    def backward(ctx: Any, y: Tensor) -> tuple[Any, ...]:
        x, w = ctx.saved_tensors
        images = Images.apply(y, w, *ctx.rest, *x.shape[2:4]) if ctx.needs_input_grad[0] else None
        kernels = Kernels.apply(x, y, *ctx.rest, w.shape[-1]) if ctx.needs_input_grad[1] else None
        return images, kernels, None, None

    @staticmethod
    def jvp(ctx: Any, x: Tensor | None, w: Tensor | None, *rest: None) -> Tensor:
        return Maps.jvp_of(ctx, x, w)

    @staticmethod
    def vmap(info: Any, dims: Dims, *given: Any) -> tuple[Tensor, int]:
        return Maps.vmap_of(info, dims, *given)


class Images(_Bilinear):
    """y (G, K, h', w', outputs), w (G, outputs, inputs, k, k) -> (G, K, h, w, inputs)."""

    shared = True

    @staticmethod
    def forward(y: Tensor, w: Tensor, stride: int, padding: int, height: int, width: int) -> Tensor:
        side = w.shape[-1]
        if _many(y, y.shape[1] * height * width, side):

            def one(y: Tensor, w: Tensor) -> Tensor:
                x = y.new_empty(1).expand(len(y), w.shape[1], height, width)
                return _derivative(y, x, w, stride, padding, 0).permute(0, 2, 3, 1)

            return _each(one, y, w)
        if stride > 1:  # zeros between
            spread = y.new_zeros(*y.shape[:2], *(stride * (n - 1) + 1 for n in y.shape[2:4]), y.shape[4])
            spread[:, :, ::stride, ::stride] = y
            y = spread
        before = side - 1 - padding
        beyond = [n + padding - m for n, m in zip((height, width), y.shape[2:4], strict=True)]
        y = pad(y, (0, 0, before, beyond[1], before, beyond[0]))
        seen = windows(y, side, 1)
        kernels = w.flip(3, 4).permute(0, 3, 4, 1, 2).flatten(1, 3)
        return (seen.flatten(1, 3) @ kernels).unflatten(1, seen.shape[1:4])

    @staticmethod
    def backward(ctx: Any, x: Tensor) -> tuple[Any, ...]:
        y, w = ctx.saved_tensors
        window = ctx.rest[:2]
        maps = Maps.apply(x, w, *window) if ctx.needs_input_grad[0] else None
        kernels = Kernels.apply(x, y, *window, w.shape[-1]) if ctx.needs_input_grad[1] else None
        return maps, kernels, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, y: Tensor | None, w: Tensor | None, *rest: None) -> Tensor:
        return Images.jvp_of(ctx, y, w)

    @staticmethod
    def vmap(info: Any, dims: Dims, *given: Any) -> tuple[Tensor, int]:
        return Images.vmap_of(info, dims, *given)


class Kernels(_Bilinear):
    """x (G, K, h, w, inputs), y (G, K, h', w', outputs) -> (G, outputs, inputs, k, k)."""

    shared = False

    @staticmethod
    def forward(x: Tensor, y: Tensor, stride: int, padding: int, side: int) -> Tensor:
        if _many(x, math.prod(y.shape[1:4]), side):

            def one(x: Tensor, y: Tensor) -> Tensor:
                w = x.new_empty(1).expand(y.shape[-1], x.shape[-1], side, side)
                return _derivative(y, _first(x), w, stride, padding, 1)

            return _each(one, x, y)
        seen = windows(pad(x, (0, 0, *[padding] * 4)), side, stride)
        found = seen.flatten(1, 3).mT @ y.flatten(1, 3)
        return found.unflatten(1, (side, side, -1)).permute(0, 4, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, w: Tensor) -> tuple[Any, ...]:
        x, y = ctx.saved_tensors
        window = ctx.rest[:2]
        images = Images.apply(y, w, *window, *x.shape[2:4]) if ctx.needs_input_grad[0] else None
        maps = Maps.apply(x, w, *window) if ctx.needs_input_grad[1] else None
        return images, maps, None, None, None

    @staticmethod
    def jvp(ctx: Any, x: Tensor | None, y: Tensor | None, *rest: None) -> Tensor:
        return Kernels.jvp_of(ctx, x, y)

    @staticmethod
    def vmap(info: Any, dims: Dims, *given: Any) -> tuple[Tensor, int]:
        return Kernels.vmap_of(info, dims, *given)
