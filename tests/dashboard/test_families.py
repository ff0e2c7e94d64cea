"""Which learners are on at first: a rule over families, the same whatever a collection holds."""

from __future__ import annotations

import pytest

from dashboard.widgets import families
from engine.learners import LEARNERS

ZOO = {name: cls.family for name, cls in LEARNERS.items() if "regression" in cls.kinds}


def test_a_small_collection_is_shown_whole():
    small = dict(list(ZOO.items())[: families.MOST])
    assert families.shown_first(small) == tuple(small)
    assert families.shown_first({}) == ()


def test_a_large_one_shows_every_family_and_no_more_than_fit():
    first = families.shown_first(ZOO)
    assert {ZOO[name] for name in first} == set(ZOO.values())
    assert len(first) <= families.MOST < len(ZOO)
    assert list(first) == [name for name in ZOO if name in first], "in the order of the page"


@pytest.mark.parametrize(
    "missing", sorted({name for names in families.FLAGSHIPS.values() for name in names} & set(ZOO))
)
def test_a_flagship_that_is_missing_is_simply_not_there(missing: str):
    rest = {name: family for name, family in ZOO.items() if name != missing}
    first = families.shown_first(rest)
    assert missing not in first
    assert {rest[name] for name in first} == set(rest.values()), "its family is still there"


def test_a_family_without_flagships_shows_its_first_member():
    first = families.shown_first({**ZOO, "new": "unheard-of", "newer": "unheard-of"})
    assert first[-1] == "new"
    assert len(first) == families.MOST, "a second flagship of another family stood back"


def test_every_flagship_is_a_registered_member_of_its_family():
    for family, names in families.FLAGSHIPS.items():
        assert all(LEARNERS[name].family == family for name in names)
    assert set(families.FLAGSHIPS) == set(families.ORDER)


def test_what_is_on():
    assert families.switched_on(None, ZOO) == families.shown_first(ZOO)
    assert families.switched_on(("film", "nobody", "maml"), ZOO) == ("maml", "film")
    assert families.switched_on((), ZOO) == ()
    assert families.switched_on(("nobody",), ZOO) == families.shown_first(ZOO), "chosen among other runs"


def test_a_link_names_only_what_differs_from_the_first_view():
    assert families.chosen(families.shown_first(ZOO)[::-1], ZOO) is None
    assert families.chosen(None, ZOO) is None
    assert families.chosen(("film",), ZOO) == ("film",)
    assert families.chosen((), ZOO) == ()


def test_unknown_families_come_last():
    assert sorted(["unheard-of", "metric", "transfer"], key=families.rank) == ["transfer", "metric", "unheard-of"]
