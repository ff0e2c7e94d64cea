r"""FiLM: feature-wise scales and shifts adapt, the network does not (Perez et al., AAAI 2018, arXiv 1709.07871).

    h^(l) = gamma_l * a^(l) + beta_l,   a^(l) = ReLU(W_l h^(l-1) + b_l),   phi = (gamma, beta)
    phi_{t+1} = phi_t - alpha grad_phi L_support(theta, phi_t),   theta = (W, b)

for every hidden layer, with one scalar scale and shift more at the input, a^(0) = x, and at the output, where
a^(L) = W_L h^(L-1) + b_L has no ReLU and h^(L) is the prediction. Outer objective: the query loss after T steps, over
theta and the start phi_0, which begins as gamma = 1 and beta = 0. In few-shot learning FiLM layers adapt a shared
network in CNAPs (Requeima et al., NeurIPS 2019); there, and in Perez et al., another network writes gamma and beta
down, while here gradient steps on the support set find them.

It is SAP with the strengths of vector scale and vector shift, and of the four scalars, at 1, and all others at 0.
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
from engine.operations import At, scaling_site
from engine.tasks import TaskSpec
from engine.trees import tree_map


@dataclass(frozen=True)
class FiLM(Learner):
    """FiLM, adapted by gradient descent.

    Attributes:
        network: the base network.
        steps, test_steps: inner steps T in meta-training, and in evaluation (None: the same).
        inner_lr: alpha; the best of 0.01, 0.03, 0.1 and 0.3 on validation tasks of both kinds (0.3 diverges on sine).
        first_order: treat inner gradients as constants.
        inner_clip: element-wise clamp of the inner gradients (None: none). Scales of several layers multiply, so that
            with few points a step may overshoot by orders of magnitude.
    """

    name = "film"
    rule = "(γ, β) ← (γ, β) − α ∇L(γ, β), one pair per feature"
    title = "FiLM"
    family = "subspace"
    reference = "Perez et al., AAAI 2018; few-shot: Requeima et al., NeurIPS 2019 (CNAPs)"
    formula = r"h^{(l)} = \gamma_l \odot \mathrm{ReLU}(W_l h^{(l-1)} + b_l) + \beta_l, \quad (\gamma, \beta)_{t+1} = (\gamma, \beta)_t - \alpha \nabla_{(\gamma, \beta)_t} \mathcal{L}_{\mathrm{support}}(\theta, \gamma_t, \beta_t)"
    summary = "Shares one network between all tasks; a task only turns its features up or down and shifts them."

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = 10
    inner_lr: Annotated[float, Field(gt=0)] = 0.1
    first_order: bool = False
    inner_clip: Annotated[float, Field(gt=0)] | None = None

    def standing(self) -> list[str]:
        return list(self._points())

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        film: dict[str, Tensor] = {}
        for place, d in enumerate(self._points().values()):
            film |= {f"gamma{place}": torch.ones(d), f"beta{place}": torch.zeros(d)}
        return {"net": self.network.init(generator, spec), "film": film}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"film": params["film"], **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        film = state["film"]
        prediction, back = self.network.pullback_of(self._by_point(film), params["net"], support_x, self._at)
        found = back(self.loss_gradient(prediction, support_y))
        g: dict[str, Tensor] = {}
        for place, point in enumerate(self._points()):
            g |= {f"gamma{place}": found[point]["factor"], f"beta{place}": found[point]["shift"]}
        if (limit := self.inner_clip) is not None:
            g = tree_map(lambda entry: entry.clamp(-limit, limit), g)
        if self.first_order:
            g = tree_map(torch.Tensor.detach, g)
        return {"film": descend(film, g, self.inner_lr), **carried(state)}

    def acting(self, params: Params, state: State) -> Acting:
        at = self._at(self._by_point(state["film"]))
        return self.network.plain(settled(self.network, params["net"], state, at), at)

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)

    def _points(self) -> dict[str, int]:
        """Where scales and shifts stand, and how many: one at input and output, however many dimensions they have."""
        return {"input": 1, **{layer.active: layer.outputs or 1 for layer in self.network.layers[:-1]}, "output": 1}

    def _by_point(self, film: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        points = enumerate(self._points())
        return {point: {"factor": film[f"gamma{place}"], "shift": film[f"beta{place}"]} for place, point in points}

    def _at(self, film: dict[str, dict[str, Tensor]]) -> At:
        rows = {layer.active: layer.dense for layer in self.network.layers[:-1]}
        rows["input"] = self.network.layers[0].dense
        return At({point: scaling_site(rows.get(point, True), **values) for point, values in film.items()})
