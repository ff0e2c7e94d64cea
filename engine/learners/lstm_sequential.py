r"""The plain LSTM that reads its examples one after the other (Huisman, Moerland, Plaat & van Rijn, arXiv 2310.14139).

In each of T passes the LSTM reads the support set in the order in which it comes, every example with its own label
(the published input "currtarget"), and carries hidden and cell states from example to example and from pass to pass:

    (h, c) <- LSTM([x_i ; y_i] ; h, c),   i = 1 ... K,   T times

A query takes one step with [x ; 0] from the last h, and a linear read-out. The published code starts that step with
c = 0, although a query is usually said to be conditioned on both states; `carry_cell` hands c on as well. Unlike the
pooled LSTM, which is shown no labels in its first pass, this one is shown them in every pass. The order matters.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.learners.learner import Params, State
from engine.learners.recurrent import Recurrent
from engine.learners.support import carried, remembered
from engine.losses import as_rows
from engine.networks import cells as lstm


@dataclass(frozen=True)
class SequentialLSTM(Recurrent):
    """Plain LSTM over the support set as a sequence; one inner step is one pass over all K examples.

    Attributes:
        hidden, layers: size and number of the LSTM layers; 40 and 2 with one input and output have 20,201 parameters.
        steps: passes T over the support set; the same at test.
        encoder: a network whose body turns inputs into the features that are read; None: inputs are read as they are.
        carry_cell: start a query from the last cell state too; the published code starts it from 0.
    """

    name = "lstm-sequential"
    rule = "(h, c) ← LSTM([xᵢ; yᵢ]; h, c), one point after the other"
    title = "LSTM, sequential"
    family = "memory"
    reference = "Huisman, Moerland, Plaat & van Rijn, arXiv 2310.14139, 2023; Hochreiter, Younger & Conwell, 2001"
    formula = (
        r"(h, c) \leftarrow \mathrm{LSTM}\!\left([x_i ; y_i];\, h, c\right), \quad i = 1 \ldots K, \; T \text{ times}"
    )
    summary = "Reads the points one after the other, so that what it learns depends on the order they come in."
    permutation_invariant = False

    carry_cell: bool = False

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        kept = remembered(self.encoder, support_x) if self.encoder else {}
        return {**lstm.zero_state(params["lstm"], 1), **kept}  # (1, hidden) each

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        labels = as_rows(support_y, params["readout"]["bias1"])
        return {**lstm.sequence(params["lstm"], self._labelled(params, support_x, labels), state), **carried(state)}

    def _for_queries(self, state: State) -> lstm.State:
        kept = ("h", "c") if self.carry_cell else ("h",)
        every = {key: value for key, value in state.items() if key.startswith(("h", "c"))}
        return {key: value if key.startswith(kept) else torch.zeros_like(value) for key, value in every.items()}
