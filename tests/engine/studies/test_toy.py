"""The toy of chapter 4: the stored figures' values, the closed form, and one rule for three learners."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from engine.errors import BadInput, UnknownName
from engine.studies.toy import LEARNERS, STARTS, Toy

# (plateau, T): {learner: [(value, share of the starts in %, direct loss, loss after T steps), ...]}
TABLE = {
    (False, 5): {
        "finetuning": [(51.57, 100, 2582, 195.3)],
        "fomaml": [(57.12, 100, 2685, 185.7)],
        "reptile": [(50.68, 100, 2573, 197.4)],
    },
    (False, 25): {
        "finetuning": [(51.57, 100, 2582, 0.017)],
        "fomaml": [(85.07, 100, 4278, 0.003)],
        "reptile": [(54.91, 100, 2636, 0.015)],
    },
    (True, 5): {
        "finetuning": [(6.92, 100, 1360, 1352)],
        "fomaml": [(13.67, 62, 1390, 1337), (57.12, 38, 2685, 185.7)],
        "reptile": [(8.21, 100, 1361, 1349)],
    },
    (True, 25): {
        "finetuning": [(6.92, 100, 1360, 1326)],
        "fomaml": [(85.15, 100, 4286, 0.003)],
        "reptile": [(17.51, 61, 1433, 1300), (54.89, 39, 2635, 0.015)],
    },
}


@pytest.fixture(scope="module", params=list(TABLE), ids=lambda key: f"{'plateau' if key[0] else 'quadratic'}-{key[1]}")
def simulated(request):
    """A scenario, what it should give, and where all learners end from the 100 starts."""
    toy = Toy(*request.param)
    return toy, TABLE[request.param], toy.converge()


def as_printed(value: float) -> float:
    """Half a unit of the last digit in which a value of the table is written."""
    return 0.0005 if value < 1 else 0.05 if value < 1000 else 0.5


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_ends_are_those_of_the_stored_figures(simulated, learner):
    toy, expected, ends = simulated
    x, modes = ends[learner], expected[learner]
    edges = [-np.inf, *((a[0] + b[0]) / 2 for a, b in pairwise(modes)), np.inf]
    for (value, share, direct, after), (low, high) in zip(modes, pairwise(edges), strict=True):
        mode = x[(x > low) & (x <= high)]
        assert len(mode) == share
        assert mode.mean() == pytest.approx(value, abs=0.005)
        assert toy.direct_loss(mode).mean() == pytest.approx(direct, abs=as_printed(direct))
        assert toy.loss_after_adaptation(mode).mean() == pytest.approx(after, abs=as_printed(after))


def test_only_fomaml_with_many_steps_has_not_arrived(simulated):
    """25 steps shrink its gradient to almost nothing: after 15,000 updates the starts still show, with sd 0.14."""
    toy, expected, ends = simulated
    for learner, x in ends.items():
        if len(expected[learner]) == 1:
            slow = learner == "fomaml" and toy.steps == 25
            wanted = (0.06 if toy.plateau else 0.14) if slow else 0.0
            assert x.std() == pytest.approx(wanted, abs=0.005 if slow else 1e-12)


def test_starts_on_the_plateau_stay_there_and_others_do_not():
    """FOMAML with 5 steps: which end is reached is decided by the side of the edge that one starts from."""
    ends = Toy(plateau=True, steps=5).converge()["fomaml"]
    assert ((ends > 50) == (STARTS > 50)).all()


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("learner", LEARNERS)
def test_the_closed_form_is_where_the_simulation_ends(learner, steps):
    toy = Toy(steps=steps)
    ends = toy.converge(np.array([-200.0, 3.0, 170.0]))[learner]
    assert ends == pytest.approx(np.full(3, toy.fixed_point(learner)), rel=1e-12)


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("steps", [5, 25])
def test_both_visits_leave_the_closed_form_where_it_is(learner, steps):
    toy = Toy(steps=steps)
    x, w = np.array(toy.fixed_point(learner)), toy.weights(learner)
    after_task_1 = toy.outer_step(1, x, w)
    assert toy.outer_step(2, after_task_1, w) == pytest.approx(x, rel=1e-12)
    assert abs(after_task_1 - x) > 1e-3  # so the value depends on which task came last


@pytest.mark.parametrize("plateau", [False, True])
@pytest.mark.parametrize("task", [1, 2])
def test_gradients_are_those_of_the_losses(plateau, task):
    """Against torch's autograd of the losses, written again."""
    x = torch.linspace(-200, 200, 101, dtype=torch.float64).requires_grad_()
    loss = 1.3 * (x - 5) ** 2 if task == 1 else (x - 100) ** 2
    if plateau and task == 2:
        loss = torch.where(x > 50, loss, 2500 + 5 * (50 - x))
    (expected,) = torch.autograd.grad(loss.sum(), x)
    toy, points = Toy(plateau), x.detach().numpy()
    assert toy.loss(task, points) == pytest.approx(loss.detach().numpy())
    assert toy.gradient(task, points) == pytest.approx(expected.numpy())


def test_the_plateau_joins_the_parabola_without_a_jump():
    toy = Toy(plateau=True)
    left, right = toy.loss(2, np.array([50.0, 50.0 + 1e-9]))
    assert left == pytest.approx(right, abs=1e-6)
    assert toy.gradient(2, np.array([50.0, 50.1])) == pytest.approx([-5.0, -99.8])


@pytest.mark.parametrize("task", [1, 2])
@pytest.mark.parametrize("plateau", [False, True])
def test_the_one_rule_is_each_learners_own(plateau, task):
    toy, x = Toy(plateau, steps=7), np.linspace(-190, 190, 41)
    ahead = toy.adapted(task, x)
    own = {
        "finetuning": x - 0.1 * toy.gradient(task, x),
        "fomaml": x - 0.1 * toy.gradient(task, ahead),
        "reptile": x + 0.1 * (ahead - x),
    }
    for learner, expected in own.items():
        assert toy.outer_step(task, x, toy.weights(learner)) == pytest.approx(expected, rel=1e-12)


def test_what_it_does_not_know():
    with pytest.raises(UnknownName, match="no learner in the toy called 'maml'; known are finetuning, fomaml, reptile"):
        Toy().weights("maml")
    with pytest.raises(BadInput, match="with the plateau, simulate"):
        Toy(plateau=True).fixed_point("fomaml")
