"""A stack of LSTM cells, one time step at a time, written as matrix products so that vmap can batch it.

Parameters per layer l = 1, 2, ...: weight_ih (4h, in), weight_hh (4h, h), bias_ih (4h,), bias_hh (4h,), gates in
the order i, f, g, o: the cell of `torch.nn.LSTM` (Hochreiter & Schmidhuber 1997, with forget gate). Rows of the inputs
are independent; parameters may carry leading axes (a stack of networks), which broadcast.
"""

import math

import torch
from torch import Tensor

Net = dict[str, Tensor]
State = dict[str, Tensor]  # h1, c1, h2, c2, ...


def init(generator: torch.Generator, input_size: int, hidden_sizes: tuple[int, ...]) -> Net:
    """All entries U(-1/sqrt(h), 1/sqrt(h)), PyTorch's default."""
    net: Net = {}
    for layer, h in enumerate(hidden_sizes, start=1):
        shapes = {"weight_ih": (4 * h, input_size), "weight_hh": (4 * h, h), "bias_ih": (4 * h,), "bias_hh": (4 * h,)}
        for name, shape in shapes.items():
            net[f"{name}{layer}"] = (2 * torch.rand(shape, generator=generator) - 1) / math.sqrt(h)
        input_size = h
    return net


def layers(net: Net) -> int:
    """The number of stacked cells."""
    return len(net) // 4


def zero_state(net: Net, rows: int) -> State:
    """h and c of every layer, zeros of shape (rows, h)."""
    state: State = {}
    for layer in range(1, layers(net) + 1):
        recurrent = net[f"weight_hh{layer}"]
        zeros = recurrent.new_zeros((*recurrent.shape[:-2], recurrent.shape[-1], rows))
        state[f"h{layer}"] = state[f"c{layer}"] = zeros.mT
    return state


def gates(net: Net, layer: int, columns: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    """The drives of i, f, g and o (h, rows) of one layer, before their sigmoids and tanh, for inputs (in, rows)."""
    bias = (net[f"bias_ih{layer}"] + net[f"bias_hh{layer}"]).unsqueeze(-1)
    return (net[f"weight_ih{layer}"] @ columns + net[f"weight_hh{layer}"] @ h + bias).chunk(4, dim=-2)


def step(net: Net, u: Tensor, state: State) -> State:
    """One time step of the whole stack for inputs u (rows, in); the output is the last layer's new h."""
    new: State = {}
    columns = u.mT  # (in, rows): rows innermost, so that each gate is one contiguous block
    for layer in range(1, layers(net) + 1):
        h, c = state[f"h{layer}"].mT, state[f"c{layer}"].mT
        i, f, g, o = gates(net, layer, columns, h)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        columns = o.sigmoid() * c.tanh()
        new[f"h{layer}"], new[f"c{layer}"] = columns.mT, c.mT
    return new


def sequence(net: Net, u: Tensor, state: State) -> State:
    """The state after inputs u (time, in) one after the other, from a state of one row.

    Layer by layer: what the inputs contribute to the gates is one product for all times, so that only the recurrence
    is left for the loop.
    """
    new: State = {}
    for layer in range(1, layers(net) + 1):
        h, c = state[f"h{layer}"], state[f"c{layer}"]  # (1, h)
        recurrent = net[f"weight_hh{layer}"].mT
        bias = (net[f"bias_ih{layer}"] + net[f"bias_hh{layer}"]).unsqueeze(-2)
        outputs = []
        for driven in (u @ net[f"weight_ih{layer}"].mT + bias).split(1, dim=-2):
            i, f, g, o = (driven + h @ recurrent).chunk(4, dim=-1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        u = torch.cat(outputs, dim=-2)  # (time, h)
        new[f"h{layer}"], new[f"c{layer}"] = h, c
    return new


def output(net: Net, state: State) -> Tensor:
    """The hidden state h (rows, h) of the top layer."""
    return state[f"h{layers(net)}"]
