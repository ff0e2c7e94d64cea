r"""Model-agnostic meta-learning (Finn, Abbeel & Levine, ICML 2017), second- and first-order.

Inner step on the support loss, from the meta-learned initialisation theta_0:

    theta_{t+1} = theta_t - alpha grad L_support(theta_t),   t = 0 ... T-1

Outer objective: min over theta_0 of the query loss L_query(theta_T). Second order differentiates through the inner
gradients; first order (FOMAML) treats them as constants, so that the meta-gradient is grad L_query at theta_T.
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
class MAML(Learner):
    """MAML: every weight and bias adapts by gradient descent.

    Attributes:
        network: what adapts.
        steps, test_steps: inner steps T in meta-training, and in evaluation (None: the same).
        inner_lr: alpha.
        first_order: drop the second-order terms (FOMAML).
        inner_clip: element-wise clamp of the inner gradients; the published code clamps to 10 when T > 1, which
            hurts on sine, so the default is none.
    """

    name = "maml"
    rule = "θ ← θ − α ∇L(θ), from a learned θ₀"
    title = "MAML"
    family = "gradient"
    reference = "Finn, Abbeel & Levine, ICML 2017"
    formula = r"\theta_{t+1} = \theta_t - \alpha \nabla_{\theta_t} \mathcal{L}_{\mathrm{support}}(\theta_t), \quad \min_{\theta_0} \mathcal{L}_{\mathrm{query}}(\theta_T)"
    summary = "Starts from an initialisation learned so that a few gradient steps on the support set end well."

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = 10
    inner_lr: Annotated[float, Field(gt=0)] = 0.01
    first_order: bool = False
    inner_clip: Annotated[float, Field(gt=0)] | None = None

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        return {"net": self.network.init(generator, spec)}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"net": params["net"], **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        prediction, back = self.network.pullback(state["net"], support_x)
        g = back(self.loss_gradient(prediction, support_y))
        if (limit := self.inner_clip) is not None:
            g = tree_map(lambda entry: entry.clamp(-limit, limit), g)
        if self.first_order:
            g = tree_map(torch.Tensor.detach, g)
        return {"net": descend(state["net"], g, self.inner_lr), **carried(state)}

    def acting(self, params: Params, state: State) -> Acting:
        return Acting(self.network, settled(self.network, state["net"], state))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)


@dataclass(frozen=True)
class FOMAML(MAML):
    """First-order MAML: the same inner loop, with the Hessian products dropped from the meta-gradient."""

    name = "fomaml"
    title = "FOMAML"
    formula = r"\theta_{t+1} = \theta_t - \alpha \nabla_{\theta_t} \mathcal{L}_{\mathrm{support}}(\theta_t), \quad \theta_0 \leftarrow \theta_0 - \eta \nabla_{\theta_T} \mathcal{L}_{\mathrm{query}}(\theta_T)"
    summary = "MAML that pretends its inner gradients are constants: cheaper, and blind to how the start shapes them."

    first_order: bool = True
