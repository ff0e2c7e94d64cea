"""Probes: questions about trained learners. Each answers with arrays in a dataclass and draws nothing.

`PROBES` names the modules; a new probe is one file and one line here, or a plug-in. A probe module has

    QUESTION        what it answers, as a question
    Config          a frozen dataclass of plain values with defaults
    applies(e)      None if the ensemble `e` can be asked, otherwise one sentence on why not
    probe(ensembles, config, progress)   -> a dataclass of arrays and plain values

That of a plug-in goes by its entry point, or by its file with hyphens: my_probe.py is "my-probe".
"""

from collections.abc import Iterable
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any

from engine.plugins import Origin
from engine.registry import Registry, check_name

PARTS = ("QUESTION", "Config", "applies", "probe")


class Modules(Registry[str]):
    """A registry of modules by their full names, so that those that ship are imported when they are first asked."""

    def candidates(self, origin: Origin) -> Iterable[Any]:
        """A file is one if it has a question; what an entry point names is meant to be one."""
        of_file = isinstance(origin.what, ModuleType) and origin.what.__name__.startswith("innerloop_plugin_")
        return [] if of_file and not hasattr(origin.what, "QUESTION") else [origin.what]

    def taken(self, candidate: Any, origin: Origin) -> tuple[str, str]:
        if not isinstance(candidate, ModuleType):
            raise ValueError(f"its entry point {origin.name} must name a module")
        if missing := [part for part in PARTS if not hasattr(candidate, part)]:
            raise ValueError(f"the module of {origin.name} lacks {', '.join(missing)}")
        if not is_dataclass(candidate.Config):
            raise ValueError(f"Config of {origin.name} must be a dataclass")
        name = origin.name.replace("_", "-")
        check_name(name, "a probe")
        return name, candidate.__name__


PROBES = Modules(
    "probe",
    {
        "behaviour": "probes.questions.behaviour",
        "shots": "probes.questions.shots",
        "shift": "probes.questions.shift",
        "heads": "probes.questions.heads",
        "diversity": "probes.questions.diversity",
        "broadness": "probes.questions.broadness",
        "similarity": "probes.questions.similarity",
        "maps": "probes.questions.maps",
        "meta-gradients": "probes.questions.meta_gradients",
        "updates": "probes.questions.updates",
        "landscape": "probes.questions.landscape",
        "curvature": "probes.questions.curvature",
        "rule": "probes.questions.rule",
        "blackbox": "probes.questions.blackbox",
        "memory": "probes.questions.memory",
        "subspace": "probes.questions.subspace",
        "moving": "probes.questions.moving",
        "attribution": "probes.questions.attribution",
        "shares": "probes.questions.shares",
    },
)
