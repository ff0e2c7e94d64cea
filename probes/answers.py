"""Answers that took long, kept as JSON: asked once by whoever trains the runs, read by every page.

A file is found by what was asked: the probe, its settings, and the hashes of all weights. Other weights or settings
have another name, so that an answer is never shown for what it does not belong to; and one that no longer fits the
probe's dataclasses is passed over and asked again. Numbers keep six digits; arrays come back as float64.
"""

import hashlib
import json
import types
import typing
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from engine.configure import configure
from engine.errors import EngineError
from engine.runs.ensembles import Ensemble
from engine.runs.files import write_atomically
from probes import asking

MOST_BYTES = 20_000_000
SIMPLE: dict[Any, Any] = {bool: bool, int: int, float: (int, float), str: str}


def question(name: str, ensembles: Sequence[Ensemble], values: dict[str, Any]) -> dict[str, Any]:
    """What is asked, in full, as plain values.

    Raises:
        UnknownName: there is no such probe.
        BadConfig: a value is unknown or not allowed.
    """
    config = configure(asking.find(name).config, values, f"probe {name}")
    weights = [run.sha256 for ensemble in ensembles for run in ensemble.runs]
    return {"probe": name, "config": asking.plain(config), "weights": weights}


def path(folder: Path, asked: dict[str, Any]) -> Path:
    """Where the answer to a question lies."""
    text = json.dumps(asked, sort_keys=True)
    return folder / f"{asked['probe']}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


def write(folder: Path, name: str, ensembles: Sequence[Ensemble], values: dict[str, Any], answer: Any) -> Path:
    """Keeps an answer for everybody; returns its file."""
    asked = question(name, ensembles, values)
    content = json.dumps({**asked, "answer": short(asking.plain(answer))}, allow_nan=False, separators=(",", ":"))
    write_atomically(path(folder, asked), content.encode() + b"\n")
    return path(folder, asked)


def read(folder: Path, name: str, ensembles: Sequence[Ensemble], values: dict[str, Any]) -> Any | None:
    """The answer that is kept for a question; None if there is none, or none that fits."""
    try:
        asked = question(name, ensembles, values)
    except EngineError:
        return None  # asking will say why
    file = path(folder, asked)
    if not file.is_file() or file.stat().st_size > MOST_BYTES:
        return None
    try:
        found = json.loads(file.read_text())
        if {key: found[key] for key in asked} != asked:
            return None
        return restored(asking.find(name).answer, found["answer"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def restored(kind: Any, value: Any) -> Any:
    """What `asking.plain` made plain, as the type that it was: dataclasses, arrays, lists, tuples, dictionaries.

    Raises:
        TypeError, ValueError: the value is not of this type.
    """
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        needed = {field.name for field in fields(kind) if field.default is MISSING}
        if not isinstance(value, dict) or not needed <= set(value) <= {field.name for field in fields(kind)}:
            raise TypeError(f"expected the fields of {kind.__name__}, got {str(value)[:80]}")
        return kind(**{name: restored(hints[name], entry) for name, entry in value.items()})
    if kind is np.ndarray:
        return np.array(value, float)  # None is NaN
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType) and types.NoneType in inner:
        return None if value is None else restored(next(k for k in inner if k is not types.NoneType), value)
    if origin is not None:
        return _container(origin, inner, value)
    if kind is float and value is None:
        return float("nan")
    if kind is not Any and not isinstance(value, SIMPLE.get(kind, ())):
        raise TypeError(f"expected {kind}, got {str(value)[:80]}")
    return value


def _container(origin: Any, inner: tuple[Any, ...], value: Any) -> Any:
    if origin is list and isinstance(value, list):
        return [restored(inner[0], entry) for entry in value]
    if origin is tuple and isinstance(value, list):
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(restored(kind, entry) for kind, entry in zip(kinds, value, strict=True))
    if origin is dict and isinstance(value, dict):
        return {key: restored(inner[1], entry) for key, entry in value.items()}
    raise TypeError(f"expected a {origin.__name__}, got {str(value)[:80]}")


def short(value: Any) -> Any:
    """The same with six digits of every number that has a point."""
    if isinstance(value, dict):
        return {key: short(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [short(entry) for entry in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
