"""Polynomials: labels against NumPy's own evaluation, coefficients and orders as stated."""

import numpy as np
import pytest

from engine.configure import configure
from engine.errors import BadConfig
from engine.tasks import Polynomials, stream


@pytest.mark.parametrize("order", [0, 1, 2, 5])
def test_labels_are_the_polynomial_of_the_stated_order(order):
    task, hidden, _ = Polynomials(shots=5, order=order).draw(stream("test"), 10)
    coefficients = hidden["coefficients"]
    assert coefficients.shape == (10, order + 1)
    for x, y in ((task.support_x, task.support_y), (task.query_x, task.query_y)):
        for i in range(10):
            expected = np.polynomial.polynomial.polyval(x[i].double().numpy(), coefficients[i].double().numpy())
            np.testing.assert_allclose(y[i].numpy(), expected, rtol=1e-4, atol=1e-3)


def test_coefficients_and_inputs_are_uniform():
    task, hidden, _ = Polynomials().draw(stream("test"), 4000)
    coefficients = hidden["coefficients"]
    for values, bound in ((coefficients[:, 0], 1), (coefficients[:, 2], 1), (task.support_x, 5), (task.query_x, 5)):
        assert (float(values.min()), float(values.max())) == pytest.approx((-bound, bound), rel=0.01)
        assert float(values.mean()) == pytest.approx(0, abs=0.03 * bound)


def test_a_negative_order_is_refused():
    with pytest.raises(BadConfig, match="The task polynomials cannot take order = -1"):
        configure(Polynomials, {"order": -1}, "task polynomials")
