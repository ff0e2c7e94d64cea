r"""OP-LSTM, fully connected (Huisman, Moerland, Plaat & van Rijn, arXiv 2310.14139).

The weights H^(l) of a ReLU network are the memory; two small coordinate-wise LSTMs, one for the output layer and one
shared by all layers below, say how they change. In each of T passes, with the weights H of the pass before:

    forward    a^(0) = x,  a^(l) = ReLU(H^(l) a^(l-1) + b^(l)),  y_hat = a^(L)
    backward   h_i^(L) = LSTM_out(y_i, y_hat_i),   h_i^(l) = LSTM_body(a_i^(l), d_i^(l)),  d_i^(l) = H^(l+1)^T h_i^(l+1)
    update     Delta^(l) = mean over i of h_i^(l) a_i^(l-1)^T,   H <- H + gamma Delta / |Delta|_F

The norm is taken jointly over all layers; biases are meta-learned and fixed within a task. LSTM states start at 0 and
persist across passes, separately for each (layer, example, coordinate).
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.learner import Learner, Params, State, as_rows
from engine.networks import cells as lstm
from engine.networks import mlp
from engine.tasks import TaskSpec

TINY = 1e-12  # inside the root, as sqrt(sum + TINY^2): finite value and gradient even if every h is 0


@dataclass(frozen=True)
class OPLSTM(Learner):
    """Outer-product LSTM on an MLP.

    Attributes:
        widths: hidden layers of the base network (the published sine setting is 91, 91, 91).
        steps: passes T; the same at test.
        cell_sizes: sizes of the stacked cells below the last one, which has size 1.
        normalise: scale each joint update to length |gamma|; without, H <- H + Delta.
        gamma: initial value of the learned step length.
        first_order: feed the LSTMs detached activations, predictions and messages.
    """

    name = "op-lstm"
    rule = "H ← H + γ Δ/‖Δ‖,  Δ = mean of hᵢ aᵢᵀ,  hᵢ = LSTM(yᵢ, ŷᵢ)"
    title = "OP-LSTM"
    family = "memory"
    reference = "Huisman, Moerland, Plaat & van Rijn, arXiv 2310.14139, 2023"
    formula = r"H^{(l)} \leftarrow H^{(l)} + \gamma \frac{\Delta^{(l)}}{\lVert \Delta \rVert_F}, \quad \Delta^{(l)} = \tfrac{1}{M} \sum_i h_i^{(l)} \, {a_i^{(l-1)}}^{\!\top}, \quad h_i^{(L)} = \mathrm{LSTM}(y_i, \hat y_i)"
    summary = (
        "Replaces the error signal of backpropagation by small LSTMs that have learned what to write into the weights."
    )
    whole_steps = 0
    compile_from = 25_000

    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (40, 40)
    steps: Annotated[int, Field(ge=1)] = 9
    cell_sizes: tuple[Annotated[int, Field(ge=1)], ...] = (5, 5)
    normalise: bool = True
    gamma: float = 0.025
    first_order: bool = False

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        params: Params = {
            "net": mlp.init(generator, (*spec.input_shape, *self.widths, spec.output_dim), output_bias=True),
            "output_lstm": lstm.init(generator, 2, (*self.cell_sizes, 1)),
            "body_lstm": lstm.init(generator, 2, (*self.cell_sizes, 1)),
        }
        if self.normalise:
            params["step_length"] = {"gamma": torch.tensor(self.gamma)}
        return params

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        state: State = {}
        depth = mlp.depth(params["net"])
        for layer in range(1, depth + 1):
            weight = params["net"][f"weight{layer}"]
            state[f"H{layer}"] = weight
            cells = params["output_lstm" if layer == depth else "body_lstm"]
            state[f"lstm{layer}"] = lstm.zero_state(cells, support_x.shape[-2] * weight.shape[-2])  # (K d_l, h)
        return state

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        depth = mlp.depth(params["net"])
        new, delta = self.signals(params, state, support_x, support_y)
        scale: Tensor | float = 1.0
        if self.normalise:
            squares = torch.stack([d.square().sum((-2, -1)) for d in delta.values()]).sum(0)
            scale = (params["step_length"]["gamma"] / (squares + TINY**2).sqrt())[..., None, None]
        for layer in range(1, depth + 1):
            new[f"H{layer}"] = state[f"H{layer}"] + scale * delta[f"H{layer}"]
        return new

    def signals(
        self, params: Params, state: State, support_x: Tensor, support_y: Tensor
    ) -> tuple[State, dict[str, Tensor]]:
        """The LSTM states after one pass, and the raw updates Delta^(l), each (d_l, d_{l-1})."""
        depth = mlp.depth(params["net"])
        a = mlp.activations(self.network(params, state), support_x)
        hide = torch.Tensor.detach if self.first_order else lambda tensor: tensor
        new: State = {}
        delta: dict[str, Tensor] = {}
        support_y = as_rows(support_y, a[depth])
        h = support_y  # set by the output layer; (K, d_l) of the layer above the current one
        for layer in range(depth, 0, -1):
            if layer == depth:
                cells, pair = "output_lstm", (support_y, hide(a[depth]))
            else:
                message = h @ state[f"H{layer + 1}"]  # (K, d_l)
                cells, pair = "body_lstm", (hide(a[layer]), hide(message))
            signal = torch.stack(torch.broadcast_tensors(*pair), dim=-1)  # (K, d_l, 2)
            new[f"lstm{layer}"], h = self.react(params, cells, signal.flatten(-3, -2), state[f"lstm{layer}"])
            h = h.reshape(signal.shape[:-1])  # (K, d_l)
            delta[f"H{layer}"] = h.mT @ a[layer - 1] / support_x.shape[-2]
        return new, delta

    def react(self, params: Params, cells: str, pairs: Tensor, memory: lstm.State) -> tuple[lstm.State, Tensor]:
        """The rule itself: the new memory and the h (rows,) of the named cells on reading pairs (rows, 2)."""
        memory = lstm.step(params[cells], pairs, memory)
        return memory, lstm.output(params[cells], memory).squeeze(-1)

    def network(self, params: Params, state: State) -> mlp.Net:
        """The base network with the current weights H and the fixed biases."""
        return {key: state["H" + key[6:]] if key.startswith("weight") else b for key, b in params["net"].items()}

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return mlp.forward(self.network(params, state), x)


@dataclass(frozen=True)
class FirstOrderOPLSTM(OPLSTM):
    """First-order OP-LSTM: the same passes, with what the cells see taken for constants in the meta-gradient."""

    name = "op-lstm-first-order"
    title = "OP-LSTM, first-order"
    summary = "OP-LSTM whose training pretends that activations and messages are constants when its cells read them."

    first_order: bool = True
