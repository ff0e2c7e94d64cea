r"""Prototypical networks (Snell, Swersky & Zemel, NeurIPS 2017): classify by the nearest class mean in a learned space.

With an embedding f_theta, a ReLU network, and the support points S_c of each class c = 1 ... N:

    c_c = mean of f_theta(x) over x in S_c,        p(y = c | x) = softmax over c of -|f_theta(x) - c_c|^2

Meta-training minimises the cross-entropy of the query set over theta. Adaptation is the one step that computes the
prototypes. Before it they all lie at 0, so every class is equally likely; a class without support points stays there.
(Published: as many ways in training as at test, here too, since the task says both; embedding by convolutions.)
"""

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.learner import Learner, Params, State
from engine.learners.support import carried, remembered, settled
from engine.losses import one_hot
from engine.networks import STANDARD_BIASED, ANetwork
from engine.tasks import TaskSpec, Values


@dataclass(frozen=True)
class ProtoNet(Learner):
    """Nearest class mean in the embedding of a network with a linear last layer.

    Attributes:
        encoder: the network whose output is the embedding; without hidden layers it is linear.
        embedding: its dimension.
    """

    name = "protonet"
    rule = "cₖ = mean of f(x) over class k;  nearest cₖ wins"
    title = "ProtoNet"
    family = "metric"
    reference = "Snell, Swersky & Zemel, NeurIPS 2017"
    formula = r"c_k = \tfrac{1}{|S_k|} \sum_{x \in S_k} f_\theta(x), \quad p(y = k \mid x) = \mathrm{softmax}_k\!\left(-\lVert f_\theta(x) - c_k \rVert^2\right)"
    summary = "Averages each class of the support set in a learned space and picks the nearest average."
    kinds = ("classification",)

    encoder: ANetwork = STANDARD_BIASED
    embedding: Annotated[int, Field(ge=1)] = 40

    @property
    def train_steps(self) -> int:
        return 1

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        return {
            "embedding": self.encoder.init(generator, replace(spec, targets=Values(self.embedding))),
            "blank": {"prototypes": torch.zeros(spec.output_dim, self.embedding)},  # before the step; no loss sees them
        }

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"prototypes": params["blank"]["prototypes"], **remembered(self.encoder, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        z = self.encoder.forward(params["embedding"], support_x)  # (K, d)
        member = one_hot(support_y, state["prototypes"].mT)  # (K, ways)
        counts = member.sum(-2).clamp_min(1).unsqueeze(-1)  # (ways, 1)
        return {"prototypes": member.mT @ z / counts, **carried(state)}

    def features(self, params: Params, state: State, x: Tensor) -> dict[str, Tensor]:
        net = settled(self.encoder, params["embedding"], state)
        return {**self.encoder.features(net, x), "embedding": self.encoder.forward(net, x)}

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        z = self.encoder.forward(settled(self.encoder, params["embedding"], state), x)  # (Q, d)
        return -(z.unsqueeze(-2) - state["prototypes"].unsqueeze(-3)).square().sum(-1)  # (Q, ways)
