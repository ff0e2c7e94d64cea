"""A link gives back the view it was made from, and no text in it can break the page."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.scenes import scene_of
from dashboard.widgets.state import (
    MAX_POINTS,
    MAX_STEP,
    X_DOMAIN,
    Y_LIMIT,
    View,
    clean_points,
    from_query,
    nearest_shots,
    to_query,
)
from engine.tasks import Sine

# A busy machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SINE = {"sine": (5, 10)}
COLLECTIONS = {
    "sine": SINE,
    "sine-published": {"sine": (5, 10, 20)},
    "my-sine": {**SINE, "sine-0a1b2c": (5,), "table-123456": (3, 10)},
    "one": {"sine": (20,)},
    "none": {},
}
BOUNDS = scene_of(Sine()).bounds
LEARNERS = ("finetuning", "maml", "op-lstm")


def read(query: dict[str, str]) -> tuple[View, list[str]]:
    """The view of a link."""
    return from_query(query, COLLECTIONS, LEARNERS, lambda runs, trained: BOUNDS)


def notches(name: str) -> st.SearchStrategy[float]:
    """Values that a slider of the page can take: multiples of 0.05 inside its range, and the ends."""
    low, high = BOUNDS.values[name]
    inside = st.integers(math.ceil(low * 20), math.floor(high * 20)).map(lambda k: k / 20)
    return inside | st.sampled_from((low, high))


places = st.builds(BOUNDS.place, st.floats(*X_DOMAIN), st.floats(-Y_LIMIT, Y_LIMIT))
trained = [
    (name, task, shots) for name, tasks in COLLECTIONS.items() for task, offered in tasks.items() for shots in offered
]
views = st.builds(
    lambda where, values, **rest: View(
        *where, values={k: v for k, v in values.items() if v != BOUNDS.opening[k]}, **rest
    ),
    where=st.sampled_from(trained),
    task=st.integers(0, 10**9),
    values=st.fixed_dictionaries({name: notches(name) for name in BOUNDS.values}),
    truth=st.booleans(),
    points=st.none() | st.lists(places, min_size=1, max_size=MAX_POINTS).map(tuple),
    step=st.none() | st.integers(0, MAX_STEP),
    on=st.none() | st.sets(st.sampled_from(LEARNERS)).map(lambda on: tuple(name for name in LEARNERS if name in on)),
)
names = st.sampled_from([*(name for name in vars(View()) if name != "values"), *BOUNDS.values, "off", "nobody"])
numberish = st.from_regex(r"[-+]?[0-9.eE:,naif]{0,12}", fullmatch=True)


def assert_valid(view: View) -> None:
    """Every property is one that the page can show."""
    assert view.runs in COLLECTIONS
    tasks = COLLECTIONS[view.runs] or {"sine": (View.shots,)}
    assert view.shots in tasks[view.trained]
    assert 0 <= view.task <= 10**9
    for name, (low, high) in BOUNDS.values.items():
        assert low <= view.values.get(name, BOUNDS.opening[name]) <= high, f"{name} = {view.values}"
    assert isinstance(view.truth, bool)
    assert view.points is None or 1 <= len(view.points) <= MAX_POINTS
    assert all(BOUNDS.place(*point) == point for point in view.points or ())
    assert view.step is None or 0 <= view.step <= MAX_STEP
    assert set(view.on or ()) <= set(LEARNERS)


@patient
@given(views)
def test_a_link_gives_back_its_view(view: View):
    found, complaints = read(to_query(view, BOUNDS))
    assert complaints == []
    assert found.changed(values=view.values) == view
    assert found.values == pytest.approx(view.values, abs=1e-5)  # 2 pi is written with six digits
    assert_valid(found)


def test_the_default_view_needs_no_link():
    assert to_query(View(), BOUNDS) == {}
    assert read({}) == (View(), [])


@patient
@given(views)
def test_a_link_stays_short_enough_for_an_address_bar(view: View):
    assert sum(len(name) + len(text) + 2 for name, text in to_query(view, BOUNDS).items()) < 1500


@settings(patient, max_examples=300)
@given(st.dictionaries(names, st.text(max_size=60) | numberish | st.text("1:,-.", max_size=60)))
def test_no_text_breaks_a_view(query: dict[str, str]):
    view, complaints = read(query)
    assert_valid(view)
    named = [complaint.removeprefix("The link's value for ").split()[0] for complaint in complaints]
    assert len(set(named)) == len(named), "one sentence for each parameter"
    assert set(named) <= set(query)
    assert all(complaint.endswith(".") and "\n" not in complaint for complaint in complaints)
    for name in set(named) - {"shots", "off"}:
        said_otherwise = name == "on" and "off" in query
        default = View().changed(trained=view.trained) if name != "trained" else View()
        same = name not in view.values if name in BOUNDS.values else getattr(view, name) == getattr(default, name)
        assert said_otherwise or same, "left out is as if it were not said"


@pytest.mark.parametrize(
    ("name", "text", "because"),
    [
        ("runs", "../../etc", "'../../etc' is not one of sine"),
        ("shots", "7", "'7' is not one of 5, 10"),
        ("shots", "five", "it could not be read"),
        ("task", "-1", "-1 is not between 0 and 1e+09"),
        ("task", "9" * 5000, "it could not be read"),
        ("amplitude", "nan", "nan is not between 0 and 10"),
        ("frequency", "0", "0 is not between 0.2 and 4"),
        ("truth", "maybe", "'maybe' is not one of 0, 1"),
        ("points", "1:2:3", "points are written x:y"),
        ("points", "", "1 to 64 pairs"),
        ("points", "1:nan", "1 to 64 pairs"),
        ("points", "6:0", "1 to 64 pairs"),
        ("points", ",".join(["1:1"] * 65), "1 to 64 pairs"),
        ("step", "-1", "-1 is not between 0 and 10000"),
        ("on", "maml,nobody", "'nobody' is not one of finetuning"),
        ("off", "maml,nobody", "'nobody' is not one of finetuning"),
    ],
)
def test_what_is_left_out_says_why(name: str, text: str, because: str):
    view, complaints = read({name: text})
    assert view == View()
    assert len(complaints) == 1
    assert complaints[0].startswith(f"The link's value for {name} was left out: ")
    assert because in complaints[0]


def test_an_old_link_says_which_learners_are_off():
    assert read({"off": "maml"}) == (View(on=("finetuning", "op-lstm")), [])
    assert read({"off": "maml", "on": "maml"}) == (View(on=("maml",)), [])
    assert read({"off": ",".join(LEARNERS)}) == (View(on=()), [])


def test_no_learner_on_is_not_the_same_as_nothing_said():
    assert to_query(View(on=()), BOUNDS) == {"on": "none"}
    assert read({"on": "none"}) == (View(on=()), [])


def test_the_order_of_names_in_a_link_is_of_no_account():
    assert read({"on": "op-lstm,finetuning,op-lstm"})[0].on == ("finetuning", "op-lstm")


def test_shots_are_those_of_the_collection():
    assert read({"runs": "one"}) == (View(runs="one", shots=20), [])
    assert read({"runs": "sine-published", "shots": "20"})[0].shots == 20
    view, (complaint,) = read({"shots": "20"})
    assert view == View()
    assert complaint == "The link's value for shots was left out: '20' is not one of 5, 10."
    assert [nearest_shots(wanted, (5, 10, 20)) for wanted in (1, 7, 8, 50)] == [5, 5, 10, 20]
    assert nearest_shots(7, ()) == 7


def test_a_value_just_beyond_its_range_by_rounding_is_the_end_of_the_range():
    view, complaints = read({"phase": "6.28319", "amplitude": "10.0005"})
    assert (view.values, complaints) == ({"phase": 2 * math.pi, "amplitude": 10.0}, [])


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just(10**400), st.just([1])
)


@patient
@given(st.lists(st.tuples(anything, anything), max_size=80))
def test_clean_points_keeps_what_is_a_point_and_names_the_rest(rows: list[tuple[object, object]]):
    points, complaints = clean_points(rows, BOUNDS)
    assert len(points) <= MAX_POINTS
    assert all(BOUNDS.place(*point) == point and all(map(math.isfinite, point)) for point in points)
    left_out = sum("was left out" in complaint for complaint in complaints)
    assert len(points) == min(MAX_POINTS, len(rows) - left_out)
    assert len(complaints) <= len(rows) + 1


@pytest.mark.parametrize(
    ("row", "points", "says"),
    [
        ((1, 2.5), ((1.0, 2.5),), None),
        (("1", " 2.5 "), ((1.0, 2.5),), None),
        ((0.12345, 0), ((0.123, 0.0),), None),
        ((None, 1), (), "Row 1 was left out: x and y must both be numbers."),
        ((1, float("nan")), (), "Row 1 was left out: x and y must both be numbers."),
        ((float("inf"), 1), (), "Row 1 was left out: x and y must both be numbers."),
        (("a", 1), (), "Row 1 was left out: x and y must both be numbers."),
        ((-7, 30), ((-5.0, 12.0),), "Row 1 was moved to the edge of the pad: x from -5 to 5, y from -12 to 12."),
    ],
)
def test_clean_points_by_example(row: tuple[object, object], points: object, says: str | None):
    assert clean_points([row], BOUNDS) == (points, [says] if says else [])


def test_too_many_points_are_cut_in_one_sentence():
    points, complaints = clean_points([(0, 0)] * (MAX_POINTS + 5), BOUNDS)
    assert len(points) == MAX_POINTS
    assert complaints == [f"Only the first {MAX_POINTS} points were kept: the pad holds no more."]


@pytest.mark.parametrize("change", [lambda v: v.changed(task=3), lambda v: v.changed(on=("maml",))])
def test_changing_a_view_leaves_the_old_one(change: Callable[[View], View]):
    before = View()
    assert change(before) != before
    assert before == View()
