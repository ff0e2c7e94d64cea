"""Class indices that a user hands to a run: any whole numbers of a class that there is."""

import numpy as np
import pytest
import torch

from engine.errors import BadInput
from engine.learners import make
from engine.networks import MLP
from engine.runs.run import describe, load, save
from engine.tasks import GaussianClasses, stream


@pytest.fixture
def classifier(tmp_path):
    learner, distribution = (
        make("protonet", encoder=MLP((5,), output_bias=True)),
        GaussianClasses(),
    )  # 5 ways, 2 dimensions
    params = learner.init(stream("init"), distribution.spec)
    save(tmp_path / "classes", params, describe(learner, distribution, 0))
    return load(tmp_path / "classes")


def test_class_indices_come_as_any_whole_numbers(classifier):
    x = np.arange(12.0).reshape(6, 2)
    y = np.array([4, 0, 1, 1, 3, 2])
    expected = classifier.predict(classifier.adapt(x, y), x)
    assert expected.shape == (6, 5)
    for same in (y.tolist(), y.astype(np.uint8), y.astype(np.float32), torch.tensor(y), y[::-1].copy()[::-1]):
        torch.testing.assert_close(classifier.predict(classifier.adapt(x, same), x), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("y", "what"),
    [
        ([0, 1, 5], "; 5 was given."),
        ([0, -1, 1], "; -1 was given."),
        ([0, 1, 1.5], "; 1.5 was given."),
        ([0, 1, np.nan], "; nan was given."),
        ([0, 1, np.inf], "; inf was given."),
        ([[0], [1], [1]], r"; shape \(3, 1\) was given."),
        (np.eye(5)[:3], r"; shape \(3, 5\) was given."),
        (2, r"; shape \(\) was given."),
        (["cat", "dog", "cat"], r"\.$"),
        (None, r"\.$"),
        (np.array([0, 1, 1j]), r", and not complex\.$"),
    ],
)
def test_bad_class_indices_are_one_sentence(classifier, y, what):
    rule = r"support_y must be class indices of shape \(points,\), whole numbers from 0 to 4"
    with pytest.raises(BadInput, match=rule + what) as error:
        classifier.adapt(np.ones((3, 2)), y)
    assert "\n" not in str(error.value)


def test_as_many_class_indices_as_inputs(classifier):
    with pytest.raises(BadInput, match="as many inputs as targets, at least one: 3 and 2"):
        classifier.adapt(np.ones((3, 2)), [0, 1])
