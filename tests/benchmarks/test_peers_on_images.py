"""The benchmark on images compares speeds of one computation: every engine's meta-gradient is the same."""

import pytest
import torch

from engine.trees import tree_map
from tests.benchmarks.peers import Missing
from tests.benchmarks.peers.images import ENGINES, ImageWork, build

SMALL = {"side": 8, "channels": 4, "blocks": 2, "tasks": 2, "steps": 2, "ways": 3, "queries": 3, "shots": 2}
PEERS = [(name, learner) for name, (_, _, learners) in ENGINES.items() for learner in learners if name != "compiled"]


def setting(learner):
    """One network and one batch of tasks, in float64."""
    work = ImageWork(learner, **SMALL)
    batch = tree_map(lambda v: v.double() if v.is_floating_point() else v, work.batches(1)[0])
    net = tree_map(torch.Tensor.double, work.net())
    generator = torch.Generator().manual_seed(0)
    for key in net:  # norms as they might be after a training, not 1 and 0
        net[key] = net[key] + 0.1 * torch.randn(net[key].shape, generator=generator, dtype=torch.float64)
    return work, net, batch


def answer(name, learner):
    """Gradient and loss of an engine."""
    work, net, batch = setting(learner)
    try:
        engine = build(name, work, net)
    except Missing as reason:
        pytest.skip(str(reason))
    gradient, loss = engine.read(engine(engine.accept(batch)))
    assert gradient.keys() == net.keys()
    assert all(g.dtype == torch.float64 for g in gradient.values())
    return gradient, loss


@pytest.mark.filterwarnings("ignore::DeprecationWarning:(higher|jax)")
@pytest.mark.parametrize(("name", "learner"), [pair for pair in PEERS if pair[0] != "loop"])
def test_peers_agree_with_a_plain_loop(name, learner):
    """Relative to the whole gradient: a bias before a norm has none but rounding."""
    (got, loss), (expected, expected_loss) = answer(name, learner), answer("loop", learner)
    size = torch.cat([g.flatten() for g in expected.values()]).norm()
    assert size > 0.01
    for key, want in expected.items():
        assert (got[key] - want).norm() <= 1e-10 * size, key
    assert abs(loss - expected_loss) <= 1e-10 * expected_loss


@pytest.mark.parametrize("learner", ["maml", "protonet"])
def test_the_common_answer_is_the_derivative(learner):
    """Agreement alone could mean a shared mistake; central differences of the loss know no second-order terms."""
    work, net, batch = setting(learner)
    gradient, _ = answer("loop", learner)
    for key, index in [("weight1", (3, 0, 1, 2)), ("scale2", (1,)), ("shift1", (2,)), ("weight3", (0, 5))]:
        losses = []
        for sign in (1, -1):
            moved = {name: w.clone() for name, w in net.items()}
            moved[key][index] += sign * 1e-6
            engine = build("loop", work, moved)
            losses.append(engine(engine.accept(batch))[1].item())
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradient[key][index].item(), rel=1e-4, abs=1e-7), key


def test_second_order_is_another_gradient():
    """Otherwise the engines could all have dropped it."""
    (second, loss), (first, other) = answer("loop", "maml"), answer("loop", "fomaml")
    assert loss == other
    assert (second["weight1"] - first["weight1"]).norm() > 0.01 * first["weight1"].norm()
