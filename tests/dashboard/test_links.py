"""Links that somebody else wrote: a page opens, says in a sentence what it left out, and writes nothing.

INNERLOOP_LINKS=1000 opens so many on the pages; without it a few are, beside thousands that the functions read.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.elements.widgets.number_input import NumberInputSerde
from streamlit.elements.widgets.slider import SliderSerde
from streamlit.proto.NumberInput_pb2 import NumberInput
from streamlit.proto.Slider_pb2 import Slider
from streamlit.runtime.state.query_params import parse_url_param
from streamlit.testing.v1 import AppTest

from dashboard.scenes import scene_of
from dashboard.widgets.links import _endless, _taken
from dashboard.widgets.state import from_query
from engine.learners import LEARNERS
from engine.tasks import Sine
from tests.dashboard.pages import linked

ROOT = Path(__file__).resolve().parents[2]
ON_PAGES = int(os.environ.get("INNERLOOP_LINKS", "18"))
# Each page with its tabs' parameter, and one cheap learner: what a link leaves open must not take minutes here.
PAGES: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "live": ("live-tabs", ("Points", "Data"), {}),
    "behaviour": ("behaviour-part", (), {"on": "maml", "behaviour-tasks": "200"}),
    "features": ("features-part", ("Diversity", "Maps"), {"on": "maml"}),
    "landscape": ("landscape-part", (), {"on": "maml"}),
    "rules": ("rules-part", ("Directions", "The rule", "Memory"), {"on": "op-lstm"}),
    "operations": ("sap-part", (), {"on": "sap"}),
    "attribution": ("attribution-part", (), {"on": "maml"}),
    "train": ("", (), {}),
    "runs": ("", (), {"runs-own": "true"}),
}
CHOICE = ("runs", "trained", "shots", "on")
LIVE = (*CHOICE, "task", "amplitude", "phase", "frequency", "noise", "points", "step", "off", "truth")
ODD = [
    "", " ", "NaN", "nan", "inf", "-inf", "Infinity", "1e309", "-1e309", "1e300", "9" * 400, "-" + "9" * 400,
    "9" * 5000, "-1", "0", "3", "2.7", "1_000", "0x10", "+5", "٣", "३", "１", "½", "null", "None", "[]", "{}", "true",
    "TRUE", "%00", "\x00", "../../etc/passwd", "<script>alert(1)</script>", "![](http://evil.example/x.png)", "MAML",
    "MAML,MAML", "50", "10.5", "ü☃𝔘", "-0:1", "1:2,3", "nan:nan", "a" * 5000, "${jndi:x}", "\u202e", "1e-400",
    "9007199254740993", "1e16",
]  # fmt: skip
Link = dict[str, str | list[str]]


def links(seed: int, names: list[str], most: int) -> Callable[[], Link]:
    """Draws links, the same ones for the same seed: some of the names, each with an odd value, or several."""
    draw = random.Random(seed)

    def value() -> str:
        kind = draw.randrange(6)
        if kind < 4:
            return draw.choice(ODD)
        return repr(draw.uniform(-20, 20)) if kind == 4 else str(draw.randrange(-(10 ** draw.randrange(1, 30)), 10**9))

    def link() -> Link:
        chosen = draw.sample(names, min(len(names), draw.randrange(1, most + 1)))
        return {
            name: [value() for _ in range(draw.randrange(2, 4))] if draw.random() < 0.15 else value() for name in chosen
        }

    return link


# ---- a page that has every kind of field ------------------------------------------------------------

FIELDS = """
import streamlit as st
from dashboard.widgets import links
links.clean("here")
above = st.container()
bound = {"bind": "query-params"}
st.number_input("", 1, 64, 3, key="x-whole", **bound)
st.number_input("", value=5000, step=1, key="x-open", **bound)
st.number_input("", 0, 9, value=None, key="x-none", **bound)
st.number_input("", value=0.01, step=None, format="%g", key="x-real", **bound)
st.slider("", 1, 25, 5, key="x-slider", **bound)
st.slider("", 0.01, 0.3, 0.1, 0.01, key="x-fine", **bound)
st.select_slider("", [0, 10, 500], value=500, key="x-stops", **bound)
st.segmented_control("", [5, 10], default=10, key="x-shots", format_func=str, **bound)
st.pills("", ["maml", "lstm"], selection_mode="multi", key="x-many", **bound)
st.selectbox("", ["a", "b"], key="x-one", **bound)
st.toggle("", key="x-switch", **bound)
st.text_input("", key="runs-filter", **bound)
links.tell(above)
"""
NUMBERS = ("x-whole", "x-open", "x-none", "x-real", "x-slider", "x-fine", "x-stops", "x-shots", "x-switch")
DEFAULTS = dict(zip(NUMBERS, (3, 5000, None, 0.01, 5, 0.1, 500, 10, False), strict=True))
NAMES = [*NUMBERS, "x-many", "x-one", "runs-filter", "x-nobody", "free"]


def fields(query: Link) -> AppTest:
    """The page of fields at a link."""
    at = AppTest.from_string(FIELDS, default_timeout=60)
    at.query_params.update(query)
    return at.run()


@pytest.mark.parametrize("odd", ["inf", "9" * 400, "abc"])
def test_every_kind_of_field_stands_at_its_default_and_each_is_named(odd: str):
    at = fields({name: odd for name in NUMBERS})
    assert not at.exception, at.exception
    assert {name: at.session_state[name] for name in NUMBERS} == DEFAULTS
    said = [warning.value for warning in at.warning]
    assert [name for name in NUMBERS if any(f"value for {name} was left out" in one for one in said)] == list(NUMBERS)
    assert len(said) == len(NUMBERS)
    assert all(len(one) < 240 and "\n" not in one for one in said)


def test_what_fields_take_goes_without_a_word():
    given = {"x-whole": "7", "x-none": "", "x-real": "1e-3", "x-slider": "9.0", "x-shots": "5", "x-switch": "TRUE"}
    at = fields(given | {"runs-filter": "1e309", "x-many": ["maml", "lstm"], "x-nobody": "inf-"})
    assert not at.exception
    assert not at.warning
    wanted = {"x-whole": 7, "x-none": None, "x-real": 1e-3, "x-slider": 9, "x-shots": 5, "x-switch": True}
    assert {name: at.session_state[name] for name in wanted} == wanted
    assert at.session_state["runs-filter"] == "1e309"


def test_thousands_of_values_stop_no_field_once_the_endless_ones_are_out():
    """What Streamlit does with a value of the address, for the types of our fields; it catches these errors itself."""
    read = [
        ("double_value", NumberInputSerde(3, NumberInput.INT, 1, 64).deserialize),
        ("double_value", NumberInputSerde(None, NumberInput.INT, -(2**53), 2**53).deserialize),
        ("double_value", NumberInputSerde(0.1, NumberInput.FLOAT, -1e308, 1e308).deserialize),
        ("double_array_value", SliderSerde([5], Slider.INT, True, None, 1, 25).deserialize),
        ("double_array_value", SliderSerde([0.1], Slider.FLOAT, True, None, 0.01, 0.3).deserialize),
        ("int_value", lambda value: value),
        ("int_array_value", lambda value: value),
        ("bool_value", bool),
    ]
    link, stopped, refused = links(0, ["x-one"], 1), 0, 0
    for _ in range(2000):
        (given,) = link().values()
        endless = any(map(_endless, [given] if isinstance(given, str) else given))
        for kind, deserialize in read:
            try:
                deserialize(parse_url_param(given, kind))
            except (ValueError, TypeError, IndexError):
                refused += 1
            except OverflowError:
                stopped += 1
                assert endless, given
    assert min(stopped, refused) > 100


def test_links_through_every_kind_of_field_at_once():
    link = links(0, NAMES, len(NAMES))
    for query in (link() for _ in range(12)):
        at = fields(query)
        assert not at.exception, (query, at.exception)
        said = " ".join(warning.value for warning in at.warning)
        for name in set(NUMBERS) & set(query):
            given = query[name] if isinstance(query[name], str) else query[name][-1]
            assert f"value for {name} was left out" in said or _taken(given, at.session_state[name])


def test_thousands_of_links_to_the_live_page_are_read_or_refused_in_a_sentence():
    link, bounds = links(1, list(LIVE), 5), scene_of(Sine()).bounds
    for query in itertools.islice(iter(link, None), 3000):
        flat = {name: value[-1] if isinstance(value, list) else value for name, value in query.items()}
        view, complaints = from_query(
            flat, {"sine": {"sine": [5, 10]}, "my-own": {}}, tuple(LEARNERS), lambda *_: bounds
        )
        assert 0 <= view.task <= 10**9
        assert all(one.startswith("The link's value for ") and one.endswith(".") for one in complaints)


# ---- the pages --------------------------------------------------------------------------------------


def written() -> list[tuple[str, int]]:
    """Every file of the project that a page could have written, with its time."""
    folders = [ROOT / name for name in ("checkpoints", "dashboard", "engine", "probes")]
    every = [
        path for folder in folders for path in folder.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    ]
    return sorted((str(path), path.stat().st_mtime_ns) for path in every)


@pytest.mark.parametrize("page", PAGES)
def test_no_link_breaks_a_page_or_touches_a_file(page: str, own: Path):
    tab, parts, query = PAGES[page]
    before, found = written(), set(LIVE if page == "live" else CHOICE if query.get("on") else ())
    visits = [linked(page, query | {tab: part}) for part in parts] if ON_PAGES > 99 else []
    for at in visits or [linked(page, query)]:
        assert not at.exception, at.exception
        keys = map(str, at.session_state._state.filtered_state)
        found |= {key for key in keys if not key.startswith(("link-", "choice"))}
    assert len(found) > 2
    found -= set(query) if ON_PAGES < 100 else set()  # the cheap learner stays: others compute for minutes
    link = links(len(page), sorted(found) + [tab] * bool(tab) + ["nobody-has-it"], 6)
    for _ in range(max(1, ON_PAGES // len(PAGES))):
        asked = query | link()
        at = linked(page, asked)
        assert not at.exception, (asked, at.exception)
        for element in (*at.warning, *at.error, *at.info):
            assert "![" not in element.value
            assert "\n" not in element.value
    assert written() == before
    assert not list(own.rglob("*"))
