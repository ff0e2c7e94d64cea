"""A network: the function that learners adapt, as hyper-parameters and pure functions on a flat dictionary of tensors.

What happens inside is open at named points: `forward(net, x, at)` hands what a point sees to the hook `at` and goes on
with what it returns. Probes listen through it, and operations (`engine.operations`) stand there.

    kind      what the point sees                                       for example
    input     the inputs                                                "input"
    weight    the tensor of a linear map, before it is applied          "block2.weight", "head.weight"
    linear    what a linear map makes, before norm and activation       "block2.linear"
    active    after the activation                                      "layer1.active"
    pooled    after pooling                                             "block2.pooled"
    output    what the network says                                     "output"
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.func import vjp

from engine.tasks import TaskSpec

Net = dict[str, Tensor]
Hook = Callable[[str, Tensor], Tensor]
Kind = Literal["input", "weight", "linear", "active", "pooled", "output"]


_vjp: Any = vjp  # of one output: (output, function)


def keep(point: str, value: Tensor) -> Tensor:
    """The hook that changes nothing."""
    return value


def as_rows_of(x: Tensor, size: int) -> Tensor:
    """Rows (K, size) as they are; images (K, channels, height, width) of as many numbers as rows; stacks as stacks."""
    return x if x.shape[-1] == size else x.flatten(-3)


@dataclass(frozen=True)
class Point:
    """A place in a network where something can listen or stand.

    Attributes:
        name: "input", "layer1.active", "block2.weight" ... "output".
        kind: what it sees, see above.
        shape: of what it sees of one example; of a weight, of the whole tensor.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A linear map of a network.

    Attributes:
        name: "layer1", "block2", "head".
        weight, bias: keys of its tensors: (out, in) of a dense layer or (out, in, height, width) of a convolution,
            and (out,); None without a bias.
        outputs: its units or channels; None for the head, whose outputs the task decides.
        reads, gives: the points whose values it reads, and where its output, activated if it is, can be read.
        also: keys of further tensors that belong to its outputs, (out,) each: a norm's scale and shift.
        dense: a matrix on rows; False for a convolution.
    """

    name: str
    weight: str
    bias: str | None
    outputs: int | None
    reads: str
    gives: str
    also: tuple[str, ...] = ()
    dense: bool = True

    @property
    def linear(self) -> str:
        """The point that sees what the map makes."""
        return "output" if self.name == "head" else f"{self.name}.linear"

    @property
    def active(self) -> str:
        """The point that sees what its activation makes."""
        return "output" if self.name == "head" else f"{self.name}.active"

    @property
    def keys(self) -> list[str]:
        """All its tensors, the weight first."""
        return [self.weight, *([self.bias] if self.bias else []), *self.also]


def network_of(owner: Any) -> "Network | None":
    """The network among the hyper-parameters of a learner, or the encoder; None if it has none."""
    parts = (getattr(owner, field.name) for field in fields(owner))
    return next((part for part in parts if isinstance(part, Network)), None)


class Acting(NamedTuple):
    """The function that an adapted state stands for: `network.forward(weights, x, at)`."""

    network: "Network"
    weights: Net
    at: Hook = keep

    def __call__(self, x: Tensor) -> Tensor:
        """What it says about x (Q, *input_shape): (Q, output_dim)."""
        return self.network.forward(self.weights, x, self.at)


@dataclass(frozen=True)
class Network:
    """Base of all networks: frozen hyper-parameters with pure functions for *one* set of weights.

    The last of the `layers` is a linear head on what `body` returns.

    Class attributes: `name` (registry, records), `title` and `summary` (one sentence) for people; `axes`: how many axes
    an input has, None for any; `broadcasts`: leading axes of weights (a stack of networks) broadcast through `forward`
    and `pullback`; stacks of others go through vmap, or a loop.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    axes: ClassVar[int | None] = None
    broadcasts: ClassVar[bool] = False

    @property
    def rowwise(self) -> bool:
        """Whether a prediction of `settled` weights is the same whoever is asked beside it."""
        return True

    @property
    def settles(self) -> bool:
        """Whether queries need something of the support, which `settled` weights have."""
        return False

    def refused(self, spec: TaskSpec) -> str | None:
        """Why inputs of a task do not fit, as one sentence; None if they do."""
        axes = len(spec.input_shape)
        if self.axes is None or axes == self.axes:
            return None
        return f"{self.title} reads inputs of {self.axes} axes, such as images; those of this task have {axes}."

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Net:
        """Draws weights for tasks of the given kind."""
        raise NotImplementedError(f"{type(self).__name__} must define init")

    def body(self, net: Net, x: Tensor, at: Hook = keep) -> Tensor:
        """What the head reads, (K, d), of inputs x (K, *input_shape)."""
        raise NotImplementedError(f"{type(self).__name__} must define body")

    def points(self, spec: TaskSpec) -> list[Point]:
        """Its named points, in the order in which `forward` passes them."""
        raise NotImplementedError(f"{type(self).__name__} must define points")

    @property
    def layers(self) -> list[Layer]:
        """Its linear maps, in order; the last is the head."""
        raise NotImplementedError(f"{type(self).__name__} must define layers")

    @property
    def ranks(self) -> dict[str, int]:
        """How many axes each tensor of one set of weights has, by key, layer by layer."""
        return {
            key: 1 if key != layer.weight else 2 if layer.dense else 4 for layer in self.layers for key in layer.keys
        }

    @property
    def head(self) -> Layer:
        """The last layer."""
        return self.layers[-1]

    def forward(self, net: Net, x: Tensor, at: Hook = keep) -> Tensor:
        """The output (K, output_dim) for inputs x (K, *input_shape)."""
        z, head = self.body(net, x, at), self.head
        z = z @ at(f"{head.name}.weight", net[head.weight]).mT
        return at("output", z if head.bias is None else z + net[head.bias].unsqueeze(-2))

    def settled(self, net: Net, support_x: Tensor, at: Hook = keep) -> Net:
        """The weights with all that a query needs to know of the support, as further tensors: statistics of its norms.

        Networks without such norms give back `net` itself. While a learner adapts it asks about the whole support, with
        weights as they are. Before it asks about anything else it must settle the weights it has arrived at, with the
        hook that it will ask through; what it adapts further are the weights, not the settled ones. Meta-gradients
        pass through the statistics.

        Args:
            net: the weights, adapted if they are to be; settled ones are settled anew.
            support_x: the support, (K, *input_shape).
            at: what stands at the points.
        """
        return net

    def features(self, net: Net, x: Tensor, at: Hook = keep) -> dict[str, Tensor]:
        """What the layers after the first one read of x, as rows: (K, d) by "hidden 1", "hidden 2" ..."""
        seen: dict[str, Tensor] = {}

        def listen(point: str, value: Tensor) -> Tensor:
            seen[point] = at(point, value)
            return seen[point]

        self.body(net, x, listen)
        read = [seen[point] for point in dict.fromkeys(layer.reads for layer in self.layers[1:])]
        return {f"hidden {i}": z if self.broadcasts else z.flatten(1) for i, z in enumerate(read, start=1)}

    def pullback(self, net: Net, x: Tensor, at: Hook = keep) -> tuple[Tensor, Callable[[Tensor], Net]]:
        """The output for x, and the map from a loss's derivative with respect to it to that with respect to `net`."""
        output, back = _vjp(lambda weights: self.forward(weights, x, at), net)
        return output, lambda delta: back(delta)[0]

    def pullback_of(
        self, phi: Any, net: Net, x: Tensor, at: Callable[[Any], Hook]
    ) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """The same with respect to the parameters phi of what stands at the points: `at(phi)` is the hook."""
        output, back = _vjp(lambda values: self.forward(net, x, at(values)), phi)
        return output, lambda delta: back(delta)[0]

    def plain(self, net: Net, at: Hook) -> Acting:
        """The function `forward(., x, at)`: as one with other weights and without a hook, where there is such a one."""
        return Acting(self, net, at)
