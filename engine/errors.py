"""What can go wrong, as one small family: every message is one sentence meant for the person who caused it."""

from typing import Any

QUOTED = 80  # characters of a wrong value that a message shows


def quoted(value: Any) -> str:
    """A wrong value as a message shows it: in one line, and short, whoever gave it."""
    try:
        said = " ".join(repr(value).split())
    except (ValueError, RecursionError):  # a whole number of thousands of digits; lists without end
        return "something that is too long to show"
    return said if len(said) <= QUOTED else f"{said[: QUOTED - 4]} ..."


class EngineError(ValueError):
    """Base of all errors that a user's input can cause; its text is shown as it is."""


class UnknownName(EngineError):
    """A learner, task or recipe that does not exist."""

    def __init__(self, kind: str, given: str, known: list[str]):
        super().__init__(f"There is no {kind} called {quoted(given)}; known are {', '.join(known)}.")


class BadConfig(EngineError):
    """A hyper-parameter that does not exist or has a value that is not allowed."""


class BadInput(EngineError):
    """Data with a wrong shape, a wrong type or a value that is not finite."""


class BadRun(EngineError):
    """A run folder that is missing, broken or made by something else."""
