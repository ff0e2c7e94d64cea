"""Conductance and layers: networks in which they can be read off, Captum on a network of PyTorch's, and any network."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerConductance
from torch import nn

from engine.learners import make
from engine.networks import MLP, Conv4, perceptron
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import Image, TaskSpec, Values, stream
from engine.trees import tree_map
from probes import asking
from probes.tools import conductance
from tests.probes.attributed import POINTS, SMALL, double

PICTURES = TaskSpec(Image(1, 14, 14), Values(1))
CONV = Conv4(channels=8, blocks=2, norm="none")
NONE = torch.zeros(1, 1).double()


def test_conductance_of_units_that_can_be_read_off():
    """f(x) = 3 relu(x) - 2 relu(-x) + 5 relu(x): from 0 to 2 the units carry 6, 0 and 10."""
    net = {
        "weight1": torch.tensor([[[1.0], [-1.0], [1.0]]]).double(),
        "bias1": torch.zeros(1, 3).double(),
        "weight2": torch.tensor([[[3.0, -2.0, 5.0]]]).double(),
        "bias2": torch.ones(1, 1).double(),
    }
    both = {key: torch.cat([value, 2 * value]) for key, value in net.items()}
    model = conductance.Networks(MLP((3,)), both, NONE)
    found = conductance._conductance(model, torch.tensor([[2.0]]).double(), 1)
    np.testing.assert_allclose(found["units"][0].before[0], [6, 0, 10], rtol=1e-3)
    np.testing.assert_allclose(found["units"][0].after[0], [24, 0, 40], rtol=1e-3)
    np.testing.assert_allclose(found["through"], [[16, 64]], atol=1e-9)


def test_stacked_networks_are_each_network():
    generator = torch.Generator().manual_seed(0)
    nets = [perceptron.init(generator, (1, 6, 5, 1), output_bias=True) for _ in range(3)]
    stacked = {key: torch.stack([net[key] for net in nets]) for key in nets[0]}
    model = conductance.Networks(MLP((6, 5)), stacked, NONE.float())
    x = torch.linspace(-2, 2, 3).unsqueeze(-1)
    found = model(x, torch.arange(3).unsqueeze(-1).expand(-1, 3))
    expected = torch.cat([perceptron.forward(net, x[i : i + 1])[0] for i, net in enumerate(nets)])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["maml", "op-lstm", "sap", "film", "t-net", "turtle", "reptile"])
def test_layers_and_units_add_up(name: str):
    found = double(name)
    answers = asking.ask("attribution", [found], {"points": POINTS.tolist(), "query": -1.0})
    one = answers.answers[0]
    change = (one.after - one.before)[:, answers.at]
    np.testing.assert_allclose(one.by_layer.sum(1), change, atol=1e-6)
    for layer in one.units:
        for end, values in enumerate((layer.before, layer.after)):
            size = np.abs(values).sum(1)
            assert (np.abs(values.sum(1) - one.through[:, end]) < 0.02 * size + 1e-9).all()


def test_finetuning_moves_its_last_layer_only():
    one = asking.ask("attribution", [double("finetuning")], {"points": POINTS.tolist()}).answers[0]
    assert (one.by_layer[:, :-1] == 0).all()
    assert np.abs(one.by_layer[:, -1]).min() > 1e-4


def test_a_plain_lstm_has_no_layers_that_adapt():
    one = asking.ask("attribution", [double("lstm")], {"points": POINTS.tolist()}).answers[0]
    assert one.layers == [] and one.units == [] and one.by_layer.shape == (2, 0)


# ---- any network -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alone(MLP):
    """The same network, of which it is not said that a stack of weights goes through it."""

    name = "alone"
    broadcasts = False


@pytest.mark.parametrize("name", ["maml", "turtle"])
def test_a_network_that_takes_one_set_of_weights_is_asked_the_same(name: str):
    """All of the question: points, labels, layers and units, seed by seed instead of side by side."""
    settings = {key: value for key, value in SMALL["maml"].items() if name == "maml" or key != "inner_lr"}
    together = double(name, **settings)
    alone = Ensemble(tuple(replace(run, learner=replace(run.learner, network=Alone((8, 8)))) for run in together.runs))
    asked = {"points": POINTS.tolist(), "query": -1.0}
    one, other = (asking.plain(asking.ask("attribution", [made], asked))["answers"][0] for made in (together, alone))
    assert one.keys() == other.keys() and one["layers"] == other["layers"] != []
    for field in ("before", "after", "leave_one_out", "shapley", "integrated", "walked", "by_layer", "through"):
        np.testing.assert_allclose(other[field], one[field], rtol=1e-9, atol=1e-10, err_msg=field)
    for mine, theirs in zip(other["units"], one["units"], strict=True):
        np.testing.assert_allclose(mine["after"], theirs["after"], rtol=1e-9, atol=1e-10)


def of_pictures(name: str, network: Conv4, **settings: object) -> tuple[Ensemble, torch.Tensor, torch.Tensor]:
    """Two seeds in float64 on pictures with values as targets, and a task: five pictures and what they are worth."""
    learner, distribution = make(name, network=network, **settings), None
    params = [learner.init(stream("init", seed), PICTURES) for seed in range(2)]
    widened = [tree_map(lambda leaf: leaf.double(), one) for one in params]
    runs = [Run(Path(f"{name}-{i}"), learner, distribution, one, {"seed": i}) for i, one in enumerate(widened)]
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(6, 1, 14, 14, generator=generator, dtype=torch.float64)
    return Ensemble(tuple(runs)), x, torch.randn(5, 1, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("norm", ["none", "group", "support"])
def test_layers_and_channels_of_a_convolutional_network_add_up(norm: str, monkeypatch: pytest.MonkeyPatch):
    """Near the picture of zeros a norm divides by next to nothing, so the line from there is walked in small steps."""
    monkeypatch.setattr(conductance, "INTERVALS", 500)
    made, x, y = of_pictures("maml", replace(CONV, norm=norm), steps=2, test_steps=2, inner_lr=0.05)
    found = conductance.inside(made, x[:5], y, x[5:])
    change = []
    for run in made.runs:
        path = run.learner.adapt(run.params, x[:5], y)
        first, last = (float(run.learner.predict(run.params, state, x[5:])) for state in (path[0], path[-1]))
        change.append(last - first)
    assert found["layers"] == ["layer 1", "layer 2", "layer 3"]
    assert np.abs(change).min() > 1e-4
    np.testing.assert_allclose(found["by_layer"].sum(1), change, atol=1e-12)
    assert [units.after.shape for units in found["units"]] == [(2, 8), (2, 8)]
    for units in found["units"]:
        for end, values in enumerate((units.before, units.after)):
            size = np.abs(values).sum(1)
            assert (np.abs(values.sum(1) - found["through"][:, end]) < 0.03 * size).all()


def test_conductance_of_channels_is_captums_on_the_same_network_of_pytorch():
    made, x, y = of_pictures("maml", CONV, steps=1, test_steps=1, inner_lr=0.05)
    found = conductance.inside(made, x[:5], y, x[5:])
    names = ("conv", "relu", "pool")
    for seed, run in enumerate(made.runs):
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for block, inputs in ((1, 1), (2, 8)):
            kinds = (nn.Conv2d(inputs, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
            parts |= {f"{kind}{block}": made for kind, made in zip(names, kinds, strict=True)}
        model = nn.Sequential(parts | {"flat": nn.Flatten(), "head": nn.Linear(8 * 3 * 3, 1)}).double()
        net = run.learner.adapt(run.params, x[:5], y)[-1]["net"]
        for place, part in enumerate((model.conv1, model.conv2, model.head), start=1):
            part.weight.data, part.bias.data = net[f"weight{place}"], net[f"bias{place}"]
        for pooled, units in zip((model.pool1, model.pool2), found["units"], strict=True):
            theirs = LayerConductance(model, pooled).attribute(x[5:], n_steps=conductance.INTERVALS)
            np.testing.assert_allclose(units.after[seed], theirs.sum((-2, -1))[0].detach().numpy(), atol=1e-12)


def test_what_adapts_beside_the_layers_is_not_called_theirs():
    """SAP's operations stand in a convolutional network, and cannot be folded into its weights."""
    made, x, y = of_pictures("sap", CONV)
    assert conductance.inside(made, x[:5], y, x[5:])["layers"] == []


def test_of_many_layers_orders_are_drawn_and_still_add_up(monkeypatch: pytest.MonkeyPatch):
    made = double("maml")
    exact = conductance.through_layers(made, POINTS, -1.0)["by_layer"]
    monkeypatch.setattr(conductance, "FEW_LAYERS", 2)
    drawn = conductance.through_layers(made, POINTS, -1.0)["by_layer"]
    np.testing.assert_allclose(drawn.sum(1), exact.sum(1), atol=1e-12)
    np.testing.assert_allclose(drawn, exact, atol=0.2 * np.abs(exact).max())
