r"""Finetuning: pre-train on pooled tasks, then adapt the head only (Chen et al. 2019; Huisman 2024, chapters 3-4).

Pre-training minimises the *direct* loss of one network on the points of all tasks together:

    min over theta of E_task [ L_{support + query}(theta) ]

For a new task the body is frozen and the head (w, b) is trained on the support set with Adam, starting from the
pre-trained head, which is reset for every task. Where tasks are made of the classes of a set, labels mean something within
one task only; pre-training then tells all classes of the training split apart, as published, with a head that is thrown
away, and a task begins with a head as it was drawn (a new one for each task in the published code; the same here). (The published sine code lets the head drift from one test task to the
next; the published inner batches of 4 drawn with replacement are full batches here, so that adaptation is a
deterministic function of the support set.)
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.inner import adam, fresh_moments
from engine.learners.learner import Learner, Params, State
from engine.learners.support import carried, remembered, settled
from engine.networks import STANDARD, Acting, ANetwork
from engine.tasks import Task, TaskSpec


@dataclass(frozen=True)
class Finetuning(Learner):
    """Pre-training on pooled tasks; then `test_steps` steps of Adam on the head.

    Attributes:
        network: what is trained; its head is refitted to a task.
        test_steps: Adam steps on the support set (there are no inner steps in pre-training).
        inner_lr: learning rate of those steps.
    """

    name = "finetuning"
    rule = "w ← w − Adam(∇L(w)), the last layer only"
    title = "Finetuning"
    family = "transfer"
    reference = "Chen et al., ICLR 2019 (Baseline); Huisman et al., Machine Learning 2023"
    formula = r"\min_\theta \mathbb{E}_\tau\, \mathcal{L}_\tau(\theta), \quad \text{then } w_{t+1} = w_t - \mathrm{Adam}\!\left(\nabla_{w_t} \mathcal{L}_{\mathrm{support}}(w_t)\right) \text{ on the head only}"
    summary = "Learns features on all tasks pooled, then refits only its last layer to the support set."

    network: ANetwork = STANDARD
    test_steps: Annotated[int, Field(ge=1)] = 100
    inner_lr: Annotated[float, Field(gt=0)] = 0.001

    flat = True

    @property
    def train_steps(self) -> int:
        return 0

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        return {"net": self.network.init(generator, spec)}

    def classifier(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        net = self.network.init(generator, spec)
        return {key: net[key] for key in self.network.head.keys}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        weight, bias = (params["net"][key] for key in self.network.head.keys)
        head = {"head": torch.cat([weight, bias.unsqueeze(-1)], dim=-1)}  # (output_dim, d + 1), the bias last
        features = _with_one(self.network.body(params["net"], support_x))
        moments = fresh_moments(head, beta1=0.9)
        return {**head, "moments": moments, "features": features, **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        features = state["features"]  # (K, d + 1): the body is frozen
        delta = self.loss_gradient(features @ state["head"].mT, support_y)  # (K, output_dim)
        g = {"head": delta.mT @ features}
        head, moments = adam({"head": state["head"]}, g, state["moments"], self.inner_lr)
        return {**head, "moments": moments, "features": features, **carried(state)}

    def acting(self, params: Params, state: State) -> Acting:
        weight, bias = self.network.head.keys
        net = {**params["net"], weight: state["head"][..., :-1], bias: state["head"][..., -1]}
        return Acting(self.network, settled(self.network, net, state))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return _with_one(self.network.body(settled(self.network, params["net"], state), x)) @ state["head"].mT

    def meta_loss(self, params: Params, task: Task) -> Tensor:
        """The direct loss on support and query pooled: nothing adapts in pre-training."""
        x = torch.cat([task.support_x, task.query_x])
        y = torch.cat([task.support_y, task.query_y])
        return self.loss(self.network.forward(params["net"] | params.get("classifier", {}), x), y)


def _with_one(features: Tensor) -> Tensor:
    """Features (K, d) with a constant 1 behind them, so that the last column of the head is its bias."""
    return torch.nn.functional.pad(features, (0, 1), value=1.0)
