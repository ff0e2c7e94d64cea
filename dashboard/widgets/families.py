"""Families of learners, and which learners a page shows at first.

The rule: a collection of up to eight learners is shown whole; of a larger one, those of plug-ins, then the flagships of
every family, or its first member where none of them is there; where that is more than eight, second flagships stand
back. Pages ask this module and hold no list of their own.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from dashboard.figures import palette
from engine.learners import LEARNERS

ORDER: Final[tuple[str, ...]] = tuple(palette.FAMILY_LABELS)
MOST: Final = 8

# One or two of each family: those that the others of the family are variations of.
FLAGSHIPS: Final[dict[str, tuple[str, ...]]] = {
    "transfer": ("finetuning",),
    "gradient": ("maml", "reptile"),
    "learned-optimiser": ("turtle",),
    "memory": ("lstm", "op-lstm"),
    "subspace": ("sap", "t-net"),
    "metric": ("protonet",),
}


def rank(family: str) -> int:
    """The place of a family on a page; unknown ones come last."""
    return ORDER.index(family) if family in ORDER else len(ORDER)


def shown_first(families: Mapping[str, str]) -> tuple[str, ...]:
    """The learners that are on unless the person chose others, in the given order.

    Args:
        families: the family of every learner of a collection by the learner's name.
    """
    if len(families) <= MOST:
        return tuple(families)
    members: dict[str, list[str]] = {}
    for name, family in families.items():
        members.setdefault(family, []).append(name)
    flagships = [_flagships(family, names) for family, names in members.items()]
    brought = [name for name in families if of_plugin(name)]
    ranked = [*brought, *(names[0] for names in flagships), *(name for names in flagships for name in names[1:])]
    return tuple(name for name in families if name in list(dict.fromkeys(ranked))[:MOST])


def of(name: str) -> str:
    """The family of a learner by its name; "" for one that is not registered."""
    return LEARNERS[name].family if name in LEARNERS else ""


def of_plugin(name: str) -> bool:
    """Whether a learner comes from a plug-in: whoever installed one wants to see it."""
    return LEARNERS.owner(name) is not None


def _flagships(family: str, names: Sequence[str]) -> Sequence[str]:
    return [name for name in FLAGSHIPS.get(family, ()) if name in names] or names[:1]


def switched_on(on: Sequence[str] | None, families: Mapping[str, str]) -> tuple[str, ...]:
    """The learners of a collection that are on, in its order.

    Args:
        on: the names that the person chose, of this collection or of another; None for those shown at first.
        families: the family of every learner of the collection by the learner's name.
    """
    if on is None:
        return shown_first(families)
    chosen = tuple(name for name in families if name in on)
    return chosen if chosen or not on else shown_first(families)  # chosen among other runs: none of them is here


def chosen(on: Sequence[str] | None, families: Mapping[str, str]) -> tuple[str, ...] | None:
    """What a link has to say about the learners that are on: nothing where they are those shown at first."""
    names = switched_on(on, families)
    return None if names == shown_first(families) else names
