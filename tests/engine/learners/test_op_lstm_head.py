"""What OP-LSTM can and cannot write into a linear head (S3 to S5 of the notes on arXiv 2310.14139)."""

import math

import pytest
import torch
from torch.func import grad

from engine.learners import OPLSTM, ProtoNet
from engine.networks import MLP
from engine.networks import cells as lstm
from engine.tasks import Classes, GaussianClasses, Numbers, Task, TaskSpec, stream
from engine.trees import tree_map
from tests.engine.conftest import double
from tests.engine.learners.test_op_lstm import memoryless

C = math.tanh(math.tanh(1.0))  # what the cell of S4 makes of a label 1


def head(dimensions: int, ways: int, cell: dict, **config) -> tuple[OPLSTM, dict]:
    """OP-LSTM on one linear layer, H_0 = 0 and bias 0, with the given memoryless cell; one pass."""
    learner = OPLSTM(
        **{"network": MLP((), output_bias=True), "cell_sizes": (), "steps": 1, "normalise": False, **config}
    )
    params = double(learner.init(stream("init", 5), TaskSpec(Numbers(dimensions), Classes(ways))))
    params["net"] = tree_map(torch.zeros_like, params["net"])
    params["output_lstm"] = cell
    return learner, params


def drawn(**config) -> tuple[Task, GaussianClasses]:
    distribution = GaussianClasses(**config)
    return tree_map(lambda v: v[0], double(distribution.sample(stream("page", 7), 1))), distribution


def prototypes(task: Task, ways: int) -> torch.Tensor:
    return torch.stack([task.support_x[task.support_y == way].mean(0) for way in range(ways)])


def centred(ways: int, c: float) -> dict:
    """The cell h = tanh(tanh(c (y - 1 / ways)))."""
    cell = memoryless((0.0, 0.0))
    cell["weight_ih1"][2, 0], cell["bias_ih1"][2] = c, -c / ways
    return cell


def cross_entropy_gradient(learner: OPLSTM, params: dict, task: Task) -> torch.Tensor:
    def loss(weight):
        logits = task.support_x @ weight.mT + params["net"]["bias1"]
        return torch.nn.functional.cross_entropy(logits, task.support_y)

    return grad(loss)(params["net"]["weight1"])


# ---- S3: cross-entropy ------------------------------------------------------------------------------


def test_from_equal_logits_it_follows_the_gradient_of_cross_entropy():
    """With H_0 = 0 the softmax is 1 / N whatever the input, and the error c (y - 1 / N) is exact up to O(c^3)."""
    task, _ = drawn(ways=4, shots=3, dimensions=6)
    gaps = []
    for c in (1e-1, 1e-2, 1e-3):
        learner, params = head(6, 4, centred(4, c))
        moved = learner.adapt(params, task.support_x, task.support_y)[-1]["H1"]
        wanted = -c * cross_entropy_gradient(learner, params, task)
        gaps.append(float((moved - wanted).norm() / wanted.norm()))
    assert gaps[-1] < 1e-6
    assert gaps[1] / gaps[2] == pytest.approx(100, rel=0.1)


def test_from_unequal_logits_the_same_cell_leaves_that_gradient():
    task, _ = drawn(ways=4, shots=3, dimensions=6)
    learner, params = head(6, 4, centred(4, 1e-3))
    params["net"]["weight1"] = torch.randn(4, 6, generator=stream("page"), dtype=torch.float64)
    moved = learner.adapt(params, task.support_x, task.support_y)[-1]["H1"] - params["net"]["weight1"]
    wanted = -cross_entropy_gradient(learner, params, task)
    assert float(torch.cosine_similarity(moved.flatten(), wanted.flatten(), dim=0)) < 0.95


def test_no_cell_sees_the_softmax_normaliser():
    """Equal label and logit in one coordinate give an equal signal there, however the other logits differ."""
    learner = OPLSTM(network=MLP((), output_bias=True), steps=1)
    params = double(learner.init(stream("init", 3), TaskSpec(Numbers(3), Classes(3))))
    params["net"]["weight1"], params["net"]["bias1"] = torch.eye(3).double(), torch.zeros(3).double()  # logits = x
    logits = torch.tensor([[0.5, 2.0, -1.0], [0.5, -3.0, 0.1]], dtype=torch.float64)
    labels = torch.tensor([0, 0])
    new, _ = learner.signals(params, learner.start(params, logits, labels), logits, labels)
    h = lstm.output(params["output_lstm"], new["lstm1"]).reshape(2, 3)
    assert h[0, 0] == h[1, 0]
    error = learner.loss_gradient(logits, labels)
    assert abs(float(error[0, 0] - error[1, 0])) > 0.1


# ---- S4: inner products with prototypes -------------------------------------------------------------


@pytest.mark.parametrize(("ways", "shots", "dimensions"), [(2, 1, 3), (5, 5, 64)])
def test_one_pass_writes_the_class_means_into_the_head(ways, shots, dimensions):
    task, _ = drawn(ways=ways, shots=shots, dimensions=dimensions)
    learner, params = head(dimensions, ways, memoryless((1.0, 0.0)))
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    means = prototypes(task, ways)
    torch.testing.assert_close(state["H1"], C / ways * means, rtol=0, atol=1e-15)
    logits = learner.predict(params, state, task.query_x)
    assert torch.equal(logits.argmax(-1), (task.query_x @ means.mT).argmax(-1))


def test_with_gamma_the_head_is_the_class_means_at_length_gamma():
    task, _ = drawn(ways=5, shots=5, dimensions=64)
    learner, params = head(64, 5, memoryless((1.0, 0.0)), normalise=True, gamma=0.3)
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    means = prototypes(task, 5)
    torch.testing.assert_close(state["H1"], params["step_length"]["gamma"] * means / means.norm(), rtol=1e-12, atol=0)


# ---- S5: the nearest prototype ----------------------------------------------------------------------


def test_a_bias_for_each_class_makes_it_a_prototypical_network():
    """b_c = -(c / 2N) |mu_c|^2 completes the square: ProtoNet's logits, up to a temperature and |z|^2."""
    ways = 5
    task, distribution = drawn(ways=ways, shots=5, dimensions=64, queries=40)
    learner, params = head(64, ways, memoryless((1.0, 0.0)))
    params["net"]["bias1"] = -C / (2 * ways) * prototypes(task, ways).square().sum(-1)
    # the memoryless cell reads labels only, so the bias does not change what is written
    state = learner.adapt(params, task.support_x, task.support_y)[-1]
    ours = learner.predict(params, state, task.query_x) * (2 * ways / C)

    protonet = ProtoNet(encoder=MLP((), output_bias=True), embedding=64)
    theirs = double(protonet.init(stream("init"), distribution.spec))
    theirs["embedding"] = {"weight1": torch.eye(64).double(), "bias1": torch.zeros(64).double()}
    final = protonet.adapt(theirs, task.support_x, task.support_y)[-1]
    logits = protonet.predict(theirs, final, task.query_x)
    torch.testing.assert_close(ours - task.query_x.square().sum(-1, keepdim=True), logits, rtol=1e-10, atol=1e-10)
    assert torch.equal(ours.argmax(-1), logits.argmax(-1))


def test_without_one_it_agrees_only_where_all_prototypes_are_equally_long():
    ways, dimensions = 5, 8
    learner, params = head(dimensions, ways, memoryless((1.0, 0.0)))
    g = stream("page", 11)
    agreement = {}
    for equal in (True, False):
        same = []
        for _ in range(100):
            means = torch.randn(ways, dimensions, generator=g, dtype=torch.float64)
            means = means / means.norm(dim=-1, keepdim=True) if equal else means
            noise = torch.randn(ways, dimensions, generator=g, dtype=torch.float64)
            x, y = torch.cat([means + noise, means - noise]), torch.arange(ways).repeat(2)  # of mean `means`
            query = torch.randn(50, dimensions, generator=g, dtype=torch.float64)
            state = learner.adapt(params, x, y)[-1]
            ours = learner.predict(params, state, query).argmax(-1)
            same.append((ours == torch.cdist(query, means).argmin(-1)).double().mean())
        agreement[equal] = float(torch.stack(same).mean())
    assert agreement[True] == 1.0
    assert 0.5 < agreement[False] < 0.95
