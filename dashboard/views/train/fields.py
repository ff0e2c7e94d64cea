"""Widgets for the parameters of a dataclass: one per field, with the explanation that its docstring gives."""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from streamlit.delta_generator import DeltaGenerator

from engine.configure import plain_value
from engine.networks import NETWORKS, Network

COLUMNS = 3
NONE = "none"
NETWORK = "The function that adapts, with parameters of its own."


def explained(cls: type) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each attribute."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        _, _, section = text.partition("Attributes:\n")
        for names, what in re.findall(r"^    ([\w, ]+): (.*(?:\n     +.*)*)", section, re.MULTILINE):
            for name in names.split(","):
                found[name.strip()] = re.sub(r"\s+", " ", what)
    return found


def choices(cls: type, name: str) -> tuple[Any, ...]:
    """The values that a field is limited to; none if it is not."""
    hint = get_type_hints(cls, include_extras=True)[name]
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    options = (
        get_args(hint) if get_origin(hint) is Union or str(get_origin(hint)) == "<class 'types.UnionType'>" else (hint,)
    )
    return tuple(value for option in options if get_origin(option) is Literal for value in get_args(option))


def kinds(cls: type, name: str) -> dict[str, type]:
    """The networks that a field can hold, by name; none for other fields."""
    hint = get_type_hints(cls)[name]
    return dict(NETWORKS) if Network in (hint, *get_args(hint)) else {}


def _part(place: DeltaGenerator, parts: Mapping[str, type], name: str, default: Any, prefix: str) -> Any:
    """Which network, and its parameters: nothing else has parameters of its own."""
    given, key = plain_value(default) or {}, f"{prefix}-{name}"
    usual = given.get("name", NONE) if given else NONE
    options = [*parts] if given else [NONE, *parts]
    row = place.container(border=True)
    chosen = row.selectbox(
        name.replace("_", " "), options, index=options.index(usual), key=key, bind="query-params", help=NETWORK
    )
    if chosen == NONE or chosen not in parts:
        return None
    inner = {field.name: given.get(field.name, field.default) for field in fields(parts[chosen])}
    known = inner if chosen == usual else {}
    return {"name": chosen, **draw(row, parts[chosen], list(inner), known, key)}


def draw(
    place: DeltaGenerator, cls: type, names: Sequence[str], defaults: Mapping[str, Any], prefix: str
) -> dict[str, Any]:
    """One widget per field, kept in the URL, and the values that were given.

    Args:
        place: where.
        cls: the dataclass.
        names: which of its fields.
        defaults: their values at first; the class's own where one is missing.
        prefix: of the widgets' keys.
    """
    helps, values = explained(cls), {}
    known = {field.name: field.default for field in fields(cls)}
    columns = place.columns(COLUMNS)
    for index, name in enumerate(names):
        default = defaults.get(name, known[name])
        column, key, label = columns[index % COLUMNS], f"{prefix}-{name}", name.replace("_", " ")
        common: dict[str, Any] = {"key": key, "help": helps.get(name), "bind": "query-params"}
        if parts := kinds(cls, name):
            values[name] = _part(place, parts, name, default, prefix)
        elif options := choices(cls, name):
            values[name] = column.selectbox(label, options, index=options.index(default), **common)
        elif isinstance(default, bool):
            values[name] = column.checkbox(label, default, **common)
        elif isinstance(default, int):
            values[name] = column.number_input(label, value=default, step=1, **common)
        elif isinstance(default, float):
            values[name] = column.number_input(label, value=default, step=None, format="%g", **common)
        elif isinstance(default, str):
            values[name] = (column.text_input(label, default, **common) or "").strip()
        else:
            listed = isinstance(known[name], list | tuple)
            text = column.text_input(label, value=_written(default), placeholder="none", **common)
            values[name] = _read(text or "", listed)
    return values


def _written(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else json.dumps(value)


def _read(text: str, listed: bool) -> Any:
    """Values separated by commas; without any, an empty list or None. What is no number stays text."""
    found = [_value(part) for part in text.strip().strip("[]()").split(",") if part.strip()]
    return found if listed or len(found) > 1 else found[0] if found else None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()
