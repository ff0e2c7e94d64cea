r"""The meta-learner LSTM, original (Ravi & Larochelle, ICLR 2017) and enhanced (Huisman, Plaat & van Rijn, 2022).

The cell state of an LSTM *is* the weight vector theta of the base network; its gates, computed for every coordinate
alike and apart, say how much of a weight is kept and how far it follows its gradient g_t of the support loss:

    h_t = LSTM(z_t ; h_{t-1}, c_{t-1})                         an ordinary cell of 20 units per coordinate
    i_t = sigmoid(W_I [h_t, theta_{t-1}, i_{t-1}] + b_I)       learning rate, near 0.01 at first
    f_t = sigmoid(W_F [h_t, theta_{t-1}, f_{t-1}] + b_F)       near 1 at first
    theta_t = f_t * theta_{t-1} - i_t * g_t,   t = 1 ... T,   i_0 = f_0 = 0

The initial cell state theta_0, both gates and the LSTM are meta-learned on the query loss after T steps. With
W_I = W_F = 0, b_F large and b_I = logit(alpha) a step is MAML's.

*Original*: z_t is the support loss and the gradient, each preprocessed into two numbers (`preprocess`), and the
meta-gradient takes loss and gradient for constants (first order). *Enhanced*: z_t is the raw gradient alone, and the
meta-gradient runs through it (second order).

Three points where the published code differs and the formulas above are followed: it feeds the gates back *before*
their sigmoid; it divides the gradient, already a mean over the support set, by the number of support points once more
(so its steps are that many times shorter); and it preprocesses with log(|x| + 1e-8).
"""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.coordinates import flatten, in_chunks, unflatten
from engine.learners.learner import Params, State
from engine.learners.rules import LearnedRule, Through, own
from engine.learners.support import carried, remembered, settled
from engine.networks import STANDARD, Acting, ANetwork
from engine.networks import cells as lstm
from engine.tasks import TaskSpec

P = 10.0  # the preprocessing's p


def preprocess(x: Tensor) -> Tensor:
    """Two numbers for each entry of x (...), as (..., 2): its size on a log scale, and its sign (Andrychowicz 2016).

    (log|x| / p, sign x) where |x| >= e^-p, else (-1, e^p x). Clamping says the same without branches, and leaves value
    and derivative finite at 0.
    """
    size = x.abs().clamp_min(math.exp(-P)).log() / P
    return torch.stack([size, (x * math.exp(P)).clamp(-1, 1)], dim=-1)


@dataclass(frozen=True)
class MetaLSTM(LearnedRule):
    """The original meta-learner LSTM.

    Attributes:
        network: what adapts.
        steps, test_steps: inner steps T in meta-training, and in evaluation (None: the same, as published).
        hidden: units of the ordinary cell, per coordinate.
        preprocessed: show the cell loss and gradient, preprocessed; otherwise the raw gradient alone.
        first_order: treat gradient and loss as constants in the meta-gradient.
    """

    name = "meta-lstm"
    rule = "θ ← f ⊙ θ − i ⊙ ∇L(θ),  f and i the gates of an LSTM"
    title = "Meta-learner LSTM"
    family = "learned-optimiser"
    reference = "Ravi & Larochelle, ICLR 2017"
    formula = r"\theta_t = f_t \odot \theta_{t-1} - i_t \odot g_t, \quad i_t = \sigma\!\left(W_I [h_t, \theta_{t-1}, i_{t-1}] + b_I\right), \quad f_t = \sigma\!\left(W_F [h_t, \theta_{t-1}, f_{t-1}] + b_F\right)"
    summary = "Keeps the weights as the memory of an LSTM, whose gates have learned how fast each of them learns."
    parts = ("gates",)

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = None
    hidden: Annotated[int, Field(ge=1)] = 20
    preprocessed: bool = True
    first_order: bool = True

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(shape, generator=generator)

        return {
            "net": self.network.init(generator, spec),
            "lstm": lstm.init(generator, 4 if self.preprocessed else 1, (self.hidden,)),
            "gates": {
                "W_I": uniform(-0.01, 0.01, self.hidden + 2),
                "W_F": uniform(-0.01, 0.01, self.hidden + 2),
                "b_I": uniform(-5.0, -4.0),
                "b_F": uniform(4.0, 6.0),
            },
        }

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        gates = torch.zeros_like(flatten(self.network, params["net"]))  # (N,)
        memory = lstm.zero_state(params["lstm"], gates.shape[-1])
        return {"net": params["net"], "i": gates, "f": gates, **memory, **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor, through: Through = own) -> State:
        theta = flatten(self.network, state["net"])  # (N,)
        prediction, back = self.network.pullback(state["net"], support_x)
        g = flatten(self.network, back(self.loss_gradient(prediction, support_y)))
        loss = self.loss(prediction, support_y)
        if self.first_order:
            g, loss = g.detach(), loss.detach()
        z = g.unsqueeze(-1)  # (N, 1)
        if self.preprocessed:
            shared = preprocess(loss).unsqueeze(-2)  # (1, 2)
            z = torch.cat(torch.broadcast_tensors(shared, preprocess(g)), dim=-1)  # (N, 4)
        new = through("gates", self.gates)(params, state, z, theta)
        net = unflatten(self.network, new["f"] * theta - new["i"] * g, state["net"])
        return {"net": net, **new, **carried(state)}

    def gates(self, params: Params, state: State, z: Tensor, theta: Tensor) -> State:
        """The rule itself: the gates i and f (N,) and the new memory, on seeing z (N, inputs) at weights theta (N,)."""
        rule = {"lstm": params["lstm"], "gates": params["gates"]}
        seen = z, theta, state["i"], state["f"], state["h1"], state["c1"]
        i, f, h, c = in_chunks(_rule, rule, theta.shape[-1], *seen)
        return {"i": i, "f": f, "h1": h, "c1": c}

    def rule_size(self) -> tuple[int, int]:
        return 2 * self.hidden + 10, 16 * self.hidden

    def acting(self, params: Params, state: State) -> Acting:
        return Acting(self.network, settled(self.network, state["net"], state))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)


def _rule(
    params: Params, z: Tensor, theta: Tensor, i: Tensor, f: Tensor, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gates i and f (N,) and the memory h and c (N, hidden), from those before."""
    memory, gates = lstm.step(params["lstm"], z, {"h1": h, "c1": c}), params["gates"]
    h = lstm.output(params["lstm"], memory)  # (N, hidden)
    i = _gate(gates["W_I"], gates["b_I"], h, theta, i)
    f = _gate(gates["W_F"], gates["b_F"], h, theta, f)
    return i, f, h, memory["c1"]


def _gate(weight: Tensor, bias: Tensor, h: Tensor, theta: Tensor, before: Tensor) -> Tensor:
    """sigmoid(W [h, theta, before] + b) for weight (hidden + 2,), bias (), h (N, hidden), theta and before (N,)."""
    of_h, of_theta, of_before = weight.split([h.shape[-1], 1, 1], dim=-1)
    drive = (h @ of_h.unsqueeze(-1)).squeeze(-1)  # (N,)
    return (drive + of_theta * theta + of_before * before + bias.unsqueeze(-1)).sigmoid()


@dataclass(frozen=True)
class EnhancedMetaLSTM(MetaLSTM):
    """The enhanced meta-learner LSTM: raw gradients in, and second-order meta-gradients."""

    name = "meta-lstm-enhanced"
    title = "Meta-learner LSTM, enhanced"
    reference = "Huisman, Plaat & van Rijn, Machine Learning 2022"
    summary = "The meta-learner LSTM on raw gradients, whose training sees how the start and each step shape the next gradient."

    preprocessed: bool = False
    first_order: bool = False
