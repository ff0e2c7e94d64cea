"""What the plain LSTMs share: an LSTM that reads labelled points, and then queries, and a linear read-out."""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.learner import Learner, Params, State
from engine.learners.support import settled
from engine.networks import ANetwork, Network, as_rows_of, perceptron
from engine.networks import cells as lstm
from engine.tasks import TaskSpec


@dataclass(frozen=True)
class Recurrent(Learner):
    """Base of the plain LSTMs; they say what a step makes of the support, and what a query starts from.

    Attributes:
        hidden, layers: size and number of the LSTM layers.
        steps: passes T over the support set; the same at test.
        encoder: a network whose body turns inputs into the features that are read; None: inputs are read as they are.
    """

    hidden: Annotated[int, Field(ge=1)] = 40
    layers: Annotated[int, Field(ge=1)] = 2
    steps: Annotated[int, Field(ge=1)] = 4
    encoder: ANetwork | None = None

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        encoder, size = encoded(self.encoder, generator, spec)
        return {
            "lstm": lstm.init(generator, size + spec.output_dim, (self.hidden,) * self.layers),
            "readout": perceptron.init(generator, (self.hidden, spec.output_dim), output_bias=True),
            **encoder,
        }

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return perceptron.forward(params["readout"], lstm.output(params["lstm"], self._read(params, state, x)))

    def features(self, params: Params, state: State, x: Tensor) -> dict[str, Tensor]:
        return hidden(self._read(params, state, x))

    def _for_queries(self, state: State) -> lstm.State:
        """The LSTM's state from which every query is read."""
        raise NotImplementedError(f"{type(self).__name__} must define _for_queries")

    def _labelled(self, params: Params, support_x: Tensor, labels: Tensor) -> Tensor:
        """The support (K, inputs) as the LSTM reads it, with labels (K, output_dim)."""
        return torch.cat([read(self.encoder, params, support_x), labels], dim=-1)

    def _read(self, params: Params, state: State, x: Tensor) -> lstm.State:
        """The LSTM's state after the one step that reads the queries x (Q, d)."""
        x = read(self.encoder, params, x, state)
        blank = x.new_zeros((*x.shape[:-1], params["lstm"]["weight_ih1"].shape[-1] - x.shape[-1]))
        return lstm.step(params["lstm"], torch.cat([x, blank], dim=-1), self._for_queries(state))


def encoded(encoder: Network | None, generator: torch.Generator, spec: TaskSpec) -> tuple[Params, int]:
    """The meta-parameters of an encoder, all but its head, and how many numbers an input is for what reads it."""
    if encoder is None:
        return {}, spec.input_size
    net, head = encoder.init(generator, spec), encoder.head
    return {"encoder": {key: net[key] for key in net if key not in head.keys}}, net[head.weight].shape[-1]


def read(encoder: Network | None, params: Params, x: Tensor, state: State | None = None) -> Tensor:
    """Inputs (K, *input_shape) as rows of numbers (K, size): the support, or, with the state that it led to, queries."""
    if encoder is not None:
        return encoder.body(settled(encoder, params["encoder"], state or {}), x)
    return as_rows_of(x, params["lstm"]["weight_ih1"].shape[-1] - params["readout"]["bias1"].shape[-1])


def hidden(state: lstm.State) -> dict[str, Tensor]:
    """The outputs h of all layers (Q, hidden) by name: "hidden 1" is the lowest."""
    return {f"hidden {key[1:]}": value for key, value in state.items() if key.startswith("h")}
