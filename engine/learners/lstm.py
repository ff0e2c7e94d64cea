r"""The plain LSTM as a few-shot learner, mean-pooled (Huisman, Moerland, Plaat & van Rijn, arXiv 2310.14139).

For passes t = 1 ... T over the support set, every example i takes one LSTM step in parallel:

    (h_i, c_i) = LSTM([x_i ; y_i] ; h_bar_{t-1}, c_i,{t-1}),    h_bar_t = mean over i of h_i   (per LSTM layer)

The cell states c_i are not pooled. The label slot is 0 in the first pass (sine). A query takes one step with
[x ; 0], hidden state h_bar_T and cell 0, and a linear read-out. The only operation across examples is a mean, so the
order of the support set cannot matter.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.learners.learner import Params, State
from engine.learners.recurrent import Recurrent
from engine.learners.support import carried, remembered
from engine.losses import are_values, as_rows
from engine.networks import cells as lstm


@dataclass(frozen=True)
class PooledLSTM(Recurrent):
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

    label_in_first_pass: bool = False

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        points = support_y.shape[-2 if are_values(support_y) else -1]
        state = lstm.zero_state(params["lstm"], points)  # (K, hidden) each
        labels = 1.0 if self.label_in_first_pass else 0.0
        kept = remembered(self.encoder, support_x) if self.encoder else {}
        return {**_pool(state), "show_labels": support_x.new_full((), labels), **kept}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        labels = state["show_labels"] * as_rows(support_y, params["readout"]["bias1"])
        memory = lstm.step(params["lstm"], self._labelled(params, support_x, labels), state)
        return {**_pool(memory), "show_labels": torch.ones_like(state["show_labels"]), **carried(state)}

    def _for_queries(self, state: State) -> lstm.State:
        return {
            key: value if key.startswith("h") else torch.zeros_like(value[..., :1, :])
            for key, value in state.items()
            if key.startswith(("h", "c"))
        }


def _pool(state: lstm.State) -> State:
    """Means over examples of every hidden state, (1, hidden); the cells (K, hidden) stay apart."""
    return {key: value.mean(-2, keepdim=True) if key.startswith("h") else value for key, value in state.items()}
