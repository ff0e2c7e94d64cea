"""The processes that answer pages together with this one."""

from engine.crew import Crew
from engine.processes import cores

CREW = Crew()  # without helpers, until a server starts them
MODULES = ("probes.adaptation", "probes.attribution", "captum.attr")
MOST_HELPERS = 3


def start() -> None:
    """Starts a helper for every further core, at most three: each holds PyTorch in memory."""
    CREW.start(min(cores() - 1, MOST_HELPERS), MODULES)
