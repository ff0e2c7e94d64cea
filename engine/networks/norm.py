r"""Normalisation of the channels of images, in plain arithmetic, with statistics of the batch, the support, or groups.

    z -> scale * (z - mean) / sqrt(variance + 1e-5) + shift,   variance: the mean square of z - mean

    batch     mean and variance of a channel over whatever is asked together (Ioffe & Szegedy, ICML 2015). Published
              few-shot code does so for support and query alike: a prediction then depends on who is asked beside it.
    support   those of the support: while a learner adapts it asks about the whole support, where they are those of the
              batch; a query is normalised by the support's (`Network.settled`), and stands for itself.
    group     of each image alone, over all places of a group of channels (Wu & He, ECCV 2018); one group of all
              channels is layer normalisation (Ba et al., 2016) with one scale and shift for each channel.
    none      nothing, not even scale and shift: the linear map before them has its own.

Written out because `F.batch_norm` and `F.layer_norm` under `grad(vmap(grad(...)))` give wrong meta-gradients without an
error (torch 2.13), by up to a few per cent; a test holds that these are right and that it would find those wrong.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.autograd import Function

from engine.errors import BadConfig
from engine.networks.network import Hook, Net, Network, keep

EPSILON = 1e-5  # that of torch.nn.BatchNorm2d and torch.nn.GroupNorm
OF_GROUPS = (2, 3, 4)  # of (K, groups, d / groups, h, w): the channels of a group and their places

Norm = Literal["batch", "support", "group", "none"]


def as_rows(z: Tensor) -> Tensor:
    """Images (K, d, h, w), whose channels lie last in memory, as rows (K * h * w, d)."""
    return z.permute(0, 2, 3, 1).flatten(0, 2)


def moments(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance (d,) of rows (P, d), and these without their mean."""
    mean = rows.mean(0)
    centred = rows - mean
    return mean, centred.square().mean(0), centred


class Standardised(Function):
    """Rows (P, d) -> (z - mean) / sqrt(variance + 1e-5) * scale + shift, with what its derivatives need.

    Gives that, (z - mean) / sqrt(variance + 1e-5), and 1 / sqrt(variance + 1e-5) (d,). The derivative is written out:
    it passes over the rows half as often as the one that autograd makes of the formula.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        _, variance, centred = moments(z)
        root = (variance + EPSILON).rsqrt()
        standard = centred * root
        return torch.addcmul(shift, standard, scale), standard, root

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs[1], *output[1:])
        ctx.save_for_forward(inputs[1], *output[1:])

    @staticmethod
    def backward(ctx: Any, made: Tensor | None, of_standard: Tensor | None, of_root: Tensor | None) -> Any:
        scale, standard, root = ctx.saved_tensors
        number = len(standard)
        along = torch.zeros_like(root) if of_root is None else root * of_root
        of_scale = of_shift = mean = None
        if made is not None:
            of_shift, of_scale = made.sum(0), (made * standard).sum(0)
            along, mean = along + of_scale * scale, of_shift * scale
        if of_standard is not None:
            along = along + (of_standard * standard).sum(0)
            mean = of_standard.sum(0) if mean is None else mean + of_standard.sum(0)
        found = standard * (along * root / -number)
        if mean is not None:
            found = found - mean * root / number
        if made is not None:
            found = torch.addcmul(found, made, scale * root)
        if of_standard is not None:
            found = torch.addcmul(found, of_standard, root)
        return found, of_scale, of_shift

    @staticmethod
    def jvp(ctx: Any, z: Tensor | None, scale: Tensor | None, shift: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        its_scale, standard, root = ctx.saved_tensors
        moved, of_root = torch.zeros_like(standard), torch.zeros_like(root)
        if z is not None:
            along = (z * standard).mean(0)
            moved, of_root = (z - z.mean(0) - standard * along) * root, -along * root.square()
        made = moved * its_scale
        made = made if scale is None else torch.addcmul(made, standard, scale)
        return made if shift is None else made + shift, moved, of_root


@dataclass(frozen=True, kw_only=True)
class Normed(Network):
    """Base of networks whose linear maps, all but the head, are convolutions with a norm right behind each.

    The tensors of the n-th layer end in n: `weight1`, `bias1`, `scale1`, `shift1` and so on.

    Attributes:
        norm: what the statistics are taken of, see above; "batch" is the published way.
        groups: how many groups of channels, with norm "group".
    """

    axes = 3

    norm: Norm = "batch"
    groups: Annotated[int, Field(ge=1)] = 4

    @property
    def rowwise(self) -> bool:
        """Not with statistics of the batch; with those of the support, once the weights are settled."""
        return self.norm != "batch"

    @property
    def settles(self) -> bool:
        return self.norm == "support"

    def settled(self, net: Net, support_x: Tensor, at: Hook = keep) -> Net:
        if not self.settles:
            return net
        places = {layer.linear: place for place, layer in enumerate(self.layers[:-1], start=1)}
        found: Net = {}

        def listen(point: str, value: Tensor) -> Tensor:
            value = at(point, value)
            if place := places.get(point):
                found[f"mean{place}"], found[f"variance{place}"] = moments(as_rows(value))[:2]
            return value

        own = {key: value for key, value in net.items() if not key.startswith(("mean", "variance"))}  # earlier ones
        self.body(own, support_x, listen)
        return own | found

    def normed(self, net: Net, place: int, z: Tensor) -> Tensor:
        """What the norm of the layer at a place makes of z (K, d, h, w)."""
        if self.norm == "none":
            return z
        scale, shift = (net[key] for key in self.keys_of_norm(place))
        if self.norm == "group":
            return self._of_groups(z, scale, shift)
        k, _, h, w = z.shape
        rows = as_rows(z)
        if f"mean{place}" in net:
            factor = (net[f"variance{place}"] + EPSILON).rsqrt() * scale
            made = torch.addcmul(shift - net[f"mean{place}"] * factor, rows, factor)
        else:
            made = Standardised.apply(rows, scale, shift)[0]
        return made.unflatten(0, (k, h, w)).permute(0, 3, 1, 2)

    def _of_groups(self, z: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        scale, shift = (value[:, None, None].unflatten(0, (self.groups, -1)) for value in (scale, shift))
        z = z.unflatten(1, (self.groups, -1))
        centred = z - z.mean(OF_GROUPS, keepdim=True)
        variance = centred.square().mean(OF_GROUPS, keepdim=True)
        return (centred * ((variance + EPSILON).rsqrt() * scale) + shift).flatten(1, 2)

    def keys_of_norm(self, place: int) -> tuple[str, ...]:
        """The keys of the tensors that the norm of the layer at a place has."""
        return () if self.norm == "none" else (f"scale{place}", f"shift{place}")

    def fresh_norm(self, place: int, d: int) -> Net:
        """They as they start, for d channels: 1 and 0, (d,)."""
        return dict(zip(self.keys_of_norm(place), (torch.ones(d), torch.zeros(d)), strict=False))

    def _check_groups(self, channels: int) -> None:
        if self.norm == "group" and channels % self.groups:
            raise BadConfig(f"groups must divide the {channels} channels of the network; {self.groups} was given")
