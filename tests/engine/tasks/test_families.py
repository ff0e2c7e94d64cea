"""Sine families: which factors vary, in which ranges, and what is refused."""

import math

import numpy as np
import pytest
import torch

from engine.configure import configure
from engine.errors import BadConfig
from engine.tasks import SineFamilies, all_families, stream
from engine.tasks.families import Factors

TABLE = {  # factor: range if varied, value if fixed
    "amplitude": ((0.1, 5.0), 1.0),
    "frequency": ((0.8, 3.0), 1.0),
    "phase": ((0.0, math.pi), 0.0),
    "offset": ((-2.0, 2.0), 0.0),
}


@pytest.mark.parametrize("family", all_families(), ids=lambda family: "+".join(family.varied))
def test_a_factor_varies_over_its_range_or_stays_at_its_value(family):
    factors = family.factors(stream("test"), 4000)
    for name, ((low, high), fixed) in TABLE.items():
        values = getattr(factors, name)
        if name in family.varied:
            margin = 0.02 * (high - low)
            assert low <= float(values.min()) < low + margin
            assert high - margin < float(values.max()) <= high
            assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
        else:
            assert float(values.min()) == float(values.max()) == fixed


def test_there_are_fifteen_families():
    families = all_families(shots=3)
    assert len(set(families)) == 15
    assert {frozenset(family.varied) for family in families} == {
        frozenset(name for bit, name in enumerate(TABLE) if number >> bit & 1) for number in range(1, 16)
    }
    assert {family.shots for family in families} == {3}


def test_labels_are_the_stated_function():
    task, hidden, _ = SineFamilies(shots=5, queries=7).draw(stream("test"), 10)
    factors = Factors(**hidden)
    assert (task.support_x.shape, task.query_y.shape) == ((10, 5, 1), (10, 7, 1))
    a, w, p, c = (v.double().numpy()[:, None, None] for v in factors)
    for x, y in ((task.support_x, task.support_y), (task.query_x, task.query_y)):
        np.testing.assert_allclose(y.numpy(), a * np.sin(w * x.double().numpy() + p) + c, atol=1e-5)


def test_support_and_query_lie_on_the_whole_interval():
    """The published grid would put the support at the left end; here both are uniform on (-5, 5)."""
    task = SineFamilies(shots=10).sample(stream("test"), 500)
    for x in (task.support_x, task.query_x):
        assert float(x.mean()) == pytest.approx(0, abs=0.2)
        assert (float(x.min()), float(x.max())) == pytest.approx((-5, 5), abs=0.02)
    grid = SineFamilies(shots=4, queries=6, ordered_grid=True).sample(stream("test"), 3)
    whole = torch.cat([grid.support_x, grid.query_x], dim=1)[2, :, 0]
    torch.testing.assert_close(whole, torch.linspace(-5, 5, 10))
    assert float(grid.support_x.max()) < float(grid.query_x.min())


def test_families_that_share_a_factor_meet_the_same_values():
    one, two = SineFamilies(varied=("phase",)), SineFamilies(varied=("amplitude", "phase"))
    (task, few, _), (other, more, _) = (family.draw(stream("test"), 20) for family in (one, two))
    few, more = Factors(**few), Factors(**more)
    assert torch.equal(few.phase, more.phase)
    assert torch.equal(task.query_x, other.query_x)
    assert not torch.equal(few.amplitude, more.amplitude)


def test_factors_come_in_one_order_and_from_one_string():
    made = configure(SineFamilies, {"varied": ["offset", "amplitude"]}, "task")
    assert made == configure(SineFamilies, {"varied": "offset, amplitude"}, "task")
    assert made == SineFamilies(varied=("amplitude", "offset"))


@pytest.mark.parametrize(
    ("varied", "what"),
    [
        (["amplitude", "colour"], "'colour' is unknown"),
        (["phase", "amplitude", "phase"], "'phase' is repeated"),
        ([], "none was given"),
    ],
)
def test_factors_that_do_not_exist_or_come_twice_are_refused(varied, what):
    message = f"one or more of amplitude, frequency, phase, offset, each named once; {what}"
    with pytest.raises(BadConfig, match=message) as error:
        configure(SineFamilies, {"varied": varied}, "task sine-families")
    assert str(error.value).startswith("The task sine-families cannot take varied = [")
    with pytest.raises(BadConfig, match=message):
        SineFamilies(varied=tuple(varied))
