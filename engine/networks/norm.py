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
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.errors import BadConfig
from engine.networks.network import Hook, Net, Network, keep

EPSILON = 1e-5  # that of torch.nn.BatchNorm2d and torch.nn.GroupNorm
OF_CHANNELS = (0, 2, 3)  # of (K, d, h, w): all examples and places
OF_GROUPS = (2, 3, 4)  # of (K, groups, d / groups, h, w): the channels of a group and their places

Norm = Literal["batch", "support", "group", "none"]


def moments(z: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance over some axes, which stay as axes of length 1, and z without its mean."""
    mean = z.mean(axes, keepdim=True)
    centred = z - mean
    return mean, centred.square().mean(axes, keepdim=True), centred


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
                found[f"mean{place}"], found[f"variance{place}"] = moments(value, OF_CHANNELS)[:2]
            return value

        own = {key: value for key, value in net.items() if not key.startswith(("mean", "variance"))}  # earlier ones
        self.body(own, support_x, listen)
        return own | found

    def normed(self, net: Net, place: int, z: Tensor) -> Tensor:
        """What the norm of the layer at a place makes of z (K, d, h, w)."""
        if self.norm == "none":
            return z
        scale, shift = (net[key][:, None, None] for key in self.keys_of_norm(place))
        if self.norm == "group":
            scale, shift = (value.unflatten(0, (self.groups, -1)) for value in (scale, shift))
            z = z.unflatten(1, (self.groups, -1))
        if f"mean{place}" in net:
            centred, variance = z - net[f"mean{place}"], net[f"variance{place}"]
        else:
            _, variance, centred = moments(z, OF_GROUPS if self.norm == "group" else OF_CHANNELS)
        z = centred * ((variance + EPSILON).rsqrt() * scale) + shift  # one map of full size is kept for the way back
        return z.flatten(1, 2) if self.norm == "group" else z

    def keys_of_norm(self, place: int) -> tuple[str, ...]:
        """The keys of the tensors that the norm of the layer at a place has."""
        return () if self.norm == "none" else (f"scale{place}", f"shift{place}")

    def fresh_norm(self, place: int, d: int) -> Net:
        """They as they start, for d channels: 1 and 0, (d,)."""
        return dict(zip(self.keys_of_norm(place), (torch.ones(d), torch.zeros(d)), strict=False))

    def _check_groups(self, channels: int) -> None:
        if self.norm == "group" and channels % self.groups:
            raise BadConfig(f"groups must divide the {channels} channels of the network; {self.groups} was given")
