r"""Reptile (Nichol, Achiam & Schulman 2018, arXiv 1803.02999).

T inner steps on mini-batches of the task's training data lead from theta_0 to theta_T; then

    theta_0 <- theta_0 + epsilon * mean over tasks of (theta_T - theta_0),   epsilon from its start to 0 linearly.

In training, support and query are merged into one training set, cut into mini-batches without replacement (the points
of a task are i.i.d., so consecutive slices are random batches; after the last slice the first comes again). At test the
batch is the whole support set. As published (chapter 4), the inner optimiser is Adam with beta1 = 0 whose state is
carried on in meta-training and fresh at test; here the tasks of a meta-batch run side by side, so what is carried
is the mean of their states.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.learners.inner import adam, descend, fresh_moments
from engine.learners.learner import Learner, Params, State
from engine.learners.support import carried, remembered, settled
from engine.networks import STANDARD, Acting, ANetwork
from engine.tasks import Task, TaskSpec
from engine.trees import Tree, tree_map

BETA1, BETA2 = 0.0, 0.999


@dataclass(frozen=True)
class Reptile(Learner):
    """Reptile.

    Attributes:
        network: what adapts.
        steps, test_steps: inner steps T in meta-training, and in evaluation.
        inner_optimiser: "adam" (beta1 = 0, beta2 = 0.999, as published) or "sgd".
        inner_lr: learning rate of the inner optimiser.
        inner_batch: points per inner step in meta-training.
    """

    name = "reptile"
    rule = "θ ← θ − α ∇L(θ), from θ₀ ← θ₀ + ε (θᴛ − θ₀)"
    title = "Reptile"
    family = "gradient"
    reference = "Nichol, Achiam & Schulman, arXiv 1803.02999, 2018"
    formula = r"\theta_0 \leftarrow \theta_0 + \epsilon \, \mathbb{E}_\tau\!\left[\theta_T^{\tau} - \theta_0\right]"
    summary = "Moves its start a little toward wherever training on each task led: good at once and after more steps."
    running = ("moments",)

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 8
    test_steps: Annotated[int, Field(ge=1)] = 50
    inner_optimiser: Literal["adam", "sgd"] = "adam"
    inner_lr: Annotated[float, Field(gt=0)] = 0.001
    inner_batch: Annotated[int, Field(ge=1)] = 10

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        net = self.network.init(generator, spec)
        return {"net": net, "moments": fresh_moments(net, BETA1)} if self.inner_optimiser == "adam" else {"net": net}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        state: State = {"net": params["net"], **remembered(self.network, support_x)}
        if self.inner_optimiser == "adam":
            state["moments"] = fresh_moments(params["net"], BETA1)
        return state

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        prediction, back = self.network.pullback(state["net"], support_x)
        g = back(self.loss_gradient(prediction, support_y))
        if self.inner_optimiser == "sgd":
            return {"net": descend(state["net"], g, self.inner_lr), **carried(state)}
        net, moments = adam(state["net"], g, state["moments"], self.inner_lr, BETA1, BETA2)
        return {"net": net, "moments": moments, **carried(state)}

    def acting(self, params: Params, state: State) -> Acting:
        return Acting(self.network, settled(self.network, state["net"], state))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.acting(params, state)(x)

    def displaced(self, params: Params, task: Task) -> dict[str, Any]:
        """theta_T, and the optimiser's state, after T mini-batch steps on support and query merged."""
        x = torch.cat([task.support_x, task.query_x])
        y = torch.cat([task.support_y, task.query_y])
        points = torch.arange(self.steps * self.inner_batch, device=x.device) % len(x)
        state: State = dict(params)
        for batch in points.split(self.inner_batch):
            state = self.step(params, state, x[batch], y[batch])
        return state

    def meta_gradient(self, params: Params, task: Task) -> tuple[Tree, Tensor]:
        """theta_0 - theta_T: the outer optimiser, plain SGD with learning rate epsilon, then makes Reptile's step."""
        final = self.displaced(params, task)
        asked = {**final, **remembered(self.network, task.support_x)}
        loss = self.loss(self.predict(params, asked, task.query_x), task.query_y)
        return tree_map(lambda before, after: before - after, params, final), loss
