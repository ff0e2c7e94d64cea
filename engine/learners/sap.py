r"""Subspace Adaptation Prior, SAP (Huisman, Plaat & van Rijn, arXiv 2310.09028; dissertation, chapter 6).

A ReLU network theta stays as it is within a task. Before every linear layer and at the output stands a site of simple
operations O: a mix of multiplications, then a mix of shifts. Only their parameters phi adapt, by gradient descent:

    f(x) = O_L(b_L + W_L ... O_1(ReLU(b_1 + W_1 O_0(x)))),   phi_{t+1} = phi_t - alpha grad_phi L_support(theta, phi_t, lambda)

Input and output have a scalar scale and a scalar shift (one each, also for several dimensions), each with a sigmoid of
its own as strength; after every ReLU stand identity, scalar, vector, full matrix and low-rank products under one
softmax, and no shift, scalar shift and vector shift under another (`engine.networks.operations` has the formulas). The
logits lambda of the strengths are fixed within a task. Outer objective: the query loss after T steps, over theta, phi_0
and lambda together; lambda decides in which subspace a task adapts. A strength w scales both what its operation does
and the gradient that it gets. So a state holds the products psi = w * phi, which move by w^2 times their own gradient,

    psi_{t+1} = psi_t - alpha w^2 grad_psi L_support

(a step of a shift moves the function by an amount proportional to w^2; the first-order form keeps w grad_psi, which is
grad_phi, constant).

Paper against published code; the defaults are the code's, a switch gives the other:
- the code never adapts its first tensor, the input scale (`skip_first_tensor`);
- low-rank operations start as projections on the first k units, so that the start is not the identity;
  `identity_low_rank` adds the part that is cut off: z U S V^T + z (I - P_k), with P_k the starting projection;
- the network for synthetic families starts from phi ~ U(0, 1) and has no low-rank operations (`uniform_start`);
- the code sums the meta-gradients of a batch where we average: under Adam that differs through epsilon only.
"""

from dataclasses import dataclass
from typing import Annotated, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from engine.errors import BadConfig, quoted
from engine.learners.learner import Learner, Params, State
from engine.networks import STANDARD, Acting, ANetwork
from engine.operations import At, mix
from engine.operations.mix import Form, Named
from engine.tasks import TaskSpec

ENDS = ("input", "output")
Value = TypeVar("Value")


@dataclass(frozen=True)
class SAP(Learner):
    """SAP.

    Sites are "input", "hidden1", "hidden2" ... and "output"; every operation is one tensor, named "site.operation".

    Attributes:
        network: the base network, which stays as it is within a task.
        steps, test_steps: inner steps T in meta-training, and in evaluation (None: the same).
        inner_lr: alpha.
        first_order: treat inner gradients as constants.
        ranks: of the low-rank operations in every hidden site; empty for none.
        skip_first_tensor: never adapt the input scale, as published.
        identity_low_rank: low-rank operations start as identities instead of projections.
        hidden_operations: False leaves only the scalar operations at input and output.
        uniform_start: all operations start from U(0, 1) instead of scale 1 and shift 0.
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
    ranks: tuple[Annotated[int, Field(ge=1)], ...] = (5, 10, 15)
    skip_first_tensor: bool = True
    identity_low_rank: bool = False
    hidden_operations: bool = True
    uniform_start: bool = False
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(layer.dense for layer in self.network.layers):
            return  # `refused` says why
        smallest = min((layer.outputs for layer in self.network.layers if layer.outputs), default=0)
        if len(set(self.ranks)) < len(self.ranks) or max(self.ranks, default=0) > smallest:
            raise BadConfig(f"Ranks must differ and be at most {smallest}, the smallest width; {self.ranks} was given")
        if unknown := [name for name in self.frozen if name not in self.operations()]:
            raise BadConfig(
                f"There is no operation {quoted(unknown[0])} to freeze; known are {', '.join(self.operations())}"
            )

    def sites(self) -> list[str]:
        """Where operations may stand, in network order; site l = 0 ... L takes a^(l)."""
        return ["input", *(f"hidden{layer}" for layer in range(1, len(self.network.layers))), "output"]

    def groups(self) -> dict[str, list[str]]:
        """Which operations share a group of strength logits. In a hidden site the first one has no parameters."""
        found: dict[str, list[str]] = {}
        low_rank = [f"rank{k}" for k in self.ranks]
        for site in self.sites():
            if site in ENDS:
                kinds = {"scale": ["scale"], "shift": ["shift"]}
            elif self.hidden_operations:
                multiplications = ["identity", "scalar-scale", "vector-scale", "matrix", *low_rank]
                kinds = {"scale": multiplications, "shift": ["no-shift", "scalar-shift", "vector-shift"]}
            else:
                continue
            found |= {f"{site}.{kind}": [f"{site}.{name}" for name in names] for kind, names in kinds.items()}
        return found

    def operations(self) -> list[str]:
        """The operations that have parameters, as "site.operation", in network order."""
        return [name for group in self.groups().values() for name in (group if len(group) == 1 else group[1:])]

    def strengths(self, params: Params) -> dict[str, Tensor]:
        """How strong each operation is: numbers in (0, 1) by "site.operation", in network order.

        In hidden sites those of "site.identity" and the multiplications sum to 1, as do those of "site.no-shift" and
        the shifts. A stack of parameters gives a number for each.
        """
        found: Named = {}
        for group, names in self.groups().items():
            logits = params["strengths"][group]
            values = [logits.sigmoid()] if len(names) == 1 else logits.softmax(-1).unbind(-1)
            found |= zip(names, values, strict=True)
        return found

    def refused(self, spec: TaskSpec) -> str | None:
        if not all(layer.dense for layer in self.network.layers):
            return f"its operations mix rows of units; {self.network.title} has images between its layers."
        return super().refused(spec)

    def init(self, generator: torch.Generator, spec: TaskSpec) -> Params:
        net, width = self.network.init(generator, spec), self._widths()
        phi: Named = {}
        for name in self.operations():
            site, operation = name.split(".")
            phi[name] = mix.plain(operation, width[site])
            if self.uniform_start:
                phi[name] = torch.rand(phi[name].shape, generator=generator)
        logits = {group: torch.zeros(len(names) if len(names) > 1 else ()) for group, names in self.groups().items()}
        return {"net": net, "operations": phi, "strengths": logits}

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        phi, strengths = self._rows(params)
        return {"psi": strengths * phi, "strengths": strengths}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        psi, strengths, forms, pieces = state["psi"], state["strengths"], self._forms(), []
        prediction, back = self.network.pullback_of(self._pieces(psi), params["net"], support_x, self._at)
        found = back(self.loss_gradient(prediction, support_y))
        still = dict.fromkeys((*self.frozen, *(["input.scale"] if self.skip_first_tensor else [])))
        for site, point in self._points().items():
            pieces += forms[site].held(found[point], _of(site, still))
        gradient, pace = torch.cat(pieces, -1), -self.inner_lr * strengths
        if self.first_order:
            gradient = (strengths * gradient).detach()  # with respect to phi: that is the constant
        else:
            pace = pace * strengths  # of numbers that tasks share: two multiplications less for each task
        return {"psi": psi + pace * gradient, "strengths": strengths}

    def named(self, params: Params, state: State) -> dict[str, Tensor]:
        """The parameters phi of the operations in a state, as "site.operation", in network order.

        An operation of strength 0 cannot have moved.
        """
        phi, strengths = self._rows(params)
        moved = torch.where(strengths > 0, (state["psi"] - strengths * phi) / strengths, 0.0)
        forms, found = self._forms(), Named()
        pieces = self._pieces(phi + moved)
        for site, point in self._points().items():
            found |= {f"{site}.{name}": value for name, value in forms[site].named(pieces[point]).items()}
        return found

    def acting(self, params: Params, state: State) -> Acting:
        """Every operation acts on rows and is affine, so a state on an MLP stands for a plain one of the same widths."""
        return self.network.plain(params["net"], self._at(self._pieces(state["psi"])))

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.network.forward(params["net"], x, self._at(self._pieces(state["psi"])))

    def _widths(self) -> dict[str, int]:
        """The units of each site; the scalars of the ends need none."""
        hidden = (int(layer.outputs or 0) for layer in self.network.layers[:-1])
        return dict(zip(self.sites(), (0, *hidden, 0), strict=True))

    def _points(self) -> dict[str, str]:
        """Where in the network the sites are that have operations, in its order."""
        points = ["input", *(layer.active for layer in self.network.layers[:-1]), "output"]
        every = dict(zip(self.sites(), points, strict=True))
        return {site: point for site, point in every.items() if self.hidden_operations or site in ENDS}

    def _forms(self) -> dict[str, Form]:
        """The sites that have operations, in network order."""
        width = self._widths()
        return {site: Form(width[site], self.ranks, self.identity_low_rank) for site in self._points()}

    def _rows(self, params: Params) -> tuple[Tensor, Tensor]:
        """phi_0 and the strength of every number, (N,) each."""
        forms, w, phi = self._forms().items(), self.strengths(params), params["operations"]
        row = [piece for site, form in forms for piece in form.row(_of(site, phi))]
        strengths = [piece for site, form in forms for piece in form.strengths(_of(site, w))]
        return torch.cat(row, -1), torch.cat(strengths, -1)

    def _at(self, pieces: dict[str, Named]) -> At:
        """The sites that the pieces of products psi make, at their points."""
        forms = self._forms()
        return At({point: forms[site].site(pieces[point]) for site, point in self._points().items()})

    def _pieces(self, row: Tensor) -> dict[str, Named]:
        """A row (N,) cut into the pieces of each site, by its point."""
        forms, points = self._forms(), self._points()
        pieces = iter(row.split([size for form in forms.values() for size in form.pieces.values()], -1))
        return {points[site]: {name: next(pieces) for name in form.pieces} for site, form in forms.items()}


@dataclass(frozen=True)
class FirstOrderSAP(SAP):
    """First-order SAP: the same inner loop; the meta-gradient treats the inner gradients as constants."""

    name = "sap-first-order"
    title = "SAP, first-order"
    formula = r"\phi_{t+1} = \phi_t - \alpha \nabla_{\phi_t} \mathcal{L}_{\mathrm{support}}(\theta, \phi_t, \lambda), \quad (\theta, \phi_0, \lambda) \leftarrow (\theta, \phi_0, \lambda) - \eta \nabla \mathcal{L}_{\mathrm{query}} \text{ at } \phi_T"
    summary = "SAP that pretends its inner gradients are constants: cheaper, with a less exact outer direction."

    first_order: bool = True


def _of(site: str, named: dict[str, Value]) -> dict[str, Value]:
    """The entries of one site, by operation."""
    return {name.removeprefix(f"{site}."): value for name, value in named.items() if name.startswith(f"{site}.")}
