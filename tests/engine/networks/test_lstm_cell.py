"""The stack of cells against torch.nn.LSTM with the same weights."""

import pytest
import torch

from engine.networks import cells as lstm
from engine.tasks import stream
from engine.trees import stack
from tests.engine.conftest import double


def reference(net: lstm.Net) -> torch.nn.LSTM:
    """torch's LSTM with the weights of a stack whose layers are all of one size."""
    hidden, inputs = net["weight_hh1"].shape[-1], net["weight_ih1"].shape[-1]
    module = torch.nn.LSTM(inputs, hidden, lstm.layers(net), dtype=torch.float64)
    with torch.no_grad():
        for layer in range(1, lstm.layers(net) + 1):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(module, f"{name}_l{layer - 1}").copy_(net[f"{name}{layer}"])
    return module


def outputs(net: lstm.Net, inputs: torch.Tensor) -> torch.Tensor:
    """The top layer's h at every time, from a zero state; inputs (time, rows, in)."""
    state, found = lstm.zero_state(net, inputs.shape[1]), []
    for u in inputs:
        state = lstm.step(net, u, state)
        found.append(lstm.output(net, state))
    return torch.stack(found)


INPUTS = torch.randn(5, 6, 2, generator=stream("page"), dtype=torch.float64)


@pytest.mark.parametrize("sizes", [(4,), (40, 40), (3, 3, 3)])
def test_every_hidden_state_is_that_of_torch(sizes):
    net = double(lstm.init(stream("init", 1), 2, sizes))
    expected = reference(net)(INPUTS)[0].detach()
    torch.testing.assert_close(outputs(net, INPUTS), expected, rtol=1e-10, atol=1e-12)


def test_layers_of_different_sizes_are_torch_lstms_in_a_row():
    """Sizes 5, 3, 1, as in OP-LSTM, which torch.nn.LSTM cannot stack itself."""
    net = double(lstm.init(stream("init", 1), 2, (5, 3, 1)))
    expected = INPUTS
    for layer in (1, 2, 3):
        one = {f"{name}1": net[f"{name}{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        expected = reference(one)(expected)[0].detach()
    torch.testing.assert_close(outputs(net, INPUTS), expected, rtol=1e-10, atol=1e-12)


def test_a_stack_of_networks_broadcasts():
    nets = [double(lstm.init(stream("init", seed), 2, (5, 1))) for seed in range(3)]
    together = outputs(stack(nets), INPUTS)  # (time, seeds, rows, 1)
    for index, net in enumerate(nets):
        torch.testing.assert_close(together[:, index], outputs(net, INPUTS), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sizes", [(4,), (40, 40)])
def test_a_sequence_is_one_step_after_the_other(sizes):
    net = double(lstm.init(stream("init", 1), 2, sizes))
    inputs = INPUTS[:, :1]  # (time, 1, in)
    state = lstm.sequence(net, inputs[:, 0], lstm.zero_state(net, 1))
    expected, (h, c) = reference(net)(inputs)
    torch.testing.assert_close(lstm.output(net, state), expected[-1].detach(), rtol=1e-10, atol=1e-12)
    for layer in range(len(sizes)):
        torch.testing.assert_close(state[f"h{layer + 1}"], h[layer].detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(state[f"c{layer + 1}"], c[layer].detach(), rtol=1e-10, atol=1e-12)
