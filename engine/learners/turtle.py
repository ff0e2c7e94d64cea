r"""TURTLE: stateless neural meta-learning (Huisman, Plaat & van Rijn, Machine Learning 2022, arXiv 2104.10527).

A small ReLU network m_phi, shared by all coordinates of the base network, says how each of them moves. It sees the
coordinate's gradient g_t of the support loss and a running average of those gradients, and nothing else:

    H_0 = g_0,   H_t = beta H_{t-1} + (1 - beta) g_t
    theta_{t+1} = theta_t + lambda * m_phi(g_t, H_t),   t = 0 ... T-1, element-wise

The initialisation theta_0, the network phi and one learning rate lambda per coordinate are meta-learned together on
the query loss after T steps. No sign is imposed: that to move means to descend must be learned. The second-order
variant differentiates through g_t (and so H_t); the first-order variant treats them as constants. With one linear
weight -alpha, no history and no lambda it is MAML.

The published checkpoints leave lambda out, so that the best theta_0 and phi meet the last lambda; all three are kept
together here. The published code also clamps the meta-gradient of theta_0, entry by entry, to 10; here the outer loop
clips the norm of the whole meta-gradient.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.coordinates import flatten, in_chunks, unflatten
from engine.learners.learner import Params, State
from engine.learners.rules import LearnedRule, Through, own
from engine.learners.support import carried, remembered, settled
from engine.networks import STANDARD, Acting, ANetwork, Net, perceptron
from engine.tasks import TaskSpec
from engine.trees import tree_map


@dataclass(frozen=True)
class Turtle(LearnedRule):
    """TURTLE.

    Attributes:
        network: what adapts.
        steps, test_steps: inner steps T in meta-training, and in evaluation (None: the same, as published).
        hidden: hidden layers of m_phi; none make it linear.
        use_history: whether m_phi sees H_t.
        beta: memory of H_t.
        param_lr: learn a learning rate lambda per coordinate, from U(0, 1); without, lambda is 1.
        inner_clip: element-wise clamp of the gradients g_t (None: no clamp).
        first_order: treat g_t as a constant in the meta-gradient.
    """

    name = "turtle"
    rule = "θ ← θ + λ m(g, H),  m a learned network, H the average of past g"
    title = "TURTLE"
    family = "learned-optimiser"
    reference = "Huisman, Plaat & van Rijn, Machine Learning 2022"
    formula = r"\theta_{t+1} = \theta_t + \lambda \odot m_\phi(g_t, H_t), \quad g_t = \nabla_{\theta_t} \mathcal{L}_{\mathrm{support}}(\theta_t), \quad H_t = \beta H_{t-1} + (1 - \beta)\, g_t"
    summary = "Replaces the gradient step by a small network that has learned, for every weight alike, how to move."
    parts = ("optimiser",)

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = None
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (20, 20, 20, 20, 20)
    use_history: bool = True
    beta: Annotated[float, Field(ge=0, le=1)] = 0.9
    param_lr: bool = True
    inner_clip: Annotated[float, Field(gt=0)] | None = 10.0
    first_order: bool = False

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        net = self.network.init(generator, spec)
        params: Params = {"net": net, "optimiser": perceptron.init(generator, (1 + self.use_history, *self.hidden, 1))}
        if self.param_lr:
            params["learning_rates"] = tree_map(lambda w: torch.rand(w.shape, generator=generator), net)
        return params

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        state: State = {"net": params["net"], **remembered(self.network, support_x)}
        if self.use_history:  # the first H is the first gradient: nothing is remembered yet
            state |= {
                "H": flatten(self.network, tree_map(torch.zeros_like, params["net"])),
                "memory": support_x.new_zeros(()),
            }
        return state

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor, through: Through = own) -> State:
        net, new = state["net"], {}
        prediction, back = self.network.pullback(net, support_x)
        g = flatten(self.network, back(self.loss_gradient(prediction, support_y)))  # (N,)
        if (limit := self.inner_clip) is not None:
            g = g.clamp(-limit, limit)
        if self.first_order:
            g = g.detach()
        seen = g.unsqueeze(-1)
        if self.use_history:
            memory = state["memory"]
            H = memory * state["H"] + (1 - memory) * g
            new = {"H": H, "memory": torch.full_like(memory, self.beta)}
            seen = torch.stack([g, H], dim=-1)  # (N, 2)
        move = unflatten(self.network, through("optimiser", self.move)(params, seen), net)
        if self.param_lr:
            move = tree_map(torch.mul, params["learning_rates"], move)
        return {"net": tree_map(torch.add, net, move), **new, **carried(state)}

    def move(self, params: Params, seen: Tensor) -> Tensor:
        """The rule itself: m_phi (N,) of what it sees, the gradients g and, with history, H: (N, 1) or (N, 2)."""
        return in_chunks(_rule, params["optimiser"], seen.shape[-2], seen)[0]

    def rule_size(self) -> tuple[int, int]:
        return 6 + self.use_history, 2 * sum(self.hidden)

    def acting(self, params: Params, state: State) -> Acting:
        return Acting(self.network, settled(self.network, state["net"], state))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)


def _rule(optimiser: Net, seen: Tensor) -> tuple[Tensor]:
    return (perceptron.forward(optimiser, seen).squeeze(-1),)


@dataclass(frozen=True)
class FirstOrderTurtle(Turtle):
    """First-order TURTLE: the same inner loop, with its gradients taken for constants in the meta-gradient."""

    name = "turtle-first-order"
    title = "TURTLE, first-order"
    summary = "TURTLE whose training pretends that the gradients it reads do not depend on where it started."

    first_order: bool = True
