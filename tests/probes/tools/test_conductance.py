"""Conductance: what passes through units and layers, against networks in which it can be read off."""

import numpy as np
import pytest
import torch

from engine.networks import perceptron
from probes import asking
from probes.tools import conductance
from tests.probes.attributed import POINTS, double


def test_conductance_of_units_that_can_be_read_off():
    """f(x) = 3 relu(x) - 2 relu(-x) + 5 relu(x): from 0 to 2 the units carry 6, 0 and 10."""
    net = {
        "weight1": torch.tensor([[[1.0], [-1.0], [1.0]]]).double(),
        "bias1": torch.zeros(1, 3).double(),
        "weight2": torch.tensor([[[3.0, -2.0, 5.0]]]).double(),
        "bias2": torch.ones(1, 1).double(),
    }
    both = {key: torch.cat([value, 2 * value]) for key, value in net.items()}
    found = conductance._conductance(conductance.Networks(both), torch.tensor([[2.0]]).double(), 1)
    np.testing.assert_allclose(found["units"][0].before[0], [6, 0, 10], rtol=1e-3)
    np.testing.assert_allclose(found["units"][0].after[0], [24, 0, 40], rtol=1e-3)
    np.testing.assert_allclose(found["through"], [[16, 64]], atol=1e-9)


def test_stacked_networks_are_each_network():
    generator = torch.Generator().manual_seed(0)
    nets = [perceptron.init(generator, (1, 6, 5, 1), output_bias=True) for _ in range(3)]
    model = conductance.Networks({key: torch.stack([net[key] for net in nets]) for key in nets[0]})
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
