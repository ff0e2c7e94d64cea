"""Questions that come while another one is being answered are answered together."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(eq=False)
class _Ticket(Generic[Question, Answer]):
    """A question on its way: with an answer, or the error that it ended in, once it is `done`."""

    question: Question
    done: bool = False
    answer: list[Answer] = field(default_factory=list)
    error: Exception | None = None


class Together(Generic[Question, Answer]):
    """A desk at which one thread at a time answers, for itself and for all who wait.

    Thousands of small tensor operations let go of the interpreter after each and wait for it again: answers that are
    computed at once, each in its thread, take many times as long as one after the other, and several of one kind take
    hardly longer than one. So whoever comes first answers at once, alone; whoever comes meanwhile waits, and the first
    of them answers for all.

    Args:
        answer_all: the answers to several questions, in their order.
    """

    def __init__(self, answer_all: Callable[[Sequence[Question]], Sequence[Answer]]):
        self._answer_all = answer_all
        self._desk, self._line = threading.Lock(), threading.Lock()
        self._waiting: list[_Ticket[Question, Answer]] = []

    def ask(self, question: Question) -> Answer:
        """The answer to a question.

        Raises:
            Exception: what answering this very question raises; those of others stay with them.
        """
        mine: _Ticket[Question, Answer] = _Ticket(question)
        with self._line:
            self._waiting.append(mine)
        with self._desk:
            if not mine.done:
                with self._line:
                    everybody, self._waiting = self._waiting, []
                self._serve(everybody)
        if mine.error is not None:
            raise mine.error
        return mine.answer[0]

    def _serve(self, everybody: Sequence[_Ticket[Question, Answer]]) -> None:
        try:
            found = self._answer_all([ticket.question for ticket in everybody])
            for ticket, answer in zip(everybody, found, strict=True):
                ticket.answer.append(answer)
        except Exception as error:
            if len(everybody) == 1:
                everybody[0].error = error
            else:
                for ticket in everybody:  # each alone: one bad question spoils no other
                    self._serve([ticket])
        for ticket in everybody:
            ticket.done = True
