r"""Training from scratch: what one task teaches a network that has learned nothing before (Huisman et al. 2022).

    theta_{t+1} = theta_t - Adam(grad L_support(theta_t)),   theta_0 random, the same for every task

Nothing is learned across tasks: meta-training leaves theta_0 as it was drawn. It is the control for all other learners.
The published code trains on batches of 4 support points drawn with replacement; here every batch is the whole support
set, so that adaptation is a deterministic function of it.
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
from engine.trees import Tree, tree_map


@dataclass(frozen=True)
class Scratch(Learner):
    """A random network, trained on each support set by Adam.

    Attributes:
        network: what is trained.
        test_steps: Adam steps on the support set.
        inner_lr: learning rate of those steps.
    """

    name = "scratch"
    rule = "θ ← θ − Adam(∇L(θ)), from a random θ₀"
    title = "From scratch"
    family = "transfer"
    reference = "Huisman, Plaat & van Rijn, Machine Learning 2022 (train from scratch)"
    formula = r"\theta_{t+1} = \theta_t - \mathrm{Adam}\!\left(\nabla_{\theta_t} \mathcal{L}_{\mathrm{support}}(\theta_t)\right), \quad \theta_0 \text{ random}"
    summary = "Trains a random network on the support set alone; it has learned nothing from other tasks."
    meta_trained = False

    network: ANetwork = STANDARD
    test_steps: Annotated[int, Field(ge=1)] = 100
    inner_lr: Annotated[float, Field(gt=0)] = 0.001

    @property
    def train_steps(self) -> int:
        return 0

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        return {"net": self.network.init(generator, spec)}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        moments = fresh_moments(params["net"], beta1=0.9)
        return {"net": params["net"], "moments": moments, **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        prediction, back = self.network.pullback(state["net"], support_x)
        g = back(self.loss_gradient(prediction, support_y))
        net, moments = adam(state["net"], g, state["moments"], self.inner_lr)
        return {"net": net, "moments": moments, **carried(state)}

    def acting(self, params: Params, state: State) -> Acting:
        return Acting(self.network, settled(self.network, state["net"], state))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)

    def meta_gradient(self, params: Params, task: Task) -> tuple[Tree, Tensor]:
        """Zero, with the query loss of the random network: there is nothing to learn across tasks."""
        loss = self.loss(self.network.forward(params["net"], task.query_x), task.query_y)
        return tree_map(torch.zeros_like, params), loss
