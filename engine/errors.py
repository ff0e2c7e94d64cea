"""What can go wrong, as one small family: every message is one sentence meant for the person who caused it."""

import os
from typing import Any

QUOTED = 80  # characters of a wrong value that a message shows


def quoted(value: Any) -> str:
    """A wrong value as a message shows it: in one line, and short, whoever gave it."""
    try:
        said = " ".join(repr(value).split())
    except (ValueError, RecursionError):  # a whole number of thousands of digits; lists without end
        return "something that is too long to show"
    return said if len(said) <= QUOTED else f"{said[: QUOTED - 4]} ..."


def of_system(error: OSError) -> tuple[str, str | None]:
    """What the operating system says went wrong, without its number, and the file it is about, if it names one."""
    what = error.strerror or str(error) or type(error).__name__
    named = isinstance(error.filename, str | bytes | os.PathLike)
    return what.rstrip("."), os.fsdecode(error.filename) if named else None


def told(error: BaseException) -> str:
    """An error as one sentence."""
    if not isinstance(error, OSError):
        return str(error)
    what, where = of_system(error)
    return f"{where}: {what}." if where else f"{what}."


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
