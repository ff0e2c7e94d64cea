r"""Sign-MAML: every inner step has the same length in every weight (Fan, Ram & Liu, 2021, arXiv 2109.07497).

    theta_{t+1} = theta_t - alpha sign grad L_support(theta_t),   t = 0 ... T-1

The sign has no derivative but zero, so that first and second order are the same.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.inner import descend
from engine.learners.learner import Learner, Params, State
from engine.learners.support import carried, remembered, settled
from engine.networks import STANDARD, Acting, ANetwork
from engine.tasks import TaskSpec
from engine.trees import tree_map


@dataclass(frozen=True)
class SignMAML(Learner):
    """Sign-MAML, with T = `steps` in training and `test_steps` in evaluation (None: the same); alpha is `inner_lr`."""

    name = "sign-maml"
    title = "Sign-MAML"
    family = "gradient"
    reference = "Fan, Ram & Liu, 2021"
    rule = "θ ← θ − α sign ∇L(θ), from a learned θ₀"
    formula = r"\theta_{t+1} = \theta_t - \alpha \, \mathrm{sign} \nabla \mathcal{L}_{\mathrm{support}}(\theta_t)"
    summary = "Starts from a learned initialisation and moves every weight equally far at each step."

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = None
    inner_lr: Annotated[float, Field(gt=0)] = 0.01

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        return {"net": self.network.init(generator, spec)}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"net": params["net"], **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        prediction, back = self.network.pullback(state["net"], support_x)
        g = back(self.loss_gradient(prediction, support_y))
        return {"net": descend(state["net"], tree_map(torch.sign, g), self.inner_lr), **carried(state)}

    def acting(self, params: Params, state: State) -> Acting:
        return Acting(self.network, settled(self.network, state["net"], state))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)
