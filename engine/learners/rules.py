"""Learned update rules as named parts, with a hook through which each of them is called.

Who asks for a step may say what a part passes through: something that listens (calls the part, and notes what it saw
and said) or something that stands in its place. A step that is asked for without a hook calls its parts as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from engine.learners.learner import Learner, Params, State

Part = Callable[..., Any]
Through = Callable[[str, Part], Part]  # what is called in the place of a part, from its name and the part


def own(name: str, part: Part) -> Part:
    """The hook that changes nothing."""
    return part


@dataclass(frozen=True)
class LearnedRule(Learner):
    """Base of learners whose update rule is learned; `parts` names what `step` calls through its hook."""

    parts: ClassVar[tuple[str, ...]]

    def step(self, params: Params, state: State, support_x: Tensor, support_y: Tensor, through: Through = own) -> State:
        """One inner step, with every part of the rule called as `through(name, part)(...)`."""
        raise NotImplementedError(f"{type(self).__name__} must define step")
