"""The processes that answer pages together with this one."""

from engine.jobs.crew import Crew
from engine.processes import cores

CREW = Crew()  # without helpers, until a server starts them
MODULES = ("probes.tools.adaptation", "probes.questions.attribution", "captum.attr")
MOST_HELPERS = 3


def expect() -> None:
    """Has a helper for every further core soon after the first answer, at most three: each holds PyTorch in memory."""
    CREW.expect(helpers(), MODULES)


def helpers() -> int:
    """How many there are on this machine."""
    return min(cores() - 1, MOST_HELPERS)
