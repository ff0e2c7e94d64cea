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
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.learners import Learner, Params, State
from engine.learners.meta_lstm import MetaLSTM, P, preprocess
from engine.learners.op_lstm import OPLSTM
from engine.learners.turtle import Turtle
from engine.networks import cells as lstm
from engine.networks import perceptron

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


# ---- learners with their rule overheard --------------------------------------------------------------


@dataclass(frozen=True)
class Overheard:
    """Adds what the rule was shown and said, step by step, to `trace`: (part, inputs, what it said)."""

    trace: list[tuple[str, Tensor, Tensor]] = field(default_factory=list, compare=False)


@dataclass(frozen=True)
class OverheardOPLSTM(Overheard, OPLSTM):
    """OP-LSTM whose signals are written down as they are applied."""

    def react(self, params: Params, cells: str, pairs: Tensor, memory: lstm.State) -> tuple[lstm.State, Tensor]:
        new, h = super().react(params, cells, pairs, memory)
        sign, seen = oriented(self, params, cells, pairs)
        self.trace.append((cells, seen, sign * h))
        return new, h


@dataclass(frozen=True)
class OverheardTurtle(Overheard, Turtle):
    """TURTLE whose moves are written down, before the learning rates."""

    def move(self, params: Params, seen: Tensor) -> Tensor:
        said = super().move(params, seen)
        self.trace.append((MOVE, seen, said))
        return said


@dataclass(frozen=True)
class OverheardMetaLSTM(Overheard, MetaLSTM):
    """A meta-learner LSTM whose gates are written down."""

    def gates(self, params: Params, state: State, z: Tensor, theta: Tensor) -> State:
        new = super().gates(params, state, z, theta)
        seen = gate_inputs(self, z, theta)
        self.trace.extend([(INPUT_GATE, seen, new["i"]), (FORGET_GATE, seen, new["f"])])
        return new


# ---- learners with a reading in the place of their rule ----------------------------------------------


@dataclass(frozen=True)
class Reading:
    """Terms in the place of the rule: `params["reading"]` holds coefficients (steps, terms) of the parts replaced.

    Attributes:
        reading: one of `READINGS`.
        steps_read: how many sets of coefficients there are; steps after the last use the last.
    """

    reading: str = GRADIENT
    steps_read: int = 1

    def first(self, like: Tensor) -> Tensor:
        """Which set is in use, as (steps,) with a single 1: the first."""
        return torch.eye(self.steps_read, dtype=like.dtype, device=like.device)[0] + 0 * like.sum()

    def next(self, now: Tensor) -> Tensor:
        """The set after."""
        later = torch.cat([torch.zeros_like(now[:1]), now[:-1]])
        return later + torch.cat([torch.zeros_like(now[:-1]), now[-1:]])

    def says(self, params: Params, part: str, now: Tensor, u: Tensor) -> Tensor:
        """What the reading says to u (..., rows, inputs): (..., rows)."""
        return said_by(part, self.reading, u, (now.unsqueeze(-1) * params["reading"][part]).sum(-2))


@dataclass(frozen=True)
class ReadOPLSTM(Reading, OPLSTM):
    """OP-LSTM with terms in the place of its cells, or of one of them."""

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        state, depth = super().start(params, support_x, support_y), perceptron.depth(params["net"])
        for layer in range(1, depth + 1):
            if (OUTPUT if layer == depth else BODY) in params["reading"]:
                state[f"lstm{layer}"] = {"now": self.first(support_x)}
        return state

    def react(self, params: Params, cells: str, pairs: Tensor, memory: lstm.State) -> tuple[lstm.State, Tensor]:
        if cells not in params["reading"]:
            return super().react(params, cells, pairs, memory)
        sign, seen = oriented(self, params, cells, pairs)
        return {"now": self.next(memory["now"])}, sign * self.says(params, cells, memory["now"], seen)


@dataclass(frozen=True)
class ForgetfulOPLSTM(OPLSTM):
    """OP-LSTM whose cells start every pass from the state 0."""

    def react(self, params: Params, cells: str, pairs: Tensor, memory: lstm.State) -> tuple[lstm.State, Tensor]:
        return super().react(params, cells, pairs, {key: torch.zeros_like(value) for key, value in memory.items()})


@dataclass(frozen=True)
class ReadTurtle(Reading, Turtle):
    """TURTLE with terms in the place of its network; `params["reading"]["scale"]` is s."""

    def move(self, params: Params, seen: Tensor) -> Tensor:
        scale = params["reading"]["scale"][..., None, None].expand(*seen.shape[:-1], 1)
        return self.says(params, MOVE, self.first(seen), torch.cat([seen, scale], -1))


@dataclass(frozen=True)
class ReadMetaLSTM(Reading, MetaLSTM):
    """A meta-learner LSTM with terms in the place of its gates, or of one of them; gates stay in [0, 1]."""

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return {**super().start(params, support_x, support_y), "now": self.first(support_x)}

    def gates(self, params: Params, state: State, z: Tensor, theta: Tensor) -> State:
        replaced, seen = [p for p in (INPUT_GATE, FORGET_GATE) if p in params["reading"]], gate_inputs(self, z, theta)
        both = len(replaced) == 2  # nobody asks the cell then
        new = {"h1": state["h1"], "c1": state["c1"]} if both else super().gates(params, state, z, theta)
        said = {part: self.says(params, part, state["now"], seen).clamp(0, 1) for part in replaced}
        return {**new, **said, "now": self.next(state["now"])}


CLASSES: dict[type[Learner], tuple[Any, Any, tuple[str, ...]]] = {
    OPLSTM: (OverheardOPLSTM, ReadOPLSTM, (OUTPUT, BODY)),
    Turtle: (OverheardTurtle, ReadTurtle, (MOVE,)),
    MetaLSTM: (OverheardMetaLSTM, ReadMetaLSTM, (INPUT_GATE, FORGET_GATE)),
}


def kind_of(learner: Learner) -> type[Learner] | None:
    """The class of learners with a learned rule that it belongs to, or None."""
    return next((cls for cls in CLASSES if isinstance(learner, cls)), None)


def like(cls: Any, learner: Learner, **more: Any) -> Any:
    """The same hyper-parameters in another class."""
    return cls(**{f.name: getattr(learner, f.name) for f in fields(learner) if f.name not in more}, **more)
