r"""Reading a learned update rule: simple rules fitted to what it does, and put in its place.

A reading is a short list of terms. Its coefficients are least squares on what the rule was shown and said while the
learner adapted to some tasks, one set for each inner step where the rule has a memory. The learner is then run with the
reading in the place of the rule; everything else of it stays. Terms, from the one of gradient descent to a dictionary:

    OP-LSTM, output      y - y_hat  |  1, y, y_hat  |  ... and tanh of each and of y - y_hat, |y - y_hat|
    OP-LSTM, body        d 1[a > 0]  |  1, a, d  |  ... and 1[a > 0], d 1[a > 0], a d, tanh d, |d|
    TURTLE               g  |  1, g, H  |  ... and tanh of g / s and H / s, |g|
    meta-learner LSTM    1  |  1, log|g|, theta  |  ... and their squares, the sign of g, theta times it

OP-LSTM's signals are read in the direction in which they are written: h and messages d times the sign of gamma (their
own sign means nothing; with a negative gamma the cells have learned to say the opposite). TURTLE's moves are fitted as
lambda m, the gates as what they do: i g and (f - 1) theta, so that what moves no weight counts for nothing. s is the
root mean square of the gradients seen. The share of variance of a reading is 1 - sum of squared errors / sum of squares
of what the rule said: about 0, which is what a rule says that writes nothing.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.learners import Params
from engine.learners.meta_lstm import MetaLSTM, P, preprocess
from engine.learners.op_lstm import OPLSTM

GRADIENT, LINEAR, DICTIONARY = READINGS = ("gradient descent", "linear", "dictionary")
OUTPUT, BODY, MOVE, INPUT_GATE, FORGET_GATE = "output_lstm", "body_lstm", "optimiser", "i", "f"
Terms = Callable[[Tensor], dict[str, Tensor]]  # of what a rule sees, (..., rows, inputs): (..., rows) by name


def _of_output(u: Tensor) -> dict[str, Tensor]:
    y, said = u.unbind(-1)
    e = y - said
    return {
        "1": torch.ones_like(y),
        "y": y,
        "ŷ": said,
        "tanh(y − ŷ)": e.tanh(),
        "tanh y": y.tanh(),
        "tanh ŷ": said.tanh(),
        "|y − ŷ|": e.abs(),
    }


def _of_body(u: Tensor) -> dict[str, Tensor]:
    a, d = u.unbind(-1)
    on = (a > 0).to(a)
    return {
        "1": torch.ones_like(a),
        "a": a,
        "d": d,
        "1[a > 0]": on,
        "d·1[a > 0]": d * on,
        "a·d": a * d,
        "tanh d": d.tanh(),
        "|d|": d.abs(),
    }


def _of_move(u: Tensor) -> dict[str, Tensor]:
    """Of g, H and the scale s; without history, of g and s."""
    g, scale = u[..., 0], u[..., -1]
    history = {"H": u[..., 1], "tanh(H/s)": (u[..., 1] / scale).tanh()} if u.shape[-1] == 3 else {}
    return {"1": torch.ones_like(g), "g": g, "tanh(g/s)": (g / scale).tanh(), "|g|": g.abs(), **history}


def _of_gate(u: Tensor) -> dict[str, Tensor]:
    """Of the size and the sign of g, as preprocessed, and of theta."""
    size, sign, theta = u.unbind(-1)
    return {
        "1": torch.ones_like(size),
        "log|g|": size,
        "θ": theta,
        "log²|g|": size.square(),
        "θ²": theta.square(),
        "sign g": sign,
        "θ·sign g": theta * sign,
    }


_TERMS: dict[str, tuple[Terms, dict[str, tuple[str, ...]]]] = {
    OUTPUT: (_of_output, {LINEAR: ("1", "y", "ŷ")}),
    BODY: (_of_body, {GRADIENT: ("d·1[a > 0]",), LINEAR: ("1", "a", "d")}),
    MOVE: (_of_move, {GRADIENT: ("g",), LINEAR: ("1", "g", "H")}),
    INPUT_GATE: (_of_gate, {GRADIENT: ("1",), LINEAR: ("1", "log|g|", "θ")}),
    FORGET_GATE: (_of_gate, {GRADIENT: ("1",), LINEAR: ("1", "log|g|", "θ")}),
}


def terms(part: str, reading: str, u: Tensor) -> dict[str, Tensor]:
    """The terms of a reading of one part, by name, on inputs u (..., rows, inputs): (..., rows) each."""
    if (part, reading) == (OUTPUT, GRADIENT):
        return {"y − ŷ": u[..., 0] - u[..., 1]}
    function, known = _TERMS[part]
    every = function(u)
    return {name: every[name] for name in known.get(reading, tuple(every)) if name in every}


def fitted(
    part: str, reading: str, u: Tensor, said: Tensor, weight: Tensor | None = None
) -> tuple[list[str], np.ndarray, float]:
    """Least squares of what a rule said (rows,) on the terms of what it saw, u (rows, inputs), each row times a weight.

    Returns:
        The names of the terms, their coefficients, and the share of variance about 0 that they explain.
    """
    columns = terms(part, reading, u.double())
    w = np.ones(len(said)) if weight is None else weight.double().numpy()
    x = np.stack([column.numpy() for column in columns.values()], -1) * w[:, None]
    y = said.double().numpy() * w
    size = np.sqrt(np.square(x).sum(0))
    size[size == 0] = 1.0
    coefficients = np.linalg.lstsq(x / size, y, rcond=1e-10)[0] / size
    total = np.square(y).sum()
    share = 1 - np.square(y - x @ coefficients).sum() / total if total > 0 else float("nan")
    return list(columns), coefficients, float(share)


def said_by(part: str, reading: str, u: Tensor, coefficients: Tensor) -> Tensor:
    """What a reading with coefficients (..., terms) says to u (..., rows, inputs): (..., rows)."""
    values = torch.stack(list(terms(part, reading, u).values()), -1)
    return (values * coefficients.unsqueeze(-2)).sum(-1)


def oriented(learner: OPLSTM, params: Params, part: str, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """The sign of gamma, (..., 1), and the pairs with messages in the direction in which they are written."""
    sign = params["step_length"]["gamma"].sign().unsqueeze(-1) if learner.normalise else pairs.new_ones(1)
    if part == BODY:
        pairs = torch.stack([pairs[..., 0], pairs[..., 1] * sign], -1)
    return sign, pairs


def gate_inputs(learner: MetaLSTM, z: Tensor, theta: Tensor) -> Tensor:
    """The size and sign of g, as preprocessed, and theta: (..., rows, 3)."""
    seen = z[..., 2:] if learner.preprocessed else preprocess(z[..., 0])
    return torch.cat(torch.broadcast_tensors(seen[..., :1], seen[..., 1:], theta.unsqueeze(-1)), -1)


def gradient_of(u: Tensor) -> Tensor:
    """g (..., rows) from `gate_inputs`: its size and sign say all of it."""
    return u[..., 1] * (P * u[..., 0]).exp()
