"""One hidden layer of tanh units: a network whose loss is smooth in its weights."""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.networks.network import Hook, Layer, Net, Network, Point, as_rows_of, keep
from engine.tasks import TaskSpec


@dataclass(frozen=True)
class Tanh(Network):
    """One hidden layer of tanh units.

    Attributes:
        width: how many.
    """

    name = "tanh"
    title = "Tanh layer"
    summary = "One hidden layer of tanh units."

    width: Annotated[int, Field(ge=1, le=100_000)] = 40

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Net:
        def drawn(rows: int, columns: int) -> Tensor:
            return torch.randn(rows, columns, generator=generator) / columns**0.5

        weights = {"weight": drawn(self.width, spec.input_size), "head_weight": drawn(spec.output_dim, self.width)}
        return {**weights, "bias": torch.zeros(self.width), "head_bias": torch.zeros(spec.output_dim)}

    def body(self, net: Net, x: Tensor, at: Hook = keep) -> Tensor:
        z = at("input", as_rows_of(x, net["weight"].shape[-1]))
        z = at("layer1.linear", z @ at("layer1.weight", net["weight"]).mT + net["bias"])
        return at("layer1.active", z.tanh())

    def points(self, spec: TaskSpec) -> list[Point]:
        return [
            Point("input", "input", (spec.input_size,)),
            Point("layer1.weight", "weight", (self.width, spec.input_size)),
            Point("layer1.linear", "linear", (self.width,)),
            Point("layer1.active", "active", (self.width,)),
            Point("head.weight", "weight", (spec.output_dim, self.width)),
            Point("output", "output", (spec.output_dim,)),
        ]

    @property
    def layers(self) -> list[Layer]:
        hidden = Layer("layer1", "weight", "bias", self.width, reads="input", gives="layer1.active")
        return [hidden, Layer("head", "head_weight", "head_bias", None, reads="layer1.active", gives="output")]
