"""ProtoNet is the nearest class mean in its embedding, against scikit-learn; its meta-gradient against autograd."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid

from engine.learners import LEARNERS, ProtoNet
from engine.networks import MLP, perceptron
from engine.tasks import Classes, GaussianClasses, Numbers, Task, TaskSpec, stream
from engine.trees import count, tree_map
from tests.engine.conftest import double


def identity(dimensions: int, ways: int) -> tuple[ProtoNet, dict]:
    """A ProtoNet whose embedding is its input."""
    learner = ProtoNet(encoder=MLP((), output_bias=True), embedding=dimensions)
    params = double(learner.init(stream("init"), TaskSpec(Numbers(dimensions), Classes(ways))))
    params["embedding"]["weight1"].copy_(torch.eye(dimensions))
    params["embedding"]["bias1"].zero_()
    return learner, params


@pytest.mark.parametrize(("ways", "shots", "dimensions"), [(2, 2, 2), (5, 5, 2), (7, 3, 20)])
def test_with_an_identity_embedding_it_is_scikit_learns_nearest_centroid(ways, shots, dimensions):
    learner, params = identity(dimensions, ways)
    tasks = GaussianClasses(ways=ways, shots=shots, dimensions=dimensions, spread=0.8).sample(stream("page"), 20)
    for one in zip(*double(tasks), strict=True):
        task = Task(*one)
        state = learner.adapt(params, task.support_x, task.support_y)[-1]
        oracle = NearestCentroid().fit(task.support_x.numpy(), task.support_y.numpy())
        np.testing.assert_allclose(state["prototypes"].numpy(), oracle.centroids_, rtol=1e-12, atol=1e-14)
        logits = learner.predict(params, state, task.query_x)
        assert (logits.argmax(-1).numpy() == oracle.predict(task.query_x.numpy())).all()
        distances = torch.cdist(task.query_x, torch.from_numpy(oracle.centroids_)).square()
        torch.testing.assert_close(logits, -distances, rtol=1e-9, atol=1e-11)


def test_unbalanced_classes_have_their_own_means():
    learner, params = identity(1, 3)
    x = torch.tensor([[1.0], [2.0], [6.0], [10.0]], dtype=torch.float64)
    state = learner.adapt(params, x, torch.tensor([0, 0, 0, 2]))[-1]
    assert state["prototypes"].tolist() == [[3.0], [0.0], [10.0]]  # a class without points stays at 0


def test_before_its_step_every_class_is_equally_likely():
    learner = ProtoNet()
    params = learner.init(stream("init"), TaskSpec(Numbers(2), Classes(5)))
    first = learner.adapt(params, torch.ones(5, 2), torch.arange(5))[0]
    logits = learner.predict(params, first, torch.randn(9, 2, generator=stream("page")))
    torch.testing.assert_close(logits.softmax(-1), torch.full((9, 5), 0.2))


def test_meta_gradient_is_autograd_of_the_textbook_loss():
    learner, distribution = ProtoNet(encoder=MLP((8,), output_bias=True), embedding=4), GaussianClasses(ways=3)
    params = double(learner.init(stream("init"), distribution.spec))
    task = tree_map(lambda v: v[0], double(distribution.sample(stream("page"), 1)))
    net = {name: weight.clone().requires_grad_() for name, weight in params["embedding"].items()}
    embedded = perceptron.forward(net, task.support_x)
    prototypes = torch.stack([embedded[task.support_y == way].mean(0) for way in range(3)])
    logits = -torch.cdist(perceptron.forward(net, task.query_x), prototypes).square()
    loss = torch.nn.functional.cross_entropy(logits, task.query_y)
    expected = dict(zip(net, torch.autograd.grad(loss, list(net.values())), strict=True))
    got, reported = learner.meta_gradient(params, task)
    torch.testing.assert_close(reported, loss.detach())
    for name, gradient in expected.items():
        torch.testing.assert_close(got["embedding"][name], gradient, rtol=1e-8, atol=1e-12)
    assert float(got["blank"]["prototypes"].abs().max()) == 0


def test_it_learns_classes_only():
    assert LEARNERS["protonet"].kinds == ("classification",)
    params = ProtoNet(encoder=MLP((), output_bias=True), embedding=3).init(
        stream("init"), TaskSpec(Numbers(2), Classes(5))
    )
    assert count(params["embedding"]) == 2 * 3 + 3
