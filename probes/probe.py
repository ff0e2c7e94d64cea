"""What a probe is: a question with a name, what can be set, whom it can be asked, and what answers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, get_type_hints

from engine.runs.ensembles import Ensemble

Progress = Callable[[float], None]  # told the share that is done, 0 to 1; may raise to cancel
Config = TypeVar("Config")
Answer = TypeVar("Answer")


def silent(_: float) -> None:
    """A progress that nobody watches."""


def part(progress: Progress, low: float, high: float) -> Progress:
    """The progress of a part of a whole: its 0 is `low`, its 1 is `high`."""
    return lambda share: progress(low + (high - low) * share)


class Need(Protocol):
    """Something that a run must have to be asked (`probes.needs`)."""

    @property
    def says(self) -> str:
        """What is needed, as a sentence: "Its tasks are functions of one number."."""

    def __call__(self, ensemble: Ensemble) -> str | None:
        """None for an ensemble that has it; for another, a sentence that names the learner and what it lacks."""


@dataclass(frozen=True)
class Probe(Generic[Config, Answer]):
    """One question to trained learners.

    Attributes:
        name: by which the command line and the pages find it.
        question: what it answers, as a question.
        config: a frozen dataclass of plain values with defaults: what can be set.
        needs: what a run must have to be asked, in the order in which it is told what it lacks.
        ask: the answer about some ensembles that have it all, a dataclass of arrays and plain values. It draws nothing.
    """

    name: str
    question: str
    config: type[Config]
    needs: tuple[Need, ...]
    ask: Callable[[Sequence[Ensemble], Config, Progress], Answer]

    def applies(self, ensemble: Ensemble) -> str | None:
        """None if an ensemble can be asked, otherwise one sentence on what it lacks."""
        lacking = (need(ensemble) for need in self.needs)
        return next((why for why in lacking if why is not None), None)

    @property
    def answer(self) -> type[Answer]:
        """The type of the answer, as `ask` states it."""
        found: type[Answer] = get_type_hints(self.ask)["return"]
        return found
