"""The schema of `run.json` as a table, from the model that checks it."""

import json
from typing import Any

from engine.runs import record

KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null", "object": "object"}


def fields() -> str:
    """Every field: what it may be, what stands for it where it is missing, and what it says."""
    schema = record.Record.model_json_schema()
    lines = ["| field | is | where it is missing | says |", "|---|---|---|---|"]
    for name, told in schema["properties"].items():
        default = "refused" if name in schema["required"] else _default(told["default"])
        lines.append(f"| `{name}` | {_kind(told)} | {default} | {told['description']} |")
    return "\n".join(lines)


def limits() -> str:
    """What else may be in a record, and how large it may be."""
    return (
        "Fields that are not listed are kept, as long as they are small: "
        f"at most {record.MOST_VALUES:,} values in each object, nested at most {record.DEEPEST} levels deep, "
        f"texts of at most {record.LONGEST_TEXT:,} characters, "
        f"finite numbers up to {record.LARGEST:g} ({record.LARGEST_PARAMETER:g} in parameters), "
        f"and whole ones up to 2^{record.LARGEST_WHOLE.bit_length() - 1}."
    )


def _default(value: Any) -> str:
    return f"`{json.dumps(value)}`" if value or isinstance(value, int) or value is None else "empty"


def _kind(told: dict[str, Any]) -> str:
    """One field, from its JSON schema."""
    match told:
        case {"const": value}:
            said = str(value)
        case {"enum": values}:
            said = ", ".join(f"`{value}`" for value in values)
        case {"anyOf": kinds}:
            said = " or ".join(map(_kind, kinds))
        case {"pattern": pattern}:
            said = f"text like `{pattern}`"
        case {"type": "array", "maxItems": most, "items": items}:
            said = f"list of at most {most:,}: {_kind(items)}"
        case {"type": "object", "maxProperties": most, "additionalProperties": values}:
            said = f"object of at most {most:,}: {_kind(values)}"
        case _:
            said = KINDS.get(kind := told.get("type", "object"), kind) + _range(told)
    return said


def _range(told: dict[str, Any]) -> str:
    if "maxLength" in told:
        return f" of at most {told['maxLength']:,} characters"
    if "minimum" not in told:
        return ""
    most, whole = told.get("maximum", told.get("exclusiveMaximum", 0) - 1), told["type"] == "integer"
    return f", {_number(told['minimum'], whole)} to {_number(most, whole)}"


def _number(value: float, whole: bool) -> str:
    return f"{value:,}" if whole else f"{value:g}"
