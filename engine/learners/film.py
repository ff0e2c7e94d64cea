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
from engine.networks import mlp
from engine.tasks import TaskSpec
from engine.trees import tree_map


@dataclass(frozen=True)
class FiLM(Learner):
    """FiLM on an MLP, adapted by gradient descent.

    Attributes:
        widths: hidden layers of the base network.
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
    whole_steps = 1

    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (40, 40)
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = 10
    inner_lr: Annotated[float, Field(gt=0)] = 0.1
    first_order: bool = False
    inner_clip: Annotated[float, Field(gt=0)] | None = None

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        film: dict[str, Tensor] = {}
        for layer, d in enumerate((1, *self.widths, 1)):  # one scalar at input and output, however many dimensions
            film |= {f"gamma{layer}": torch.ones(d), f"beta{layer}": torch.zeros(d)}
        return {"net": mlp.init(generator, (*spec.input_shape, *self.widths, spec.output_dim)), "film": film}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"film": params["film"]}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        net, film = params["net"], state["film"]
        last = mlp.depth(net)
        a = mlp.activations(self._folded(net, film), support_x)  # a^(0) ... a^(L)
        prediction = a[last] * film[f"gamma{last}"].unsqueeze(-2) + film[f"beta{last}"].unsqueeze(-2)
        delta = self.loss_gradient(prediction, support_y)  # with respect to h^(l), l = L ... 0
        g: dict[str, Tensor] = {}
        for layer in range(last, -1, -1):
            each = {f"gamma{layer}": (delta * a[layer]).sum(-2), f"beta{layer}": delta.sum(-2)}
            if layer in (0, last):
                each = {name: value.sum(-1, keepdim=True) for name, value in each.items()}
            g |= each
            if layer:
                delta = delta * film[f"gamma{layer}"].unsqueeze(-2)
                delta = (mlp.before_relu(delta, a[layer]) if layer < last else delta) @ net[f"weight{layer}"]
        if (limit := self.inner_clip) is not None:
            g = tree_map(lambda entry: entry.clamp(-limit, limit), g)
        if self.first_order:
            g = tree_map(torch.Tensor.detach, g)
        return {"film": descend(film, g, self.inner_lr)}

    def network(self, params: Params, state: State) -> mlp.Net:
        film, last = state["film"], mlp.depth(params["net"])
        net = self._folded(params["net"], film)
        net[f"weight{last}"] = net[f"weight{last}"] * film[f"gamma{last}"].unsqueeze(-2)
        net[f"bias{last}"] = net[f"bias{last}"] * film[f"gamma{last}"] + film[f"beta{last}"]
        return net

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return mlp.forward(self.network(params, state), x)

    def _folded(self, net: mlp.Net, film: dict[str, Tensor]) -> mlp.Net:
        """The network whose layers take a^(l) instead of h^(l); what happens to its output is left out."""
        folded = {}
        for layer in range(1, mlp.depth(net) + 1):
            weight, gamma, beta = net[f"weight{layer}"], film[f"gamma{layer - 1}"], film[f"beta{layer - 1}"]
            folded[f"weight{layer}"] = weight * gamma.unsqueeze(-2)
            folded[f"bias{layer}"] = net[f"bias{layer}"] + (weight * beta.unsqueeze(-2)).sum(-1)
        return folded
