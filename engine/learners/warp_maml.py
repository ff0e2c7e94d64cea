r"""Warp-MAML: MAML between fixed warp layers, trained on its whole path (Flennerhag et al., ICLR 2020, WarpGrad).

After the ReLU of every hidden layer stands a linear warp layer, which tasks share and no task changes:

    h^(l) = Omega_l ReLU(W_l h^(l-1) + b_l) + omega_l,   theta = (W, b),   omega = (Omega_l, omega_l)
    theta_{t+1} = theta_t - alpha grad_theta L_support(theta_t, omega),   t = 0 ... T-1

Outer objective: the query loss after every inner step, t = 1 ... T, summed. Its gradient reaches theta_0 through the
whole path, but omega only through the last step before each loss: the steps before that see it as a constant.

The dissertation's code (chapter 6) has warp layers in its convolutional network only, as 3x3 convolutions that start at
zero, where almost every first gradient vanishes. On an MLP our own choice is a dense layer that starts as the identity.
That code also keeps the first block fixed within a task (`freeze_first`), has alpha = 0.1 and a meta-batch of 1; for
the MLP we take the inner rate of MAML on sine waves, 0.01.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.inner import descend
from engine.learners.learner import Learner, Params, State
from engine.learners.support import carried, remembered, settled
from engine.networks import STANDARD, Acting, ANetwork, Layer
from engine.operations import At, matrix_site
from engine.tasks import Task, TaskSpec
from engine.trees import tree_map


@dataclass(frozen=True)
class WarpMAML(Learner):
    """Warp-MAML: weights and biases adapt, the warp layers between them do not.

    Attributes:
        network: the base network.
        steps, test_steps: inner steps T in meta-training, and in evaluation (None: the same).
        inner_lr: alpha.
        first_order: treat inner gradients as constants.
        freeze_first: the first layer does not adapt, as in the published convolutional network.
    """

    name = "warp-maml"
    rule = "θ ← θ − α ∇L(θ, ω), between fixed learned layers ω"
    title = "Warp-MAML"
    family = "subspace"
    reference = "Flennerhag et al., ICLR 2020 (WarpGrad)"
    formula = r"h^{(l)} = \Omega_l\, \mathrm{ReLU}(W_l h^{(l-1)} + b_l) + \omega_l, \quad \theta_{t+1} = \theta_t - \alpha \nabla_{\theta_t} \mathcal{L}_{\mathrm{support}}(\theta_t, \omega), \quad \min \textstyle\sum_{t=1}^{T} \mathcal{L}_{\mathrm{query}}(\theta_t, \omega)"
    summary = (
        "MAML through learned layers that no task changes, trained to end well after every step, not just the last."
    )
    judged_each_step = True

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = 10
    inner_lr: Annotated[float, Field(gt=0)] = 0.01
    first_order: bool = False
    freeze_first: bool = False

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        warp: dict[str, Tensor] = {}
        for place, layer in enumerate(self._warped(), start=1):
            d = int(layer.outputs or 0)
            kernel = torch.eye(d)
            if not layer.dense:
                kernel = torch.nn.functional.pad(kernel[..., None, None], (1, 1, 1, 1))  # 3x3
            warp |= {f"weight{place}": kernel, f"bias{place}": torch.zeros(d)}
        return {"net": self.network.init(generator, spec), "warp": warp}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"net": params["net"], **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        net = state["net"]
        prediction, back = self.network.pullback(net, support_x, self._at(params["warp"]))
        g = back(self.loss_gradient(prediction, support_y))
        if self.first_order:
            g = tree_map(torch.Tensor.detach, g)
        new, first = descend(net, g, self.inner_lr), self.network.layers[0].keys
        fixed = {key: net[key] for key in first} if self.freeze_first else {}
        return {"net": {**new, **fixed}, **carried(state)}

    def acting(self, params: Params, state: State) -> Acting:
        at = self._at(params["warp"])
        return self.network.plain(settled(self.network, state["net"], state, at), at)

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)

    def _warped(self) -> list[Layer]:
        """The layers that warp layers stand behind: all hidden ones; of convolutional ones not the first, as published."""
        return [layer for place, layer in enumerate(self.network.layers[:-1]) if layer.dense or place > 0]

    def _at(self, warp: dict[str, Tensor]) -> At:
        layers = enumerate(self._warped(), start=1)
        return At(
            {
                layer.gives: matrix_site(layer.dense, warp[f"weight{place}"], warp[f"bias{place}"])
                for place, layer in layers
            }
        )

    def meta_loss(self, params: Params, task: Task) -> Tensor:
        """The query losses after steps 1 ... T, summed, as one scalar whose derivative is the gradient above.

        Each step is made twice from the same weights: one copy meets the query, the other, blind to the warp layers'
        derivatives, goes on. Both have the same values.
        """
        blind = {**params, "warp": tree_map(torch.Tensor.detach, params["warp"])}
        state = self.start(params, task.support_x, task.support_y)
        losses = []
        for _ in range(self.train_steps):
            judged = self.step(params, state, task.support_x, task.support_y)
            losses.append(self.loss(self.predict(params, judged, task.query_x), task.query_y))
            state = self.step(blind, state, task.support_x, task.support_y)
        return torch.stack(losses).sum(0)
