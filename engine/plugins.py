"""Where learners, networks, tasks and probes of other people's come from: packages that are installed, and files.

- An installed package names them as entry points, `[project.entry-points."innerloop.learners"]` and so on (`GROUPS`).
- The variable INNERLOOP_PLUGINS names files, or folders whose .py files are meant, several with the separator of PATH.

What cannot be used is left out with one sentence (`Found.said`); the rest is there.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "INNERLOOP_PLUGINS"
GROUPS = {kind: f"innerloop.{kind}s" for kind in ("learner", "network", "task", "probe")}


@dataclass(frozen=True)
class Origin:
    """Something that may be registered, and where it comes from.

    Attributes:
        what: a class or a module.
        name: of its entry point, or of its file without .py.
        owner: "my-package 1.2", or "my_learner.py 3f2a9c1b0d2e": a file with the first digits of its SHA-256.
    """

    what: Any
    name: str
    owner: str


@dataclass
class Found:
    """What was found: origins in order, and what could not be loaded, a sentence each."""

    origins: list[Origin] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def environment() -> dict[str, str]:
    """The environment for a process that shall find the same, wherever it works."""
    told = {VARIABLE: os.pathsep.join(str(path.resolve()) for path in named())} if named() else {}
    return {**os.environ, **told}


def named() -> list[Path]:
    """The files and folders that the variable names."""
    return [Path(part).expanduser() for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part.strip()]


def installed(kind: str) -> Found:
    """What installed packages offer of a kind, a key of `GROUPS`."""
    found = Found()
    for point in metadata.entry_points(group=GROUPS[kind]):
        owner = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        try:
            found.origins.append(Origin(point.load(), point.name, owner))
        except (Exception, SystemExit) as error:  # whatever a package of other people does
            found.said.append(f"The {kind} {point.name!r} of {owner} is left out: {why(error)}.")
    return found


def from_files() -> Found:
    """The modules of the files that the variable names; each file is run once in a process."""
    found = Found()
    for path in named():
        if not path.exists():
            found.said.append(f"{VARIABLE} names {path}, which does not exist.")
            continue
        for file in _python(path):
            try:
                found.origins.append(_loaded(file.resolve()))
            except (Exception, SystemExit) as error:  # whatever somebody's file does
                found.said.append(f"The plug-in {file} is left out: {why(error)}.")
    return found


def why(error: BaseException) -> str:
    """An error of other people's code in one line."""
    said = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _python(path: Path) -> Iterator[Path]:
    """The file itself, or those of a folder whose names do not begin with an underscore or a dot, in order."""
    yield from sorted(file for file in path.glob("*.py") if file.name[0] not in "._") if path.is_dir() else [path]


_LOADED: dict[tuple[Path, str], Origin] = {}


def _loaded(file: Path) -> Origin:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if (known := _LOADED.get((file, digest))) is not None:
        return known
    # One name in all processes, since answers of probes travel between them.
    name = f"innerloop_plugin_{file.stem}_{digest[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError("its name must end in .py")
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickles look for it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _LOADED[file, digest] = Origin(module, file.stem, f"{file.name} {digest[:12]}")
    return _LOADED[file, digest]
