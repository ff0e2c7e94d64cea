"""What can go wrong, as one small family: every message is one sentence meant for the person who caused it."""


class EngineError(ValueError):
    """Base of all errors that a user's input can cause; its text is shown as it is."""


class UnknownName(EngineError):
    """A learner, task or recipe that does not exist."""

    def __init__(self, kind: str, given: str, known: list[str]):
        super().__init__(f"There is no {kind} called {given!r}; known are {', '.join(known)}.")


class BadConfig(EngineError):
    """A hyper-parameter that does not exist or has a value that is not allowed."""


class BadInput(EngineError):
    """Data with a wrong shape, a wrong type or a value that is not finite."""


class BadRun(EngineError):
    """A run folder that is missing, broken or made by something else."""
