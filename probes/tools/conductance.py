"""Which layers and which units carry a prediction, before and after adapting; see `probes.questions.attribution`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.networks import Net, Network, keep
from engine.runs.ensembles import Ensemble
from engine.tasks import Task
from engine.trees import stack
from probes.probe import Progress
from probes.tools.algorithms import stacks
from probes.tools.coalitions import shapley_values
from probes.tools.weights import in_type_of

INTERVALS = 100  # of the line that conductance is integrated along; ReLU networks bend often
FEW_LAYERS, ORDERS = 10, 200  # of more layers, Shapley values are means over so many orders


@dataclass(frozen=True)
class Units:
    """Conductance of the units of one hidden layer, (seeds, units), before and after adapting.

    Of a layer of images a unit is a channel: its conductance is the sum over all places.
    """

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
    """Networks side by side, as a module that Captum can look into: each row names its network, layer by layer.

    Args:
        network: what they are.
        nets: their weights, with a leading axis of networks.
        support_x: what statistics of norms are taken of, (K, *input_shape).

    Attributes:
        hidden: modules that see what the layers after the first one read, in order.
    """

    def __init__(self, network: Network, nets: Net, support_x: Tensor) -> None:
        super().__init__()
        self.network, self.nets, self.support_x = network, nets, support_x
        self.depth = len(network.layers)
        self._places = {point: i for i, point in enumerate(dict.fromkeys(one.reads for one in network.layers[1:]))}
        self.hidden = nn.ModuleList(nn.Identity() for _ in self._places)

    def forward(self, x: Tensor, which: Tensor) -> Tensor:
        """First outputs (rows,) at inputs x (rows, *input_shape); which: the network of each layer, (rows, layers).

        The rows of a network that does not broadcast must all name the same ones.
        """
        side_by_side = self.network.broadcasts
        names = which if side_by_side else which[0]
        net = {key: self.nets[key][names[..., i]] for i, one in enumerate(self.network.layers) for key in one.keys}
        net = self.network.settled(net, self.support_x)
        return self.network.forward(net, x.unsqueeze(1) if side_by_side else x, self._at)[..., 0].flatten()

    def said(self, x: Tensor, which: Tensor) -> Tensor:
        """The same of one input (1, *input_shape), whichever rows of any network."""
        with torch.no_grad():
            if self.network.broadcasts:
                found: Tensor = self(x.expand(len(which), *x.shape[1:]), which)
                return found
            return torch.cat([self(x, row.unsqueeze(0)) for row in which])

    def _at(self, point: str, value: Tensor) -> Tensor:
        return self.hidden[self._places[point]](value) if point in self._places else value


def through_layers(ensemble: Ensemble, points: np.ndarray, query: float) -> dict[str, Any]:
    """The fields `layers`, `by_layer`, `units` and `through` of `OfLearner`."""
    x, y, at = in_type(ensemble, points, query)
    return inside(ensemble, x, y.unsqueeze(-1), at)


def inside(ensemble: Ensemble, x: Tensor, y: Tensor, query: Tensor) -> dict[str, Any]:
    """The same of any network, for its first output.

    Args:
        ensemble: the seeds of a learner.
        x: the support's inputs, (K, *input_shape).
        y: its targets.
        query: one input, (1, *input_shape).
    """
    seeds = len(ensemble.runs)
    model = _ends(ensemble, x, y)
    if model is None:
        return nothing(seeds)
    return {
        "layers": [f"layer {layer}" for layer in range(1, model.depth + 1)],
        "by_layer": _by_layer(model, query, seeds),
        **_conductance(model, query, seeds),
    }


def nothing(seeds: int) -> dict[str, Any]:
    """The same fields where there is nothing to look into."""
    return {"layers": [], "by_layer": np.zeros((seeds, 0)), "units": [], "through": np.zeros((seeds, 2))}


def _ends(ensemble: Ensemble, x: Tensor, y: Tensor) -> Networks | None:
    """All seeds before adapting, then all after it; None where what adapts are no layers of a network."""
    learner = ensemble.learner
    together = stacks(learner)
    ends: tuple[list[Net], list[Net]] = ([], [])
    for params in [ensemble.params] if together else [run.params for run in ensemble.runs]:
        with torch.no_grad():
            path = learner.adapt(params, x, y)
            for state, found in zip((path[0], path[-1]), ends, strict=True):
                acting = learner.acting(params, state)
                if acting is None or acting.at is not keep:
                    return None
                found.append({key: acting.weights[key] for key in acting.network.ranks})
                network = acting.network
    before, after = (nets[0] if together else stack(nets) for nets in ends)
    return Networks(network, {key: torch.cat([before[key], after[key]]) for key in before}, x)


class _Layers:
    """A game of layers: what the networks say at one input where some layers are adapted."""

    def __init__(self, model: Networks, query: Tensor, seeds: int) -> None:
        self.count, self._model, self._query, self._seeds = model.depth, model, query, seeds

    def ask(self, wanted: Sequence[int], progress: Progress | None = None) -> None:
        pass  # a coalition is one pass through a network

    def values(self, wanted: Sequence[int]) -> np.ndarray:
        adapted = torch.tensor([[c >> i & 1 for i in range(self.count)] for c in wanted])
        which = torch.arange(self._seeds)[:, None, None] + self._seeds * adapted  # (seeds, coalitions, layers)
        said = self._model.said(self._query, which.flatten(0, 1))
        return np.asarray(said.double().numpy().reshape(self._seeds, len(wanted), 1))


def _by_layer(model: Networks, query: Tensor, seeds: int) -> np.ndarray:
    """Shapley values of the layers' changes, exact for few layers: (seeds, layers)."""
    return shapley_values(_Layers(model, query, seeds), ORDERS * (model.depth > FEW_LAYERS))[0][..., 0]


def _conductance(model: Networks, query: Tensor, seeds: int) -> dict[str, Any]:
    """The units of every hidden layer, and what they should sum to."""
    from captum.attr import LayerConductance

    which = torch.arange(2 * seeds).unsqueeze(-1).expand(-1, model.depth)
    parts = [which] if model.network.broadcasts else which.split(1)
    units = []
    for index, layer in enumerate(model.hidden, start=1):
        captum, found = LayerConductance(model, layer), []
        for part in parts:
            x = query.expand(len(part), *query.shape[1:])
            one = captum.attribute(x, additional_forward_args=(part,), n_steps=INTERVALS).detach()
            images = one.ndim == 4 and not model.network.broadcasts
            found.append(one.sum((-2, -1)) if images else one.flatten(1))
        values = torch.cat(found).double().numpy()
        units.append(Units(f"hidden {index}", values[:seeds], values[seeds:]))
    through = (model.said(query, which) - model.said(torch.zeros_like(query), which)).double().numpy()
    return {"units": units, "through": through.reshape(2, seeds).T}
