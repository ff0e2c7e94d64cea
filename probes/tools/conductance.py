"""Which layers and which units carry a prediction, before and after adapting; see `probes.questions.attribution`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.networks import perceptron
from engine.runs.ensembles import Ensemble
from engine.tasks import Task
from probes.tools.weights import in_type_of, weights_of

INTERVALS = 100  # of the line that conductance is integrated along; ReLU networks bend often


@dataclass(frozen=True)
class Units:
    """Conductance of the units of one hidden layer, (seeds, units), before and after adapting."""

    layer: str
    before: np.ndarray
    after: np.ndarray


def carrying(conductance: np.ndarray) -> np.ndarray:
    """How many units carry a prediction: (sum |c|)^2 / sum c^2 over the last axis; 0 where nothing is carried."""
    size = np.abs(conductance)
    squares = np.square(size).sum(-1)
    return np.asarray(np.where(squares > 0, np.square(size.sum(-1)) / np.where(squares > 0, squares, 1.0), 0.0))


def in_type(ensemble: Ensemble, points: np.ndarray, query: float) -> tuple[Tensor, Tensor, Tensor]:
    """Support inputs (K, 1), labels (K,) and the query (1, 1) in the type of the weights."""
    x, y = torch.as_tensor(points).unsqueeze(-1).unbind(1)
    task = in_type_of(ensemble.params, Task(x, y, torch.tensor([[query]]), torch.zeros(1, 1)))
    return task.support_x, task.support_y[:, 0], task.query_x


class Networks(nn.Module):
    """ReLU networks side by side, as a module that Captum can look into: each row names its network, layer by layer.

    Args:
        nets: weights with a leading axis of networks.
    """

    def __init__(self, nets: perceptron.Net) -> None:
        super().__init__()
        self.nets, self.depth = nets, perceptron.depth(nets)
        self.hidden = nn.ModuleList(nn.ReLU() for _ in range(self.depth - 1))

    def forward(self, x: Tensor, which: Tensor) -> Tensor:
        """Outputs (rows,) at inputs x (rows, 1); which: the network that gives each layer, (rows, layers)."""
        for layer in range(1, self.depth + 1):
            weight, bias = (self.nets[f"{kind}{layer}"][which[:, layer - 1]] for kind in ("weight", "bias"))
            x = (weight @ x.unsqueeze(-1)).squeeze(-1) + bias
            if layer < self.depth:
                x = self.hidden[layer - 1](x)
        return x[:, 0]


def through_layers(ensemble: Ensemble, points: np.ndarray, query: float) -> dict[str, Any]:
    """The fields `layers`, `by_layer`, `units` and `through` of `OfLearner`."""
    learner, seeds = ensemble.learner, len(ensemble.runs)
    x, y, at = in_type(ensemble, points, query)
    with torch.no_grad():
        path = learner.adapt(ensemble.params, x, y.unsqueeze(-1))
        before, after = (weights_of(learner, ensemble.params, state) for state in (path[0], path[-1]))
    if before is None or after is None:
        return nothing(seeds)
    nets = {key: torch.cat([before[key], after[key]]).detach() for key in after}
    model = Networks(nets)
    return {
        "layers": [f"layer {layer}" for layer in range(1, model.depth + 1)],
        "by_layer": _by_layer(model, at, seeds),
        **_conductance(model, at, seeds),
    }


def nothing(seeds: int) -> dict[str, Any]:
    """The same fields where there is nothing to look into."""
    return {"layers": [], "by_layer": np.zeros((seeds, 0)), "units": [], "through": np.zeros((seeds, 2))}


def _by_layer(model: Networks, query: Tensor, seeds: int) -> np.ndarray:
    """Shapley values of the layers' changes, exact: (seeds, layers)."""
    from captum.attr import ShapleyValues

    def said(adapted: Tensor, seed: Tensor) -> Tensor:
        return model(query.expand(len(adapted), -1), seed.unsqueeze(-1) + seeds * adapted.long())

    ones = torch.ones(seeds, model.depth)
    with torch.no_grad():
        found = ShapleyValues(said).attribute(ones, additional_forward_args=(torch.arange(seeds),))
    return np.asarray(found.double().numpy())


def _conductance(model: Networks, query: Tensor, seeds: int) -> dict[str, Any]:
    """The units of every hidden layer, and what they should sum to."""
    from captum.attr import LayerConductance

    which = torch.arange(2 * seeds).unsqueeze(-1).expand(-1, model.depth)
    x = query.expand(2 * seeds, -1)
    units = []
    for index, layer in enumerate(model.hidden, start=1):
        found = LayerConductance(model, layer).attribute(x, additional_forward_args=(which,), n_steps=INTERVALS)
        values = found.detach().double().numpy()
        units.append(Units(f"hidden {index}", values[:seeds], values[seeds:]))
    with torch.no_grad():
        through = (model(x, which) - model(torch.zeros_like(x), which)).double().numpy()
    return {"units": units, "through": through.reshape(2, seeds).T}
