r"""The plain LSTM as a few-shot learner, mean-pooled (Huisman, Moerland, Plaat & van Rijn, arXiv 2310.14139).

For passes t = 1 ... T over the support set, every example i takes one LSTM step in parallel:

    (h_i, c_i) = LSTM([x_i ; y_i] ; h_bar_{t-1}, c_i,{t-1}),    h_bar_t = mean over i of h_i   (per LSTM layer)

The cell states c_i are not pooled. The label slot is 0 in the first pass (sine). A query takes one step with
[x ; 0], hidden state h_bar_T and cell 0, and a linear read-out. The only operation across examples is a mean, so the
order of the support set cannot matter.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.learner import Learner, Params, State
from engine.learners.support import carried, remembered, settled
from engine.losses import are_values, as_rows
from engine.networks import ANetwork, Network, as_rows_of, perceptron
from engine.networks import cells as lstm
from engine.tasks import TaskSpec


@dataclass(frozen=True)
class PooledLSTM(Learner):
    """Plain LSTM with mean pooling.

    Attributes:
        hidden, layers: size and number of the LSTM layers; 40 and 2 with one input and output have 20,201 parameters.
        steps: passes T over the support set; the same at test.
        encoder: a network whose body turns inputs into the features that are read; None: inputs are read as they are.
        label_in_first_pass: give the labels in pass 1 as well (the published image code does, sine does not).
    """

    name = "lstm"
    rule = "h̄ ← mean of hᵢ,  hᵢ = LSTM([xᵢ; yᵢ]; h̄, cᵢ)"
    title = "LSTM, pooled"
    family = "memory"
    reference = "Huisman, Moerland, Plaat & van Rijn, arXiv 2310.14139, 2023"
    formula = r"(h_i, c_i) = \mathrm{LSTM}\!\left([x_i ; y_i];\, \bar h_{t-1}, c_i\right), \quad \bar h_t = \tfrac{1}{M} \sum_i h_i"
    summary = "Reads all points in a few passes into one pooled memory; no gradient is ever taken."

    hidden: Annotated[int, Field(ge=1)] = 40
    layers: Annotated[int, Field(ge=1)] = 2
    steps: Annotated[int, Field(ge=1)] = 4
    encoder: ANetwork | None = None
    label_in_first_pass: bool = False

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        encoder, size = encoded(self.encoder, generator, spec)
        return {
            "lstm": lstm.init(generator, size + spec.output_dim, (self.hidden,) * self.layers),
            "readout": perceptron.init(generator, (self.hidden, spec.output_dim), output_bias=True),
            **encoder,
        }

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        points = support_y.shape[-2 if are_values(support_y) else -1]
        state = lstm.zero_state(params["lstm"], points)  # (K, hidden) each
        labels = 1.0 if self.label_in_first_pass else 0.0
        kept = remembered(self.encoder, support_x) if self.encoder else {}
        return {**_pool(state), "show_labels": support_x.new_full((), labels), **kept}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        labels = state["show_labels"] * as_rows(support_y, params["readout"]["bias1"])
        u = torch.cat([read(self.encoder, params, support_x), labels], dim=-1)  # (K, inputs)
        memory = lstm.step(params["lstm"], u, state)
        return {**_pool(memory), "show_labels": torch.ones_like(state["show_labels"]), **carried(state)}

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return perceptron.forward(params["readout"], lstm.output(params["lstm"], self._read(params, state, x)))

    def features(self, params: Params, state: State, x: Tensor) -> dict[str, Tensor]:
        return hidden(self._read(params, state, x))

    def _read(self, params: Params, state: State, x: Tensor) -> lstm.State:
        """The LSTM's state after the one step that reads the queries x (Q, d)."""
        x = read(self.encoder, params, x, state)
        blank = x.new_zeros((*x.shape[:-1], params["lstm"]["weight_ih1"].shape[-1] - x.shape[-1]))
        memory = {
            key: value if key.startswith("h") else torch.zeros_like(value[..., :1, :])
            for key, value in state.items()
            if key.startswith(("h", "c"))
        }
        return lstm.step(params["lstm"], torch.cat([x, blank], dim=-1), memory)


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


def _pool(state: lstm.State) -> State:
    """Means over examples of every hidden state, (1, hidden); the cells (K, hidden) stay apart."""
    return {key: value.mean(-2, keepdim=True) if key.startswith("h") else value for key, value in state.items()}
