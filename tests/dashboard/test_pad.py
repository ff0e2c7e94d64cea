"""What leaves for the browser can be unpacked there; what comes back from it is never trusted."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest

from dashboard.components import pad as package
from dashboard.components.pad import encode_curves, read_edit, read_switches

LIMITS = {"x_domain": (-5, 5), "y_domain": (-6, 6), "max_points": 4}


def decode(text: str, shape: tuple[int, ...], unit: float) -> np.ndarray:
    """What the browser does: base64 -> little-endian int16 -> numbers."""
    return np.frombuffer(base64.b64decode(text), dtype="<i2").reshape(shape) * unit


def test_curves_survive_the_trip_to_half_a_unit():
    curves = np.random.default_rng(0).normal(size=(4, 3, 101)) * 3
    back = decode(encode_curves(curves, 0.001), curves.shape, 0.001)
    assert np.abs(back - curves).max() <= 0.0005 + 1e-12


def test_curves_keep_their_order():
    curves = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    assert np.array_equal(decode(encode_curves(curves, 1), (2, 3, 5), 1), curves)


def test_curves_are_clipped_not_wrapped():
    curves = np.array([[[1e9], [-1e9], [np.inf]]])
    assert decode(encode_curves(curves, 0.001), (3,), 0.001).tolist() == [32.767, -32.767, 32.767]


@pytest.mark.parametrize(
    ("array", "unit", "says"),
    [
        (np.zeros((2, 3)), 0.001, r"expected shape \(n_drawn, 3, n_grid\), got \(2, 3\)"),
        (np.zeros((2, 2, 5)), 0.001, r"got \(2, 2, 5\)"),
        (np.full((1, 3, 2), np.nan), 0.001, "6 NaN values"),
        (np.zeros((1, 3, 2)), 0, "unit: expected a positive number, got 0"),
    ],
)
def test_wrong_curves_say_what_is_wrong(array: np.ndarray, unit: float, says: str):
    with pytest.raises(ValueError, match=says):
        encode_curves(array, unit)


def test_no_edit_is_no_message():
    assert read_edit(None, **LIMITS) == (None, "")


def test_points_are_read_and_clamped():
    points, message = read_edit({"seq": 3, "points": [[1, 2.5], [-9, 7]]}, **LIMITS)
    assert points == [[1.0, 2.5], [-5.0, 6.0]]
    assert message == ""


@pytest.mark.parametrize(
    "value",
    [
        0,
        "points",
        [],
        {},
        {"points": None},
        {"points": 3},
        {"points": "12"},
        {"points": {"x": 1}},
        {"points": []},
        {"points": [1, 2]},
        {"points": ["ab"]},
        {"points": [[1]]},
        {"points": [[1, 2, 3]]},
        {"points": [[1, None]]},
        {"points": [[1, float("nan")]]},
        {"points": [[1, float("inf")]]},
        {"points": [[10**400, 0]]},
        {"points": [[True, False]]},
        {"points": [[1, "2"]]},
        {"points": [[0, 0]] * 5},
        {"points": [[0, 0]] * 100_000},
    ],
)
def test_nonsense_from_a_browser_is_one_sentence(value: object):
    points, message = read_edit(value, **LIMITS)
    assert points is None
    assert message.endswith(".")
    assert message.count(".") == 1


def test_what_is_not_finite_leaves_as_a_gap():
    sent = package._finite({"errors": [1.0, float("nan"), np.float32("inf")], "n": np.int64(3)})
    assert json.dumps(sent, allow_nan=False) == '{"errors": [1.0, null, null], "n": 3}'


def test_the_modules_join_into_one_script():
    """No import or export survives except the one default export, and nothing is fetched from elsewhere."""
    script = "\n".join(package._module(name) for name in package._MODULES)
    assert len(re.findall(r"^export ", script, flags=re.MULTILINE)) == 1
    assert "export default function" in script
    assert not re.search(r"^import ", script, flags=re.MULTILINE)
    assert "innerHTML" not in script
    everything = script + package._module("pad.css") + package._module("pad.html")
    addresses = set(re.findall(r"https?://[^\s\"']+", everything))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_no_name_is_declared_twice_across_modules():
    names = [
        name
        for module in package._MODULES
        for name in re.findall(
            r"^(?:async )?(?:function|const|let|class) (\w+)",
            package._module(module),
            flags=re.MULTILINE,
        )
    ]
    assert len(names) == len(set(names))


NAMES = ("finetuning", "maml", "lstm")


def test_switches_are_read_in_the_order_of_the_learners():
    assert read_switches({"turn": 3, "names": ["lstm", "maml", "nobody"]}, NAMES) == (3, ("maml", "lstm"))
    assert read_switches({"turn": 4, "names": []}, NAMES) == (4, ())


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "maml",
        ["maml"],
        {},
        {"names": ["maml"]},
        {"turn": 1},
        {"turn": True, "names": ["maml"]},
        {"turn": "1", "names": ["maml"]},
        {"turn": 0, "names": ["maml"]},
        {"turn": 10**400, "names": ["maml"]},
        {"turn": 1, "names": "maml"},
        {"turn": 1, "names": [["maml"], None, {}]},
    ],
    ids=repr,
)
def test_switches_that_are_not_understood_are_none(sent: object):
    assert read_switches(sent, NAMES) is None
