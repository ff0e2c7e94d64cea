"""What the site reads of docstrings that its reader does not know: names that share an entry, and names told twice."""

import re
from typing import Any

from griffe import Class, Extension, Function, Module, Object

TOGETHER = re.compile(r"^( +)(\w+)((?:, \w+)+): ", re.M)  # "steps, test_steps: what they are", in a list


class Names(Extension):
    """Has every entry begin with one name, and shows everything in the module that defines it only."""

    def on_class(self, *, cls: Class, **_: Any) -> None:
        """Attributes."""
        _told(cls)

    def on_function(self, *, func: Function, **_: Any) -> None:
        """Arguments."""
        _told(func)

    def on_module(self, *, mod: Module, **_: Any) -> None:
        """What a package takes from its modules is told there."""
        mod.exports = None


def _told(owner: Object) -> None:
    if owner.docstring:
        owner.docstring.value = TOGETHER.sub(_apart, owner.docstring.value)


def _apart(found: re.Match[str]) -> str:
    """`a, b: text` as `a: and b: text`."""
    others = re.sub(r"\w+", r"`\g<0>`", found[3].removeprefix(", "))
    return f"{found[1]}{found[2]}: and {others}: "
