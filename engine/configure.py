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
    try:
        return _adapter(cls).validate_python(values)
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
    return {field.name: _plain(getattr(configured, field.name)) for field in fields(configured)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {"name": value.name, **plain_values(value)} if hasattr(value, "name") else plain_values(value)
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
