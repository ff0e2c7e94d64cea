"""The multi-layer perceptron as a network: ReLU layers `weight1`, `bias1`, `weight2` ..., the last one linear."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from engine.networks import perceptron
from engine.networks.network import Acting, Hook, Layer, Net, Network, Point, as_rows_of, keep
from engine.operations.site import At, Site
from engine.tasks import TaskSpec


@dataclass(frozen=True)
class MLP(Network):
    """A ReLU multi-layer perceptron; inputs of several axes are read as one row.

    Its derivatives are written out: an inner loop takes them at every step, and so they need no graph (several times
    faster on a CPU for networks of this size) and are themselves differentiable.

    Attributes:
        widths: of the hidden layers; none make it linear.
        output_bias: draw the output bias at random (dissertation, chapter 5) instead of zero (chapter 3).
    """

    name = "mlp"
    title = "MLP"
    summary = "Layers of ReLU units, each connected to all of the layer before."
    broadcasts = True

    widths: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = (40, 40)
    output_bias: bool = False

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Net:
        sizes = (*self._inputs(spec), *self.widths, spec.output_dim)
        return perceptron.init(generator, sizes, output_bias=self.output_bias)

    def body(self, net: Net, x: Tensor, at: Hook = keep) -> Tensor:
        z = at("input", as_rows_of(x, net["weight1"].shape[-1]))
        for layer in range(1, len(self.widths) + 1):
            weight = at(f"layer{layer}.weight", net[f"weight{layer}"])
            z = at(f"layer{layer}.linear", z @ weight.mT + net[f"bias{layer}"].unsqueeze(-2))
            z = at(f"layer{layer}.active", z.relu())
        return z

    def points(self, spec: TaskSpec) -> list[Point]:
        inputs = self._inputs(spec)
        found, before = [Point("input", "input", inputs)], inputs[0]
        for layer, d in enumerate(self.widths, start=1):
            found += [
                Point(f"layer{layer}.weight", "weight", (d, before)),
                Point(f"layer{layer}.linear", "linear", (d,)),
                Point(f"layer{layer}.active", "active", (d,)),
            ]
            before = d
        head = (spec.output_dim, before)
        return [*found, Point("head.weight", "weight", head), Point("output", "output", head[:1])]

    @property
    def layers(self) -> list[Layer]:
        found, reads = [], "input"
        for layer, d in enumerate(self.widths, start=1):
            gives = f"layer{layer}.active"
            found.append(Layer(f"layer{layer}", f"weight{layer}", f"bias{layer}", d, reads, gives))
            reads = gives
        last = len(self.widths) + 1
        return [*found, Layer("head", f"weight{last}", f"bias{last}", None, reads, "output")]

    def pullback(self, net: Net, x: Tensor, at: Hook = keep) -> tuple[Tensor, Callable[[Tensor], Net]]:
        if (sites := _sites(at)) is None:
            return super().pullback(net, x, at)
        passed = _Passed(net, x, sites, self.layers)
        return passed.output, passed.gradient

    def pullback_of(
        self, phi: Any, net: Net, x: Tensor, at: Callable[[Any], Hook]
    ) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """The same with respect to what stands at the points, by point, each as its site gives it."""
        if (sites := _sites(at(phi))) is None:
            return super().pullback_of(phi, net, x, at)
        passed = _Passed(net, x, sites, self.layers)
        return passed.output, passed.gradient_of_sites

    def plain(self, net: Net, at: Hook) -> Acting:
        """The network with its sites folded into its layers: they are affine in each row."""
        if not (sites := _sites(at)):
            return Acting(self, net, at)
        net = dict(net)
        for layer in self.layers:
            weight, bias = net[layer.weight], net[str(layer.bias)]
            if layer.reads in sites:
                weight, bias = sites[layer.reads].before(weight, bias)
            if layer.linear in sites:
                weight, bias = sites[layer.linear].after(weight, bias)
            net |= {layer.weight: weight, str(layer.bias): bias}
        return Acting(self, net)

    def _inputs(self, spec: TaskSpec) -> tuple[int]:
        return (torch.Size(spec.input_shape).numel(),)


def _sites(at: Hook) -> dict[str, Site] | None:
    """The sites of a hook that have derivatives of their own; None where autograd has to find them."""
    if at is keep:
        return {}
    return at.sites if isinstance(at, At) and at.written_out else None


class _Passed:
    """One pass of inputs through the network with sites, and the way back."""

    def __init__(self, net: Net, x: Tensor, sites: dict[str, Site], layers: list[Layer]):
        self._net, self._sites, self._layers = net, sites, layers
        self._at: dict[str, Tensor] = {}  # what comes to a point where a site stands
        self._read: list[Tensor] = []  # what every layer reads
        self._active: list[Tensor] = []  # what every ReLU makes
        self._weights: list[Tensor] = []  # those of every layer, with the sites beside it folded in
        z = self._on("input", as_rows_of(x, net["weight1"].shape[-1]))
        for layer in layers:
            self._read.append(z)
            weight, bias = net[layer.weight], net[str(layer.bias)]
            if self._folds(layer.reads, "before"):
                weight, bias = sites[layer.reads].before(weight, bias)
            if self._folds(layer.linear, "after"):
                weight, bias = sites[layer.linear].after(weight, bias)
            self._weights.append(weight)
            z = self._on(layer.linear, z @ weight.mT + bias.unsqueeze(-2), "after")
            if layer.gives != "output":
                self._active.append(z.relu())
                z = self._on(layer.gives, self._active[-1])
        self.output = z

    def _folds(self, point: str, side: str) -> bool:
        return point in self._sites and side in self._sites[point].folds

    def _on(self, point: str, z: Tensor, side: str = "before") -> Tensor:
        if point not in self._sites:
            return z
        self._at[point] = z
        return z if self._folds(point, side) else self._sites[point](z)

    def gradient(self, delta: Tensor) -> Net:
        """With respect to every weight and bias, from that with respect to the output."""
        found: Net = {}
        for place in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[place]
            if layer.gives != "output":
                delta = self._below(layer.gives, delta, "before")
                delta = perceptron.before_relu(delta, self._active[place])
            delta = self._below(layer.linear, delta, "after")
            weight, bias = delta.mT @ self._read[place], delta.sum(-2)
            if self._folds(layer.linear, "after"):
                weight, bias = self._sites[layer.linear].after_back(weight, bias)
            if self._folds(layer.reads, "before"):
                weight, bias = self._sites[layer.reads].before_back(weight, bias)
            found |= {layer.weight: weight, str(layer.bias): bias}
            if place > 0:
                delta = delta @ self._weights[place]
        return found

    def _below(self, point: str, delta: Tensor, side: str) -> Tensor:
        """The derivative with respect to what a site reads; one that is folded is passed with the weights."""
        site = self._sites.get(point)
        return delta if site is None or side in site.folds else site.backward(delta)

    def gradient_of_sites(self, delta: Tensor) -> dict[str, Any]:
        """With respect to what stands at each point, from that with respect to the output."""
        found: dict[str, Any] = {}
        for place in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[place]
            if layer.gives != "output":
                delta = perceptron.before_relu(self._noted(layer.gives, delta, found), self._active[place])
            delta = self._noted(layer.linear, delta, found)
            if place > 0 or "input" in self._sites:
                delta = delta @ self._net[layer.weight]
        if "input" in self._sites:
            found["input"] = self._sites["input"].gradient(self._at["input"], delta)
        return found

    def _noted(self, point: str, delta: Tensor, found: dict[str, Any]) -> Tensor:
        site = self._sites.get(point)
        if site is None:
            return delta
        found[point] = site.gradient(self._at[point], delta)
        return site.backward(delta)
