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
from engine.networks import mlp
from engine.tasks import NoisyTask, Task, TaskSpec
from engine.trees import tree_map


@dataclass(frozen=True)
class TNet(Learner):
    """T-Net on an MLP: weights and biases adapt, in a metric that the matrices T have learned.

    Attributes:
        widths: hidden layers of the base network.
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
    whole_steps = 1

    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (40, 40)
    steps: Annotated[int, Field(ge=1)] = 5
    test_steps: Annotated[int, Field(ge=1)] | None = 10
    inner_lr: Annotated[float, Field(gt=0)] = 0.01
    first_order: bool = False
    skip_first_tensor: bool = False

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        outputs = (*self.widths, spec.output_dim)
        net = mlp.init(generator, (*spec.input_shape, *outputs))
        return {"net": net, "transforms": {f"T{layer}": torch.eye(d) for layer, d in enumerate(outputs, start=1)}}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {"net": params["net"]}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        net = self.network(params, state)
        a = mlp.activations(net, support_x)
        g = mlp.backward(net, a, self.loss_gradient(a[-1], support_y))  # with respect to T W and T b
        g = _times({name: t.mT for name, t in params["transforms"].items()}, g)
        if self.first_order:
            g = tree_map(torch.Tensor.detach, g)
        new = descend(state["net"], self.masked(state, g), self.inner_lr)
        return {**state, "net": {**new, "weight1": state["net"]["weight1"]} if self.skip_first_tensor else new}

    def masked(self, state: State, g: mlp.Net) -> mlp.Net:
        """The part of the inner gradient that a step follows: here all of it."""
        return g

    def network(self, params: Params, state: State) -> mlp.Net:
        return _times(params["transforms"], state["net"])

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return mlp.forward(self.network(params, state), x)


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
        return sum(self.widths) + (spec.output_dim if self.mask_head else 0)

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        sizes = (*self.widths, spec.output_dim) if self.mask_head else self.widths
        logits = {f"zeta{layer}": torch.zeros(d) for layer, d in enumerate(sizes, start=1)}
        return {**super().init(generator, spec), "masks": logits}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        masks = {name: (zeta > 0).to(zeta.dtype) for name, zeta in params["masks"].items()}
        return {"net": params["net"], "masks": masks}

    def masked(self, state: State, g: mlp.Net) -> mlp.Net:
        kept = dict(g)
        for name, m in state["masks"].items():
            weight, bias = f"weight{name.removeprefix('zeta')}", f"bias{name.removeprefix('zeta')}"
            kept |= {weight: m.unsqueeze(-1) * g[weight], bias: m * g[bias]}
        return kept

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


def _times(transforms: dict[str, Tensor], net: mlp.Net) -> mlp.Net:
    """T_l W_l and T_l b_l for every layer."""
    product = {}
    for name, t in transforms.items():
        weight, bias = f"weight{name.removeprefix('T')}", f"bias{name.removeprefix('T')}"
        product[weight], product[bias] = t @ net[weight], (t @ net[bias].unsqueeze(-1)).squeeze(-1)
    return product
