"""Learned rules overheard, and with something in their place, through the hook of `engine.learners.rules`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.learners import Learner, Params, State
from engine.learners.meta_lstm import MetaLSTM
from engine.learners.op_lstm import OPLSTM
from engine.learners.rules import LearnedRule, Part, Through
from engine.learners.turtle import Turtle
from engine.networks import Acting
from probes.tools.rule_readings import BODY, FORGET_GATE, INPUT_GATE, MOVE, OUTPUT, gate_inputs, oriented, said_by

Note = Callable[[str, tuple[Any, ...], Any], None]  # told the name of a part, what it was shown, and what it said
Row = tuple[
    str, Tensor, Tensor
]  # what is read (`tools.rule_readings`), its inputs (..., rows, inputs), its answers (..., rows)
Says = Callable[[str, Tensor], Tensor]  # what a reading says in the place of what is read, from its inputs


# ---- what the parts of each kind of rule are shown and say, as readings have it ----------------------


class _OfOPLSTM:
    """Signals, in the direction in which they are written."""

    base: ClassVar[type[LearnedRule]] = OPLSTM
    read = (OUTPUT, BODY)

    @staticmethod
    def heard(learner: Any, seen: tuple[Any, ...], said: Any) -> list[Row]:
        params, cells, pairs, _ = seen
        sign, u = oriented(learner, params, cells, pairs)
        return [(cells, u, sign * said[1])]

    @staticmethod
    def instead(learner: Any, part: Part, replaced: Collection[str], says: Says) -> Part:
        def react(params: Params, cells: str, pairs: Tensor, memory: State) -> tuple[State, Tensor]:
            if cells not in replaced:
                return part(params, cells, pairs, memory)
            sign, u = oriented(learner, params, cells, pairs)
            return memory, sign * says(cells, u)

        return react


class _OfTurtle:
    """Moves, before the learning rates; a reading also sees the scale s of gradients, `params["reading"]["scale"]`."""

    base: ClassVar[type[LearnedRule]] = Turtle
    read = (MOVE,)

    @staticmethod
    def heard(learner: Any, seen: tuple[Any, ...], said: Any) -> list[Row]:
        return [(MOVE, seen[1], said)]

    @staticmethod
    def instead(learner: Any, part: Part, replaced: Collection[str], says: Says) -> Part:
        def move(params: Params, seen: Tensor) -> Tensor:
            scale = params["reading"]["scale"][..., None, None].expand(*seen.shape[:-1], 1)
            return says(MOVE, torch.cat([seen, scale], -1))

        return move


class _OfMetaLSTM:
    """Both gates; those of a reading stay in [0, 1]."""

    base: ClassVar[type[LearnedRule]] = MetaLSTM
    read = (INPUT_GATE, FORGET_GATE)

    @staticmethod
    def heard(learner: Any, seen: tuple[Any, ...], said: Any) -> list[Row]:
        _, _, z, theta = seen
        u = gate_inputs(learner, z, theta)
        return [(gate, u, said[gate]) for gate in (INPUT_GATE, FORGET_GATE)]

    @staticmethod
    def instead(learner: Any, part: Part, replaced: Collection[str], says: Says) -> Part:
        def gates(params: Params, state: State, z: Tensor, theta: Tensor) -> State:
            chosen, u = [gate for gate in (INPUT_GATE, FORGET_GATE) if gate in replaced], gate_inputs(learner, z, theta)
            both = len(chosen) == 2  # nobody asks the cell then
            new = {"h1": state["h1"], "c1": state["c1"]} if both else part(params, state, z, theta)
            return {**new, **{gate: says(gate, u).clamp(0, 1) for gate in chosen}}

        return gates


Kind = type[_OfOPLSTM] | type[_OfTurtle] | type[_OfMetaLSTM]
KINDS: tuple[Kind, ...] = (_OfOPLSTM, _OfTurtle, _OfMetaLSTM)


def kind_of(learner: Learner) -> Kind | None:
    """How the rule of a learner is read; None for a learner whose rule is not learned, or of no known kind."""
    return next((kind for kind in KINDS if isinstance(learner, kind.base)), None)


# ---- the learners, with their rules called through a hook --------------------------------------------


@dataclass(frozen=True)
class _Wrapped(Learner):
    base: LearnedRule

    @property
    def train_steps(self) -> int:
        return self.base.train_steps

    @property
    def evaluation_steps(self) -> int:
        return self.base.evaluation_steps

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        return self.base.start(params, support_x, support_y)

    def acting(self, params: Params, state: State) -> Acting | None:
        return self.base.acting(params, state)

    def predict(self, params: Params, state: State, x: Tensor) -> Tensor:
        return self.base.predict(params, state, x)


@dataclass(frozen=True)
class Hooked(_Wrapped):
    """A learner whose rule is called through a hook; all else is the learner's."""

    through: Through

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        return self.base.step(params, state, support_x, support_y, self.through)


def listening(learner: LearnedRule, note: Note) -> Hooked:
    """The learner, with every call of a part of its rule told to `note`."""

    def through(name: str, part: Part) -> Part:
        def heard(*seen: Any) -> Any:
            said = part(*seen)
            note(name, seen, said)
            return said

        return heard

    return Hooked(learner, through)


def forgetful(learner: OPLSTM) -> Hooked:
    """OP-LSTM whose cells start every pass from the state 0."""

    def through(_: str, part: Part) -> Part:
        def react(params: Params, cells: str, pairs: Tensor, memory: State) -> Any:
            return part(params, cells, pairs, {key: torch.zeros_like(value) for key, value in memory.items()})

        return react

    return Hooked(learner, through)


@dataclass(frozen=True)
class Replaced(_Wrapped):
    """A learner with a reading in the place of its rule: `params["reading"]` holds coefficients (steps, terms).

    Attributes:
        reading: one of `READINGS`.
        steps_read: how many sets of coefficients there are; steps after the last use the last.
    """

    reading: str
    steps_read: int

    def start(self, params: Params, support_x: Tensor, support_y: Tensor) -> State:
        # which set is in use, as (steps,) with a single 1
        now = torch.eye(self.steps_read, dtype=support_x.dtype, device=support_x.device)[0] + 0 * support_x.sum()
        return {**self.base.start(params, support_x, support_y), "now": now}

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor) -> State:
        now, table, kind = state["now"], params["reading"], kind_of(self.base)
        assert kind is not None

        def says(what: str, u: Tensor) -> Tensor:
            return said_by(what, self.reading, u, (now.unsqueeze(-1) * table[what]).sum(-2))

        def through(_: str, part: Part) -> Part:
            return kind.instead(self.base, part, table, says)

        new = self.base.step(params, state, support_x, support_y, through)
        later = torch.cat([torch.zeros_like(now[:1]), now[:-1]])
        return {**new, "now": later + torch.cat([torch.zeros_like(now[:-1]), now[-1:]])}
