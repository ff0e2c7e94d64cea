"""Registries: what there is of learners, networks, tasks and probes, built in and of plug-ins (`engine.plugins`).

A registry is a mapping by name. It looks for plug-ins when it is first asked for more than what is built in, and again
when the variable INNERLOOP_PLUGINS has changed since. What cannot be used is left out; `complaints` says why.
"""

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeVar

from engine import plugins
from engine.errors import UnknownName, quoted
from engine.plugins import Origin

T = TypeVar("T")
OURS = "Innerloop"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")  # it becomes part of names of folders and of links

_LOCK = threading.RLock()  # one for all, since a file may hold several kinds
_ALL: list["Registry[Any]"] = []
_searching = False  # guarded by the lock: a plug-in that looks here while it is loaded sees what is built in


class Registry(Mapping[str, T]):
    """A mapping from names to what is registered under them; subclasses say what they take of plug-ins.

    Args:
        kind: a key of `plugins.GROUPS`, as sentences call it: "learner".
        builtin: what ships.
    """

    def __init__(self, kind: str, builtin: Mapping[str, T]):
        self.kind = kind
        self._builtin = dict(builtin)
        self._found: dict[str, tuple[T, str]] = {}  # with its owner
        self._said: list[str] = []
        self._searched: str | None = None  # the variable at the last search
        _ALL.append(self)

    def candidates(self, origin: Origin) -> Iterable[Any]:
        """What an origin has for this registry."""
        raise NotImplementedError

    def taken(self, candidate: Any, origin: Origin) -> tuple[str, T]:
        """The name of a candidate, and what is registered; raises ValueError, with why, where it cannot be used."""
        raise NotImplementedError

    def __getitem__(self, name: str) -> T:
        return self._builtin[name] if name in self._builtin else self._plugins()[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._builtin, *self._plugins()])

    def __len__(self) -> int:
        return len(self._builtin) + len(self._plugins())

    def known(self, name: str) -> T:
        """What is registered as `name`.

        Raises:
            UnknownName: nothing is.
        """
        if name not in self:
            raise UnknownName(self.kind, name, list(self))
        return self[name]

    def owner(self, name: str) -> str | None:
        """The plug-in that `name` comes from, such as "my-package 1.2"; None for what is built in, or unknown."""
        return self._plugins()[name][1] if name not in self._builtin and name in self else None

    def complaints(self) -> list[str]:
        """What the search left out, a sentence each; nothing before there was one."""
        return list(self._said) if self._searched == _told() else []

    def _plugins(self) -> dict[str, tuple[T, str]]:
        global _searching  # noqa: PLW0603 - one search at a time in the whole process
        told = _told()
        if self._searched == told:
            return self._found
        with _LOCK:
            if not _searching and self._searched != told:
                _searching = True
                try:
                    self._found, self._said = self._search()
                    self._searched = told
                finally:
                    _searching = False
            return self._found

    def _search(self) -> tuple[dict[str, tuple[T, str]], list[str]]:
        found: dict[str, tuple[T, str]] = {}
        packages, files = plugins.installed(self.kind), plugins.from_files()
        said = [*packages.said, *files.said]
        for origin in (*packages.origins, *files.origins):
            for candidate in self.candidates(origin):
                try:
                    name, one = self.taken(candidate, origin)
                except ValueError as error:
                    said.append(f"A {self.kind} of {origin.owner} is left out: {error}.")
                    continue
                if name in found and found[name][0] is one:  # an installed package can be listed twice
                    continue
                if there := OURS if name in self._builtin else found[name][1] if name in found else "":
                    said.append(
                        f"The {self.kind} {name!r} of {origin.owner} is left out: {there} has one of this name."
                    )
                    continue
                found[name] = one, origin.owner
        return found, said


class ClassRegistry(Registry[type[T]]):
    """A registry of frozen dataclasses with a common base, each under its `name`.

    Of a module, all classes are taken that derive from the base and are written there, but for those whose names begin
    with an underscore.

    Args:
        kind: as above.
        base: what all derive from; class attributes that it only announces must be there.
        builtin: the classes that ship.
    """

    def __init__(self, kind: str, base: type[T], builtin: Iterable[Any]):
        super().__init__(kind, {cls.name: cls for cls in builtin})
        self.base = base

    def candidates(self, origin: Origin) -> Iterable[Any]:
        what = origin.what
        if not isinstance(what, ModuleType):
            return [what]
        classes = [one for one in vars(what).values() if isinstance(one, type) and issubclass(one, self.base)]
        return [one for one in classes if one.__module__ == what.__name__ and not one.__name__.startswith("_")]

    def taken(self, candidate: Any, origin: Origin) -> tuple[str, type[T]]:
        if not isinstance(candidate, type) or not issubclass(candidate, self.base):
            raise ValueError(f"{quoted(candidate)} is no class that derives from {self.base.__name__}")
        called = candidate.__name__
        if "__dataclass_fields__" not in vars(candidate) or not candidate.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise ValueError(f"{called} must be a frozen dataclass: write @dataclass(frozen=True) above it")
        for word in announced(self.base):
            if not isinstance(getattr(candidate, word, None), str):
                raise ValueError(f"{called} must say its {word} as text")
        name = candidate.name  # type: ignore[attr-defined]
        check_name(name, called)
        try:
            candidate()
        except Exception as error:  # whatever somebody's class does
            raise ValueError(f"every parameter needs a default, but {called}() fails: {plugins.why(error)}") from None
        return name, candidate


def _told() -> str:
    return os.environ.get(plugins.VARIABLE, "")


def announced(base: type) -> list[str]:
    """The class attributes of text that a base class announces and its subclasses must have."""
    return [word for word in vars(base).get("__annotations__", {}) if not hasattr(base, word)]


def check_name(name: Any, of: str) -> None:
    """Raises ValueError where a name cannot be part of names of folders and links."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f"the name of {of} may hold letters, digits and . _ - only, at most 60; {quoted(name)} was given"
        )


def complaints() -> list[str]:
    """What was left out of all registries that have searched, a sentence each, none twice."""
    return list(dict.fromkeys(said for one in _ALL for said in one.complaints()))
