r"""OP-LSTM (Huisman, Moerland, Plaat & van Rijn, arXiv 2310.14139).

The weights H^(l) of a ReLU network are the memory; two small coordinate-wise LSTMs, one for the output layer and one
shared by all layers below, say how they change. In each of T passes, with the weights H of the pass before:

    forward    a^(0) = x,  a^(l) = ReLU(H^(l) a^(l-1) + b^(l)),  y_hat = a^(L)
    backward   h_i^(L) = LSTM_out(y_i, y_hat_i),   h_i^(l) = LSTM_body(a_i^(l), d_i^(l)),  d_i^(l) = H^(l+1)^T h_i^(l+1)
    update     Delta^(l) = mean over i of h_i^(l) a_i^(l-1)^T,   H <- H + gamma Delta / |Delta|_F

The norm is taken jointly over all layers; biases are meta-learned and fixed within a task. LSTM states start at 0 and
persist across passes, separately for each (layer, example, coordinate).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.learner import Params, State
from engine.learners.rules import LearnedRule, Through, own
from engine.learners.support import carried, remembered, settled
from engine.losses import are_values, as_rows
from engine.networks import STANDARD_BIASED, Acting, ANetwork, Layer, Net, as_rows_of
from engine.networks import cells as lstm
from engine.tasks import TaskSpec

TINY = 1e-12  # inside the root, as sqrt(sum + TINY^2): finite value and gradient even if every h is 0


@dataclass(frozen=True)
class OPLSTM(LearnedRule):
    """Outer-product LSTM.

    Attributes:
        network: the base network (the published sine setting is an MLP of 91, 91, 91).
        writes: into all layers, which must be dense, or into the weight of the head alone, as published on images;
            there the head has one bias for all classes.
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
    parts = ("output_lstm", "body_lstm")

    network: ANetwork = STANDARD_BIASED
    writes: Literal["all", "head"] = "all"
    steps: Annotated[int, Field(ge=1)] = 9
    cell_sizes: tuple[Annotated[int, Field(ge=1)], ...] = (5, 5)
    normalise: bool = True
    gamma: float = 0.025
    first_order: bool = False

    @property
    def written(self) -> list[tuple[int, Layer]]:
        """The layers that passes write into, with their places in the network, counted from 1."""
        places = list(enumerate(self.network.layers, start=1))
        return places if self.writes == "all" else places[-1:]

    def refused(self, spec: TaskSpec) -> str | None:
        if not all(layer.dense for _, layer in self.written):
            return f"it cannot write into convolutions; on {self.network.title} it needs writes = head."
        return super().refused(spec)

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        net, head = self.network.init(generator, spec), self.network.head
        params: Params = {"net": net, "output_lstm": lstm.init(generator, 2, (*self.cell_sizes, 1))}
        if self.writes == "all":
            params["body_lstm"] = lstm.init(generator, 2, (*self.cell_sizes, 1))
        else:
            params["net"] = {key: value for key, value in net.items() if key != head.bias}
            params["shared"] = {"bias": net[str(head.bias)].mean()}  # one for all classes
        if self.normalise:
            params["step_length"] = {"gamma": torch.tensor(self.gamma)}
        return params

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        state: State = remembered(self.network, support_x)
        points = support_y.shape[-2 if are_values(support_y) else -1]
        for place, layer in self.written:
            weight = params["net"][layer.weight]
            state[f"H{place}"] = weight
            cells = params[self._cells(layer)]
            state[f"lstm{place}"] = lstm.zero_state(cells, points * weight.shape[-2])  # (K d_l, h)
        return state

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor, through: Through = own) -> State:
        new, delta = self.signals(params, state, support_x, support_y, through)
        scale: Tensor | float = 1.0
        if self.normalise:
            squares = torch.stack([d.square().sum((-2, -1)) for d in delta.values()]).sum(0)
            scale = (params["step_length"]["gamma"] / (squares + TINY**2).sqrt())[..., None, None]
        return new | {name: state[name] + scale * d for name, d in reversed(delta.items())} | carried(state)

    def signals(
        self, params: Params, state: State, support_x: Tensor, support_y: Tensor, through: Through = own
    ) -> tuple[State, dict[str, Tensor]]:
        """The LSTM states after one pass, and the raw updates Delta^(l), each (d_l, d_{l-1})."""
        a: dict[str, Tensor] = {}  # by point

        def listen(point: str, value: Tensor) -> Tensor:
            a[point] = value
            return value

        prediction = self.network.forward(self._weights(params, state), support_x, listen)
        hide = torch.Tensor.detach if self.first_order else lambda tensor: tensor
        new: State = {}
        delta: dict[str, Tensor] = {}
        h = support_y = as_rows(support_y, prediction)  # h (K, d_l) is of the layer above the current one
        for place, layer in reversed(self.written):
            if layer.name == self.network.head.name:
                pair = support_y, hide(prediction)
            else:
                message = h @ state[f"H{place + 1}"]  # (K, d_l)
                pair = hide(a[layer.gives]), hide(message)
            signal = torch.stack(torch.broadcast_tensors(*pair), dim=-1)  # (K, d_l, 2)
            cells, pairs = self._cells(layer), signal.flatten(-3, -2)
            new[f"lstm{place}"], h = through(cells, self.react)(params, cells, pairs, state[f"lstm{place}"])
            h = h.reshape(signal.shape[:-1])  # (K, d_l)
            read = as_rows_of(a[layer.reads], state[f"H{place}"].shape[-1])
            delta[f"H{place}"] = h.mT @ read / read.shape[-2]
        return new, delta

    def react(self, params: Params, cells: str, pairs: Tensor, memory: lstm.State) -> tuple[lstm.State, Tensor]:
        """The rule itself: the new memory and the h (rows,) of the named cells on reading pairs (rows, 2)."""
        memory = lstm.step(params[cells], pairs, memory)
        return memory, lstm.output(params[cells], memory).squeeze(-1)

    def acting(self, params: Params, state: State) -> Acting:
        return Acting(self.network, settled(self.network, self._weights(params, state), state))

    def _weights(self, params: Params, state: State) -> Net:
        """The current weights H with the fixed biases."""
        net = {**params["net"], **{layer.weight: state[f"H{place}"] for place, layer in self.written}}
        if self.writes == "head":
            head = self.network.head
            bias = params["shared"]["bias"].unsqueeze(-1)
            net[str(head.bias)] = bias.expand(net[head.weight].shape[:-1])
        return net

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)

    def _cells(self, layer: Layer) -> str:
        return "output_lstm" if layer.name == self.network.head.name else "body_lstm"


@dataclass(frozen=True)
class FirstOrderOPLSTM(OPLSTM):
    """First-order OP-LSTM: the same passes, with what the cells see taken for constants in the meta-gradient."""

    name = "op-lstm-first-order"
    title = "OP-LSTM, first-order"
    summary = "OP-LSTM whose training pretends that activations and messages are constants when its cells read them."

    first_order: bool = True
