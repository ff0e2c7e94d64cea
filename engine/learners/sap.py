r"""Subspace Adaptation Prior, SAP (Huisman, Plaat & van Rijn, arXiv 2310.09028; dissertation, chapter 6).

A ReLU network theta stays as it is within a task. Before every linear layer and at the output stands a site of simple
operations O: a mix of multiplications, then a mix of shifts. Only their parameters phi adapt, by gradient descent:

    f(x) = O_L(b_L + W_L ... O_1(ReLU(b_1 + W_1 O_0(x)))),   phi_{t+1} = phi_t - alpha grad_phi L_support(theta, phi_t, lambda)

Input and output have a scalar scale and a scalar shift (one each, also for several dimensions), each with a sigmoid of
its own as strength; after every ReLU stand identity, scalar, vector, full matrix and low-rank products under one
softmax, and no shift, scalar shift and vector shift under another (`engine.operations.unit_mix` has the formulas). The
logits lambda of the strengths are fixed within a task. Outer objective: the query loss after T steps, over theta, phi_0
and lambda together; lambda decides in which subspace a task adapts. A strength w scales both what its operation does
and the gradient that it gets. So a state holds the products psi = w * phi, which move by w^2 times their own gradient,

    psi_{t+1} = psi_t - alpha w^2 grad_psi L_support

(a step of a shift moves the function by an amount proportional to w^2; the first-order form keeps w grad_psi, which is
grad_phi, constant).

On convolutional networks, as in the published code (`engine.operations.image_mix` has the formulas), images have
identity, 1x1 and 3x3 kernels and 3x3 kernels of rank one under one softmax, and the shifts under another, where they come
in and behind every activation, before pooling. Every convolution has its kernels W as they are, with a factor for each,
and with one for each output channel, under a softmax. Behind the head stands a matrix with a shift, under a sigmoid. The
head itself, weight and bias, adapts as well.

Paper against published code; the defaults are the code's, a switch gives the other:
- the code never adapts its first tensor, the input scale (`skip_first_tensor`);
- low-rank operations start as projections on the first k units, so that the start is not the identity;
  `identity_low_rank` adds the part that is cut off: z U S V^T + z (I - P_k), with P_k the starting projection;
- the network for synthetic families starts from phi ~ U(0, 1) and has no low-rank operations (`uniform_start`);
- on images the code adapts the head too, which the paper's formula leaves alone (`head_adapts`);
- the code sums the meta-gradients of a batch where we average: under Adam that differs through epsilon only.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from engine.errors import BadConfig, quoted
from engine.learners.inner import descend
from engine.learners.learner import Learner, Params, State
from engine.learners.support import carried, remembered, settled
from engine.networks import STANDARD, Acting, ANetwork, Net
from engine.operations import At
from engine.operations.image_mix import ImageMix, KernelMix, OutputMix
from engine.operations.mix import Mixes, Named, Place
from engine.operations.unit_mix import HiddenMix, ScalarMix
from engine.tasks import TaskSpec
from engine.trees import tree_map

_vjp: Any = torch.func.vjp  # of one output: (output, function)


@dataclass(frozen=True)
class SAP(Learner):
    """SAP.

    Sites are "input", "hidden1", "hidden2" ... and "output", and before a hidden one of a convolution "weight1" and so
    on; every operation is one tensor, named "site.operation".

    Attributes:
        network: the base network, which stays as it is within a task.
        steps, test_steps: inner steps T in meta-training, and in evaluation (None: the same).
        inner_lr: alpha.
        first_order: treat inner gradients as constants.
        inner_clip: element-wise clamp of the inner gradients (None: none; 10 in the published code on images).
        ranks: of the low-rank operations in every hidden site on rows of units; empty for none.
        skip_first_tensor: never adapt the scalar scale of the input, as published.
        identity_low_rank: low-rank operations start as identities instead of projections.
        hidden_operations: False leaves only the operations at input and output.
        uniform_start: all operations start from U(0, 1) instead of scale 1 and shift 0.
        head_adapts: on convolutional networks, the weight and bias of the head adapt as well, as published.
        frozen: operations that do not adapt; they still act as they were meta-learned.
    """

    name = "sap"
    rule = "φ ← φ − α ∇L(φ), operations between fixed layers"
    title = "SAP"
    family = "subspace"
    reference = "Huisman, Plaat & van Rijn, arXiv 2310.09028, 2023"
    formula = r"\phi_{t+1} = \phi_t - \alpha \nabla_{\phi_t} \mathcal{L}_{\mathrm{support}}(\theta, \phi_t, \lambda), \quad O(z) = \textstyle\sum_i \mathrm{softmax}(\lambda)_i \, o_i(z; \phi)"
    summary = (
        "Keeps its network and adapts simple operations between the layers, each as strongly as it has learned to."
    )

    network: ANetwork = STANDARD
    steps: Annotated[int, Field(ge=1)] = 1
    test_steps: Annotated[int, Field(ge=1)] | None = None
    inner_lr: Annotated[float, Field(gt=0)] = 0.01
    first_order: bool = False
    inner_clip: Annotated[float, Field(gt=0)] | None = None
    ranks: tuple[Annotated[int, Field(ge=1)], ...] = (5, 10, 15)
    skip_first_tensor: bool = True
    identity_low_rank: bool = False
    hidden_operations: bool = True
    uniform_start: bool = False
    head_adapts: bool = True
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        widths = [layer.outputs for layer in self.network.layers if layer.dense and layer.outputs]
        smallest = min(widths, default=0)
        if not self._on_images and (len(set(self.ranks)) < len(self.ranks) or max(self.ranks, default=0) > smallest):
            raise BadConfig(f"Ranks must differ and be at most {smallest}, the smallest width; {self.ranks} was given")
        known = self.operations()
        if unknown := [name for name in self.frozen if name not in known]:
            raise BadConfig(f"There is no operation {quoted(unknown[0])} to freeze; known are {', '.join(known)}")

    def groups(self) -> dict[str, list[str]]:
        """Which operations share a group of strength logits. Where there are several, the first has no parameters."""
        return self._mixes().groups()

    def operations(self) -> list[str]:
        """The operations that have parameters, as "site.operation", in network order."""
        return [name for group in self.groups().values() for name in (group if len(group) == 1 else group[1:])]

    def strengths(self, params: Params) -> dict[str, Tensor]:
        """How strong each operation is: numbers in (0, 1) by "site.operation", in network order.

        In hidden sites those of "site.identity" and the multiplications sum to 1, as do those of "site.no-shift" and
        the shifts. A stack of parameters gives a number for each.
        """
        return self._mixes().strengths(params["strengths"])

    def standing(self) -> list[str]:
        return self._mixes().points()

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        net = self.network.init(generator, spec)
        phi = self._mixes(net).plain()
        if self.uniform_start:
            phi = {name: torch.rand(start.shape, generator=generator) for name, start in phi.items()}
        logits = {group: torch.zeros(len(names) if len(names) > 1 else ()) for group, names in self.groups().items()}
        return {"net": net, "operations": phi, "strengths": logits}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        net = params["net"]
        phi, strengths = self._mixes(net).rows(params["operations"], params["strengths"])
        state = {"psi": strengths * phi, "strengths": strengths, **remembered(self.network, support_x)}
        if self.head_adapts and self._on_images:
            state["head"] = {key: net[key] for key in self.network.head.keys}
        return state

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        net, psi, strengths = params["net"], state["psi"], state["strengths"]
        mixes, new = self._mixes(net), carried(state)
        if "head" in state:

            def forward(psi: dict[str, Named], head: Net) -> Tensor:
                return self.network.forward({**net, **head}, support_x, mixes.at(psi))

            prediction, back = _vjp(forward, mixes.pieces(psi), state["head"])
            found, of_head = back(self.loss_gradient(prediction, support_y))
            new["head"] = descend(state["head"], tree_map(self._bounded, of_head), self.inner_lr)
        else:
            prediction, back = self.network.pullback_of(mixes.pieces(psi), net, support_x, mixes.at)
            found = back(self.loss_gradient(prediction, support_y))
        gradient = mixes.gradient(found, (*self.frozen, *(["input.scale"] if self.skip_first_tensor else [])))
        pace = -self.inner_lr * strengths
        if self.first_order or self.inner_clip is not None:
            gradient = self._bounded(strengths * gradient)  # with respect to phi: that is the constant, or clamped
        else:
            pace = pace * strengths  # of numbers that tasks share: two multiplications less for each task
        return {"psi": psi + pace * gradient, "strengths": strengths, **new}

    def named(self, params: Params, state: State) -> dict[str, Tensor]:
        """The parameters phi of the operations in a state, as "site.operation", in network order.

        An operation of strength 0 cannot have moved.
        """
        mixes = self._mixes(params["net"])
        phi, strengths = mixes.rows(params["operations"], params["strengths"])
        moved = torch.where(strengths > 0, (state["psi"] - strengths * phi) / strengths, 0.0)
        return mixes.named(phi + moved)

    def acting(self, params: Params, state: State) -> Acting:
        """On rows every operation is affine, so a state on an MLP stands for a plain one of the same widths."""
        return self.network.plain(*self._adapted(params, state))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        net, at = self._adapted(params, state)
        return self.network.forward(net, x, at)

    def _adapted(self, params: Params, state: State) -> tuple[Net, At]:
        """The weights of a state, and what stands between them."""
        mixes = self._mixes(params["net"])
        at = mixes.at(mixes.pieces(state["psi"]))
        return settled(self.network, {**params["net"], **state.get("head", {})}, state, at), at

    @property
    def _on_images(self) -> bool:
        return not all(layer.dense for layer in self.network.layers)

    def _mixes(self, net: Net | None = None) -> Mixes:
        """What stands where. Sizes that only weights know are 0 without them."""
        layers = self.network.layers
        sizes = [net[layer.weight].shape[:2] if net else (0, 0) for layer in layers]
        found: list[Place] = []
        for number, layer in enumerate(layers[:-1] if self.hidden_operations else [], start=1):
            d = int(layer.outputs or 0)
            if not layer.dense:
                found.append(Place(f"weight{number}", f"{layer.name}.weight", KernelMix(*sizes[number - 1])))
            mix = HiddenMix(d, self.ranks, self.identity_low_rank) if layer.dense else ImageMix(d)
            found.append(Place(f"hidden{number}", layer.active, mix))
        begin = ScalarMix() if layers[0].dense else ImageMix(sizes[0][1])
        end = ScalarMix() if all(layer.dense for layer in layers) else OutputMix(sizes[-1][0])
        return Mixes([Place("input", "input", begin), *found, Place("output", "output", end)])

    def _bounded(self, gradient: Tensor) -> Tensor:
        """An inner gradient as a step follows it."""
        if (limit := self.inner_clip) is not None:
            gradient = gradient.clamp(-limit, limit)
        return gradient.detach() if self.first_order else gradient


@dataclass(frozen=True)
class FirstOrderSAP(SAP):
    """First-order SAP: the same inner loop; the meta-gradient treats the inner gradients as constants."""

    name = "sap-first-order"
    title = "SAP, first-order"
    formula = r"\phi_{t+1} = \phi_t - \alpha \nabla_{\phi_t} \mathcal{L}_{\mathrm{support}}(\theta, \phi_t, \lambda), \quad (\theta, \phi_0, \lambda) \leftarrow (\theta, \phi_0, \lambda) - \eta \nabla \mathcal{L}_{\mathrm{query}} \text{ at } \phi_T"
    summary = "SAP that pretends its inner gradients are constants: cheaper, with a less exact outer direction."

    first_order: bool = True
