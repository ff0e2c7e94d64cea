"""Questions that come while another one is being answered are answered together."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(eq=False)
class _Ticket(Generic[Question, Answer]):
    """A question on its way: with an answer, or the error that it ended in, once it is `done`."""

    question: Question
    turn: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    answer: list[Answer] = field(default_factory=list)
    error: Exception | None = None


class Together(Generic[Question, Answer]):
    """A desk at which one thread at a time works, in the order in which they came, and answers for all who wait.

    Thousands of small tensor operations let go of the interpreter after each and wait for it again: beside other
    threads they take twice the time, and several of one kind together take hardly longer than one. So whoever comes
    first answers at once, alone; of those who come meanwhile, the first answers for all. What a thread makes of its
    answer it does at the desk, too, while the next wait: in quiet, and so that there are more to be answered at once.

    Args:
        answer_all: the answers to several questions, in their order.
    """

    def __init__(self, answer_all: Callable[[Sequence[Question]], Sequence[Answer]]):
        self._answer_all = answer_all
        self._lock = threading.Lock()
        self._queue: deque[_Ticket[Question, Answer]] = deque()  # whose turn it is comes first

    @contextlib.contextmanager
    def at_desk(self, question: Question) -> Iterator[Answer]:
        """The answer to a question, with the desk to oneself as long as the block lasts.

        Raises:
            Exception: what answering this very question raises; those of others stay with them.
        """
        mine: _Ticket[Question, Answer] = _Ticket(question)
        with self._lock:
            self._queue.append(mine)
            self._queue[0].turn.set()
        try:
            mine.turn.wait()
            if not mine.done:
                with self._lock:
                    everybody = [ticket for ticket in self._queue if not ticket.done]
                self._serve(everybody)
            if mine.error is not None:
                raise mine.error
            yield mine.answer[0]
        finally:
            with self._lock:
                self._queue.remove(mine)
                if self._queue:
                    self._queue[0].turn.set()

    def ask(self, question: Question) -> Answer:
        """The answer to a question.

        Raises:
            Exception: as `at_desk`.
        """
        with self.at_desk(question) as answer:
            return answer

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
