"""Probes: questions about trained learners. Each answers with arrays in a dataclass and draws nothing.

A probe is a `probes.probe.Probe`. `PROBES` names the modules of those that ship, each with its `PROBE`; a new one is
one file and one line here, or a plug-in: a `Probe` in a file, or one that an entry point names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from engine.errors import quoted
from engine.plugins import Origin
from engine.registry import Registry, check_name
from probes.probe import Probe


class Probes(Registry[Any]):
    """Probes by name.

    Args:
        modules: of those that ship, by name; they are imported when they are first asked for.
    """

    def __init__(self, modules: Mapping[str, str]):
        super().__init__("probe", modules)

    def __getitem__(self, name: str) -> Probe[Any, Any]:
        found = super().__getitem__(name)
        return import_module(found).PROBE if isinstance(found, str) else found

    def candidates(self, origin: Origin) -> Iterable[Any]:
        """Of a module, all that are made there; what else an entry point names is meant to be one."""
        if not isinstance(origin.what, ModuleType):
            return [origin.what]
        here = [one for one in vars(origin.what).values() if isinstance(one, Probe)]
        return [one for one in here if one.name not in self._builtin or self[one.name] is not one]

    def taken(self, candidate: Any, origin: Origin) -> tuple[str, Probe[Any, Any]]:
        if not isinstance(candidate, Probe):
            raise ValueError(f"its entry point {origin.name} names {quoted(candidate)}, which is no Probe")
        check_name(candidate.name, "a probe")
        if not isinstance(candidate.question, str) or not candidate.question.endswith("?"):
            raise ValueError(f"the question of {candidate.name} must be text that ends with a question mark")
        if not isinstance(candidate.config, type) or not is_dataclass(candidate.config):
            raise ValueError(f"the config of {candidate.name} must be a dataclass")
        if not isinstance(candidate.needs, tuple) or not all(map(callable, (candidate.ask, *candidate.needs))):
            raise ValueError(f"{candidate.name} needs a tuple of needs, and a function to ask")
        return candidate.name, candidate


PROBES = Probes(
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
