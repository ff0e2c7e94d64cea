"""Frozen dataclasses of hyper-parameters from plain values, every one checked, and back."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.errors import BadConfig, quoted

LARGEST = 1e38  # of any number that something is configured with: networks hold 32-bit floats


def configure(cls: type, values: dict[str, Any], owner: str) -> Any:
    """An instance of a frozen dataclass from plain values, every one checked against its field's type.

    Raises:
        BadConfig: names the parameter, what is allowed and what was given.
    """
    known = [field.name for field in fields(cls)]
    for key, value in values.items():
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise BadConfig(f"The {owner} has no parameter {quoted(key)}; {has}.")
        if not _finite(value):
            raise BadConfig(
                f"The {owner} cannot take {key} = {quoted(value)}: every number must be finite, at most {LARGEST:g}."
            )
    parts = {f.name: plain_value(f.default) for f in fields(cls) if f.name in values and is_dataclass(f.default)}
    try:
        return _adapter(cls).validate_python(merged(parts, values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:1])
        message = first["msg"].removeprefix("Value error, ")
        what = message[0].lower() + message[1:].removesuffix(".")
        if not where:  # what several parameters must satisfy together
            raise BadConfig(f"The {owner} is not possible: {what}.") from None
        raise BadConfig(f"The {owner} cannot take {where} = {quoted(values.get(where))}: {what}.") from None


def plain_values(configured: Any) -> dict[str, Any]:
    """The plain values from which `configure` makes an equal instance; of parts that have a `name`, that too."""
    return {field.name: plain_value(getattr(configured, field.name)) for field in fields(configured)}


def plain_value(value: Any) -> Any:
    """A value as JSON may hold it: a configured part as a dictionary with its `name`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"name": value.name, **plain_values(value)} if hasattr(value, "name") else plain_values(value)
    return value


def flat_values(values: Any) -> dict[str, Any]:
    """Plain values, or those of a configured dataclass, with those of its parts beside them: "network.widths"."""
    found: dict[str, Any] = {}
    for key, value in (values if isinstance(values, dict) else plain_values(values)).items():
        nested = isinstance(value, dict) and value
        found |= {f"{key}.{inner}": one for inner, one in flat_values(value).items()} if nested else {key: value}
    return found


def nested_values(values: dict[str, Any]) -> dict[str, Any]:
    """The same the other way round: values with dots in their names as those of parts."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        owner, dot, name = key.partition(".")
        if dot:
            inner = found.get(owner)
            given = inner if isinstance(inner, dict) else {} if inner is None else {"name": inner}
            found[owner] = {**given, name: value}
        else:
            found[key] = value
    return found


def merged(values: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Plain values with others in their place; of a part that keeps its name, only what is named changes."""
    found = dict(values)
    for key, value in own.items():
        before = found.get(key)
        same = isinstance(before, dict) and isinstance(value, dict) and value.get("name") in (None, before.get("name"))
        found[key] = {**before, **value} if same else value  # type: ignore[dict-item]
    return found


def one_form(value: Any) -> Any:
    """1.0 for 1 and lists for tuples, as records of different hands have them."""
    if isinstance(value, dict):
        return {key: one_form(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [one_form(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@cache
def _adapter(cls: type) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def _finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(_finite(entry) for entry in value)
    return not isinstance(value, int | float) or abs(value) <= LARGEST  # NaN is not
