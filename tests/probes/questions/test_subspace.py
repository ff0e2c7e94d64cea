"""What SAP's operations are worth and how far learners move: constructed SAPs in which the answer is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.learners import make
from engine.networks import MLP, Conv4
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import Sine, Task, stream
from engine.trees import stack, tree_map
from probes import asking
from probes.questions import moving, subspace
from probes.tools import representations
from tests.images import Bars
from tests.probes.questions.test_diversity import ensemble

DISTRIBUTION = Sine(shots=8, queries=12)


@pytest.fixture
def sap() -> Ensemble:
    return ensemble("sap", network=MLP((6, 6)), ranks=[2], steps=3)


def strong(found: Ensemble, chosen: str) -> dict:
    """Parameters in which a single operation has all the strength there is, and every other none."""
    learner, params = found.learner, tree_map(torch.clone, found.params)
    for group, names in learner.groups().items():
        logits = torch.full_like(params["strengths"][group], subspace.OFF)
        if len(names) == 1:
            logits = -logits if names[0] == chosen else logits
        else:
            logits[..., names.index(chosen) if chosen in names else 0] = 0.0
        params["strengths"][group] = logits
    return params


@pytest.mark.parametrize("chosen", ["output.shift", "output.scale", "hidden1.vector-shift", "hidden2.matrix"])
def test_every_measure_recognises_the_only_operation_that_matters(sap, chosen):
    learner, params = sap.learner, strong(sap, chosen)
    tasks = DISTRIBUTION.sample(torch.Generator().manual_seed(0), 20)
    whole, moved = subspace.adapted(learner, params, tasks)
    for name in learner.operations():
        still, _ = subspace.adapted(subspace.frozen(learner, [name]), params, tasks)
        far = np.abs(moved[name]).max()
        if name == chosen:
            assert far > 1e-4
            assert np.abs(still - whole).max() > 1e-6
        else:
            assert far == 0
            assert np.allclose(still, whole, rtol=1e-5)
    kept = [name for name in learner.operations() if name != chosen]
    alone, _ = subspace.adapted(subspace.frozen(learner, kept), params, tasks)
    assert np.allclose(alone, whole, rtol=1e-5)


def test_an_operation_that_is_removed_has_no_strength_and_its_group_shares_it(sap):
    learner = sap.learner
    for name in learner.operations():
        changed = learner.strengths(subspace.without(learner, sap.params, name))
        before = learner.strengths(sap.params)
        assert float(changed[name].abs().max()) == 0
        (group,) = [names for names in learner.groups().values() if name in names]
        if len(group) > 1:
            left = sum(before[other] for other in group if other != name)
            for other in group:
                if other != name:
                    assert torch.allclose(changed[other], before[other] / left)


def test_nothing_adapts_where_everything_is_frozen(sap):
    answer = asking.ask("subspace", [sap], {"tasks": 6}).anatomies[0]
    names = sap.learner.operations()
    frozen = replace(sap.learner, frozen=tuple(names))
    tasks = sap.distribution.sample(torch.Generator(), 1)
    first = subspace.adapted(frozen, sap.params, tasks)[1]
    assert all(np.abs(change).max() == 0 for change in first.values())
    assert np.allclose(answer.by_worth[-1], answer.losses)
    assert np.allclose(answer.by_strength[-1], answer.losses)
    assert np.allclose(answer.by_strength[0], answer.by_worth[0])
    assert sorted(answer.order_by_worth) == sorted(answer.order_by_strength) == sorted(names)


def test_strengths_are_those_of_the_learner_and_step_sizes_their_squares(sap):
    answer = asking.ask("subspace", [sap], {"tasks": 5, "importance": False}).anatomies[0]
    named = sap.learner.strengths(sap.params)
    assert answer.operations == list(named)
    assert np.allclose(answer.strengths, torch.stack(list(named.values()), -1).numpy())
    assert np.allclose(answer.step_sizes, sap.learner.inner_lr * answer.strengths**2)
    assert answer.start[answer.operations.index("input.scale")] == pytest.approx(0.5)
    assert answer.start[answer.operations.index("hidden1.identity")] == pytest.approx(1 / 5)
    assert not len(answer.still)


def test_a_shift_moves_with_the_square_of_its_strength(sap):
    """One step of the output shift from 0: what it adds to the prediction is alpha w^2 times the pull on it."""
    learner = replace(sap.learner, steps=1, frozen=tuple(n for n in sap.learner.operations() if n != "output.shift"))
    params = stack([sap.runs[0].params])
    task = tree_map(lambda v: v[0], DISTRIBUTION.sample(torch.Generator().manual_seed(1), 1))
    before, after = learner.adapt(params, task.support_x, task.support_y)
    said = [learner.predict(params, state, task.support_x) for state in (before, after)]
    w = learner.strengths(params)["output.shift"]
    pull = -learner.loss_gradient(said[0], task.support_y).sum((-2, -1))
    assert torch.allclose(said[1] - said[0], (learner.inner_lr * w**2 * pull)[:, None, None], atol=1e-7)


def test_correlations_of_constructed_movements():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=400), rng.normal(size=400)
    moves = np.stack([np.outer(a, [3.0, -4.0]), np.outer(b, [1.0, 0.0])])  # two seeds, two numbers
    found = subspace.correlations(moves, {"a": a, "b": b})
    assert found[0, 0] == pytest.approx(1)
    assert found[1, 1] == pytest.approx(1)
    assert abs(found[0, 1]) < 0.2
    single = subspace.correlations(-2 * a[None, :, None], {"a": a})
    assert single[0, 0] == pytest.approx(-1)
    assert np.isnan(subspace.correlations(np.zeros((1, 400, 3)), {"a": a})).all()


def test_only_sap_has_strengths():
    said = subspace.PROBE.applies(ensemble("maml", network=MLP((5,))))
    assert said == "MAML has no operations with learned strengths."


def test_one_on_images_has_strengths_and_is_not_taken_apart():
    learner, bars = make("sap", network=Conv4(channels=2, blocks=1)), Bars()
    run = Run(Path(), learner, bars, learner.init(stream("init"), bars.spec), {"seed": 0})
    said = subspace.PROBE.applies(Ensemble((run,)))
    assert said == "SAP is taken apart where rows of units pass; Conv4 passes images on."
    strengths = learner.strengths(run.params)
    assert list(strengths)[:2] == ["input.identity", "input.pointwise"]
    assert float(strengths["weight1.kernel-scale"]) == pytest.approx(1 / 3)


def test_movement_of_a_network_is_the_length_of_its_change():
    found = ensemble("maml", network=MLP((5, 5)), steps=2)
    answer = asking.ask("moving", [found], {"tasks": 5}).learners[0]
    learner, run = found.learner, found.runs[1]
    tasks: Task = tree_map(lambda v: v[3], representations.tasks_of(found.distribution, 5)[0])
    states = learner.adapt(run.params, tasks.support_x, tasks.support_y)
    nets = [learner.acting(run.params, state).weights for state in (states[0], states[-1])]
    for layer in (1, 2, 3):
        whole = [torch.cat([net[f"weight{layer}"].flatten(), net[f"bias{layer}"]]) for net in nets]
        wanted = float((whole[1] - whole[0]).norm() / whole[0].norm())
        assert answer.share[1, 3, layer - 1] == pytest.approx(wanted, rel=1e-4)
    loss = learner.loss(learner.predict(run.params, states[-1], tasks.query_x), tasks.query_y)
    assert answer.after[1, 3] == pytest.approx(float(loss), rel=1e-5)


def test_finetuning_moves_its_head_alone_and_lstms_have_no_network():
    found = ensemble("finetuning", network=MLP((5, 5)))
    share = asking.ask("moving", [found], {"tasks": 5}).learners[0].share
    assert (share[..., :2] == 0).all()
    assert (share[..., 2] > 0).all()
    assert make("lstm").acting({}, {}) is None
    assert "adapts no network" in str(moving.PROBE.applies(ensemble("lstm")))
