"""What the page of operations reads out of its answers: verdicts of constructed numbers."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import numpy as np
import pytest

from dashboard.views.operations import readings as operations
from dashboard.views.operations.anatomy import strength_sentence
from dashboard.widgets.holds import FAILS, HOLDS, UNDECIDED
from probes.questions.subspace import Anatomy

OPERATIONS = {
    "input.scale": 1,
    "hidden1.identity": 0,
    "hidden1.scalar-scale": 1,
    "hidden1.matrix": 1600,
    "hidden1.scalar-shift": 1,
    "hidden1.vector-shift": 40,
}


def anatomy(relative: dict[str, float], worth: dict[str, float] | None = None, noise: float = 0.005) -> Anatomy:
    """Strengths as multiples of a start of 0.1 (1 unless given), and errors without each operation."""
    rng = np.random.default_rng(0)
    sizes = np.array(list(OPERATIONS.values()), float)
    times = np.array([relative.get(name, 1.0) for name in OPERATIONS]) + noise * rng.normal(size=(3, len(sizes)))
    moving = [name for name, size in OPERATIONS.items() if size]
    cost = np.array([(worth or {}).get(name, 1.0) for name in moving])
    still = np.broadcast_to(cost[:, None, None], (len(cost), 3, 4)) if worth else np.zeros((0, 3, 4))
    given = {
        "learner": "sap",
        "seeds": [0, 1, 2],
        "operations": list(OPERATIONS),
        "adapting": sizes > 0,
        "sizes": sizes,
        "strengths": 0.1 * times,
        "start": np.full(len(sizes), 0.1),
        "still": still,
    }
    return Anatomy(**{field.name: np.zeros(0) for field in fields(Anatomy)} | given)


SMALL = ("input.scale", "hidden1.scalar-scale", "hidden1.scalar-shift", "hidden1.vector-shift")


@pytest.mark.parametrize(
    ("relative", "noise", "verdict"),
    [
        (dict.fromkeys(SMALL, 1.5), 0.005, HOLDS),
        ({"hidden1.matrix": 1.5}, 0.005, FAILS),
        (dict.fromkeys(SMALL, 1.5) | {"hidden1.scalar-scale": 0.5}, 0.005, FAILS),
        ({}, 0.3, UNDECIDED),
    ],
)
def test_low_dimensional_operations(relative: dict[str, float], noise: float, verdict: str):
    assert operations.preferred({"SAP": anatomy(relative, noise=noise)}).verdict == verdict
    assert operations.preferred({}).verdict == UNDECIDED


def test_strengths_prefer_what_other_trainings_would_too():
    few = dict.fromkeys(SMALL, 1.5)
    assert "low-dimensional ones are preferred (difference +0.50" in strength_sentence(anatomy(few))
    assert "ones are not preferred (difference " in strength_sentence(anatomy({"hidden1.matrix": 1.5}))
    unsure = anatomy({})
    relative = np.ones_like(unsure.strengths) + np.array([[0.01], [0.4], [0.05]]) * np.isin(list(OPERATIONS), SMALL)
    said = strength_sentence(replace(unsure, strengths=0.1 * relative))
    assert "ones cannot be said to be preferred" in said, "larger in each of three seeds is not enough"


def test_only_mixes_with_small_and_large_operations_are_asked_inside():
    everywhere, inside = operations.gaps(anatomy({"input.scale": 5.0, "hidden1.scalar-scale": 0.8}, noise=0.0))
    assert inside.mean == pytest.approx(-0.2)
    assert everywhere.mean == pytest.approx((5.0 + 0.8 + 1 + 1) / 4 - 1)


@pytest.mark.parametrize(("scalar", "vector", "verdict"), [(1.5, 1.5, HOLDS), (1.5, 0.5, FAILS), (0.5, 0.5, FAILS)])
def test_shifts(scalar: float, vector: float, verdict: str):
    found = operations.shifts_are_strong(
        {"SAP": anatomy({"hidden1.scalar-shift": scalar, "hidden1.vector-shift": vector})}
    )
    assert found.verdict == verdict
    said = re.search(r"after layer 1: scalar shift ([\d.]+) \[", found.evidence)
    assert said
    assert float(said[1]) == pytest.approx(scalar, abs=0.01)


@pytest.mark.parametrize(("sign", "verdict"), [(1, HOLDS), (-1, FAILS)])
def test_strength_and_worth_rank_alike_or_the_other_way(sign: int, verdict: str):
    names = [name for name, size in OPERATIONS.items() if size]
    relative = {name: 1 + 0.2 * i for i, name in enumerate(names)}
    worth = {name: 10.0 + sign * i for i, name in enumerate(names)}
    assert operations.strength_is_worth({"SAP": anatomy(relative, worth)}).verdict == verdict
    assert operations.strength_is_worth({"SAP": anatomy(relative)}).verdict == UNDECIDED
