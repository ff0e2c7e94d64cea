r"""Centroid finetuning: a cosine classifier on pre-trained features (Chen et al. 2019, "Baseline++"; Huisman 2024, ch. 4).

With ReLU features f(x) of a network, one direction v_c and one length g_c for each class, the scores are scaled cosines:

    s_c(x) = 2 g_c cos(v_c, f(x)),        p(y = c | x) = softmax over c of s_c(x)

Pre-training minimises the cross-entropy over body and head on the points of all tasks pooled; for a new task the body is
frozen, and v and g follow Adam on the support set from their pre-trained values. There is no bias.

The paper writes plain cosines; the published code's weight normalisation has the lengths g as well, which we follow
(`lengths=False` fixes them at 1). Where tasks are made of the classes of a set, pre-training tells all classes of the
training split apart, as published, with a head that is thrown away; the head that a task starts with is as it was drawn.
Elsewhere labels mean something within their task only, so that pooled pre-training can only learn what labels share
between tasks: this is a weak baseline there, and said to be. Inner batches are full batches, so that adaptation is a
deterministic function of the support set.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.inner import adam, fresh_moments
from engine.learners.learner import Learner, Params, State
from engine.learners.support import carried, remembered, settled
from engine.networks import STANDARD, ANetwork, Net
from engine.tasks import Task, TaskSpec

SCALE = 2.0
TINY = 1e-10  # inside the root: features of an input that no unit sees have length 0


@dataclass(frozen=True)
class CentroidFinetuning(Learner):
    """Pre-training on pooled tasks; then `test_steps` steps of Adam on a cosine head.

    Attributes:
        network: its body makes the features; a cosine head takes the place of its own.
        test_steps: Adam steps on the support set (there are no inner steps in pre-training).
        inner_lr: learning rate of those steps.
        lengths: learn a length for each class beside its direction.
    """

    name = "centroid-finetuning"
    rule = "v ← v − Adam(∇L(v)),  scores 2 g cos(v, f(x))"
    title = "Centroid finetuning"
    family = "transfer"
    reference = "Chen et al., ICLR 2019 (Baseline++); Huisman et al., arXiv 2310.06148, 2023"
    formula = r"s_c(x) = 2\, g_c \frac{v_c^\top f_\theta(x)}{\lVert v_c \rVert \, \lVert f_\theta(x) \rVert}, \quad (v, g)_{t+1} = (v, g)_t - \mathrm{Adam}\!\left(\nabla \mathcal{L}_{\mathrm{support}}\right)"
    summary = "Learns features on all tasks pooled, then turns one direction per class toward the support points."
    kinds = ("classification",)

    network: ANetwork = STANDARD
    test_steps: Annotated[int, Field(ge=1)] = 100
    inner_lr: Annotated[float, Field(gt=0)] = 0.001
    lengths: bool = True

    flat = True

    @property
    def train_steps(self) -> int:
        return 0

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        net, own = self.network.init(generator, spec), self.network.head
        body, head = {key: net[key] for key in net if key not in own.keys}, {"v": net[own.weight]}
        if self.lengths:
            head["g"] = head["v"].norm(dim=-1)  # the product g v / |v| starts as a plain linear layer does
        return {"body": body, "head": head}

    def classifier(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        return self.init(generator, spec)["head"]

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        head = params["head"]
        features = self._features(params["body"], support_x)
        moments = fresh_moments(head, beta1=0.9)
        return {"head": head, "moments": moments, "features": features, **remembered(self.network, support_x)}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        head, features = state["head"], state["features"]  # (K, d), of length 1: the body is frozen
        g = _backward(head, features, self.loss_gradient(_scores(head, features), support_y))
        head, moments = adam(head, g, state["moments"], self.inner_lr)
        return {"head": head, "moments": moments, "features": features, **carried(state)}

    def features(self, params: Params, state: State, x: Tensor) -> dict[str, Tensor]:
        body = settled(self.network, params["body"], state)
        hidden = self.network.features(body, x)
        return {**hidden, list(hidden)[-1]: self._features(body, x)}

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return _scores(state["head"], self._features(settled(self.network, params["body"], state), x))

    def meta_loss(self, params: Params, task: Task) -> Tensor:
        """The direct loss on support and query pooled: nothing adapts in pre-training."""
        x = torch.cat([task.support_x, task.query_x])
        y = torch.cat([task.support_y, task.query_y])
        head = params["classifier"] if "classifier" in params else params["head"]
        return self.loss(_scores(head, self._features(params["body"], x)), y)

    def _features(self, body: Net, x: Tensor) -> Tensor:
        """What the head reads, (K, d), each row of length 1."""
        raw = self.network.body(body, x)
        return raw * (raw.square().sum(-1, keepdim=True) + TINY).rsqrt()


def _scores(head: dict[str, Tensor], features: Tensor) -> Tensor:
    """Scaled cosines (K, ways)."""
    directions = head["v"] / head["v"].norm(dim=-1, keepdim=True)  # (ways, d)
    cosines = features @ directions.mT
    return SCALE * (cosines * head["g"].unsqueeze(-2) if "g" in head else cosines)


def _backward(head: dict[str, Tensor], features: Tensor, delta: Tensor) -> dict[str, Tensor]:
    """The gradient with respect to the head, for the derivative delta (K, ways) with respect to the scores."""
    length = head["v"].norm(dim=-1, keepdim=True)  # (ways, 1)
    direction = head["v"] / length
    pull = SCALE * (delta.mT @ features)  # (ways, d): the derivative with respect to g v / |v|
    along = (pull * direction).sum(-1, keepdim=True)
    across = (pull - along * direction) / length  # turning a direction moves it across, never along itself
    if "g" not in head:
        return {"v": across}
    return {"v": head["g"].unsqueeze(-1) * across, "g": along.squeeze(-1)}
