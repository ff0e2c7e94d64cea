"""Questions that wait are answered together, each with its own answer and its own error."""

import threading

import pytest

from dashboard.widgets.together import Together

PATIENCE_S = 30


class Desk:
    """A desk whose first answer takes until it is let go, and that remembers what it was asked at once."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.together: Together[int, int] = Together(self.answer_all)

    def answer_all(self, questions: list[int]) -> list[int]:
        self.batches.append(list(questions))
        self.begun.set()
        assert self.go_on.wait(PATIENCE_S)
        if 13 in questions:
            raise ValueError("no answer to 13")
        return [10 * question for question in questions]

    def ask_while_one_is_answered(self, questions: list[int]) -> dict[int, object]:
        """Asks 1 first, and the others while 1 is being answered."""
        said: dict[int, object] = {}

        def ask(question: int) -> None:
            try:
                said[question] = self.together.ask(question)
            except ValueError as error:
                said[question] = str(error)

        threads = [threading.Thread(target=ask, args=(1,))]
        threads[0].start()
        assert self.begun.wait(PATIENCE_S)
        for question in questions:
            threads.append(threading.Thread(target=ask, args=(question,)))
            threads[-1].start()
            while not any(ticket.question == question for ticket in list(self.together._queue)):
                assert threads[-1].is_alive()
        self.go_on.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        return said


def test_what_comes_meanwhile_is_answered_at_once_and_in_order():
    desk = Desk()
    assert desk.ask_while_one_is_answered([2, 3, 4]) == {1: 10, 2: 20, 3: 30, 4: 40}
    assert desk.batches == [[1], [2, 3, 4]]


def test_an_error_stays_with_its_question():
    desk = Desk()
    assert desk.ask_while_one_is_answered([2, 13, 4]) == {1: 10, 2: 20, 13: "no answer to 13", 4: 40}
    assert desk.batches[:2] == [[1], [2, 13, 4]]


def test_after_an_error_the_desk_goes_on():
    desk = Desk()
    desk.go_on.set()
    with pytest.raises(ValueError, match="13"):
        desk.together.ask(13)
    assert desk.together.ask(5) == 50


def test_the_desk_is_left_in_the_order_of_coming():
    """Those who were answered meanwhile finish before whoever comes later begins."""
    order: list[object] = []

    def answer_all(questions: list[int]) -> list[int]:
        order.append(list(questions))
        return list(questions)

    together: Together[int, int] = Together(answer_all)

    def come(question: int) -> None:
        with together.at_desk(question):
            order.append(question)

    threads = [threading.Thread(target=come, args=(question,)) for question in (2, 3, 4)]
    with together.at_desk(1):
        for count, thread in enumerate(threads, start=2):
            thread.start()
            while len(together._queue) < count:
                assert thread.is_alive()
        order.append(1)
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == [[1], 1, [2, 3, 4], 2, 3, 4]


def test_who_leaves_with_an_error_of_its_own_lets_the_next_one_in():
    together: Together[int, int] = Together(list)
    with pytest.raises(KeyError), together.at_desk(1):
        raise KeyError("its own")
    assert together.ask(2) == 2
