r"""T-Nets and MT-nets (Lee & Choi, ICML 2018, arXiv 1801.05558).

T-Net: after every linear layer, before its ReLU, stands a square matrix that starts as the identity:

    a^(l) = ReLU(T_l (W_l a^(l-1) + b_l)),   theta_{t+1} = theta_t - alpha grad_theta L_support(theta_t, T),  theta = (W, b)

The matrices are fixed within a task. Seen from the product T W, a step is gradient descent preconditioned by T T^T.
Outer objective: the query loss after the last step, over theta_0 and all T_l.

MT-net: also learns which rows adapt. Every output unit j of a layer has a logit zeta_j, and a mask m_j multiplies the
inner gradient of its row of W and its bias. In meta-training one hard mask per task, the same in all its steps, is
drawn by a straight-through Gumbel-softmax between zeta_j and 0 at temperature 1; at test m_j = [zeta_j > 0]:

    s_j = sigmoid(zeta_j + log(u_j / (1 - u_j))),   u_j ~ U(0, 1),   m_j = [s_j > 1/2] forwards, s_j backwards

Paper against the dissertation's code (chapter 6); the defaults are the paper's, a switch gives the other:
- the code never adapts the first tensor of a T-Net, the weight of its first layer (`skip_first_tensor`);
- its sine network masks the output layer as the paper does, its convolutional one does not (`mask_head`).
Logits start at 0 and the comparison at test is strict: before any meta-training nothing adapts there.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.inner import descend
from engine.learners.learner import Learner, Params, State
from engine.learners.support import remembered, settled
from engine.networks import STANDARD, Acting, ANetwork, Net
from engine.operations import At, matrix_site
from engine.tasks import NoisyTask, Task, TaskSpec
from engine.trees import tree_map


@dataclass(frozen=True)
class TNet(Learner):
    """T-Net: weights and biases adapt, in a metric that the matrices T have learned.

    Attributes:
        network: the base network.
        steps, test_steps: inner steps in meta-training, and in evaluation (None: the same).
        inner_lr: alpha.
        first_order: treat inner gradients as constants.
        skip_first_tensor: never adapt the weight of the first layer, as in the dissertation's code.
    """

    name = "t-net"
    rule = "θ ← θ − α ∇L(θ, T), through fixed learned matrices T"
    title = "T-Net"
    family = "subspace"
    reference = "Lee & Choi, ICML 2018"
    formula = r"a^{(l)} = \mathrm{ReLU}\!\left(T_l (W_l a^{(l-1)} + b_l)\right), \quad \theta_{t+1} = \theta_t - \alpha \nabla_{\theta_t} \mathcal{L}_{\mathrm{support}}(\theta_t, T), \quad \theta = (W, b)"
    summary = "MAML behind learned matrices that no task changes: they bend the direction of every inner step."

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = 10
    inner_lr: Annotated[float, Field(gt=0)] = 0.01
    first_order: bool = False
    skip_first_tensor: bool = False

    def standing(self) -> list[str]:
        return [layer.linear for layer in self.network.layers]

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        outputs = [layer.outputs or spec.output_dim for layer in self.network.layers]
        transforms = {f"T{place}": torch.eye(d) for place, d in enumerate(outputs, start=1)}
        return {"net": self.network.init(generator, spec), "transforms": transforms}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"net": params["net"], **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        prediction, back = self.network.pullback(state["net"], support_x, self._at(params))
        g = back(self.loss_gradient(prediction, support_y))
        if self.first_order:
            g = tree_map(torch.Tensor.detach, g)
        net, first = state["net"], self.network.layers[0].weight
        new = descend(net, self.masked(state, g), self.inner_lr)
        return {**state, "net": {**new, first: net[first]} if self.skip_first_tensor else new}

    def masked(self, state: State, g: Net) -> Net:
        """The part of the inner gradient that a step follows: here all of it."""
        return g

    def acting(self, params: Params, state: State) -> Acting:
        at = self._at(params)
        return self.network.plain(settled(self.network, state["net"], state, at), at)

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)

    def _at(self, params: Params) -> At:
        """The matrices behind the linear maps of all layers."""
        layers = zip(self.network.layers, params["transforms"].values(), strict=True)
        return At({layer.linear: matrix_site(layer.dense, t) for layer, t in layers})


@dataclass(frozen=True)
class MTNet(TNet):
    """MT-net: a T-Net that adapts only the rows of which its masks say so.

    Attributes:
        mask_head: the output layer has masks as well; without, all of it adapts.
    """

    name = "mt-net"
    rule = "θ ← θ − α m ⊙ ∇L(θ, T), with learned masks m"
    title = "MT-net"
    formula = r"\theta_{t+1} = \theta_t - \alpha\, m \odot \nabla_{\theta_t} \mathcal{L}_{\mathrm{support}}(\theta_t, T), \quad m_j \sim \mathrm{Bernoulli}(\sigma(\zeta_j)), \quad \text{at test } m_j = [\zeta_j > 0]"
    summary = "A T-Net that also learns which rows of its weights a task may change."

    mask_head: bool = True

    def noise_size(self, spec: TaskSpec) -> int:
        return sum(self._masks(spec))

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        logits = {f"zeta{place}": torch.zeros(d) for place, d in enumerate(self._masks(spec), start=1)}
        return {**super().init(generator, spec), "masks": logits}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        masks = {name: (zeta > 0).to(zeta.dtype) for name, zeta in params["masks"].items()}
        return {**super().start(params, support_x, support_y), "masks": masks}

    def masked(self, state: State, g: Net) -> Net:
        kept, ranks = dict(g), self.network.ranks
        for layer, m in zip(self.network.layers, state["masks"].values(), strict=False):  # the head may have none
            for key in layer.keys:
                kept[key] = m[(..., *[None] * (ranks[key] - 1))] * g[key]
        return kept

    def _masks(self, spec: TaskSpec) -> list[int]:
        """How many logits each layer has."""
        outputs = [layer.outputs or spec.output_dim for layer in self.network.layers]
        return outputs if self.mask_head else outputs[:-1]

    def drawn(self, params: Params, noise: Tensor) -> dict[str, Tensor]:
        """Hard masks from uniform numbers (n,), one for every logit; their derivatives are those of soft ones."""
        masks = {}
        sizes = [zeta.shape[-1] for zeta in params["masks"].values()]
        for (name, zeta), u in zip(params["masks"].items(), noise.split(sizes, dim=-1), strict=True):
            soft = (zeta + u.logit()).sigmoid()
            masks[name] = (soft > 0.5).to(soft.dtype) + (soft - soft.detach())
        return masks

    def meta_loss(self, params: Params, task: Task | NoisyTask) -> Tensor:
        """The query loss after T steps under masks drawn for this task (those of the test, without noise)."""
        state = self.start(params, task.support_x, task.support_y)
        if isinstance(task, NoisyTask):
            state["masks"] = self.drawn(params, task.noise)
        for _ in range(self.train_steps):
            state = self.step(params, state, task.support_x, task.support_y)
        return self.loss(self.predict(params, state, task.query_x), task.query_y)
