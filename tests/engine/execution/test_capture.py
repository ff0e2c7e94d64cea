"""Recorded meta-steps compute what plain ones do, and hand out numbers that stay.

Without a GPU, a stand-in records: like a CUDA graph it reads and writes fixed places and nothing else. What a processor
records is tested in `test_traces.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.execution.capture import WORTHWHILE, Captured, CudaRecording
from engine.execution.gradients import flat_meta_gradient
from engine.learners import LEARNERS
from engine.networks import MLP
from engine.runs.budget import Training
from engine.tasks import Sine, stream
from engine.training.trainer import Trainer
from engine.trees import Layout, stack, tree_map

SINE = Sine(shots=4, queries=6)
RECORDERS = [
    "stand-in",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")),
]


class StandIn:
    """Fixed places, as a CUDA graph has them."""

    made = 0

    def __init__(self, function, given):
        type(self).made += 1
        self._function, self.given = function, tree_map(torch.clone, given)
        self.found = tree_map(torch.clone, function(*self.given))

    def __call__(self, *given):
        tree_map(lambda place, value: place.copy_(value), self.given, given)
        tree_map(lambda place, value: place.copy_(value), self.found, self._function(*self.given))
        return tree_map(torch.clone, self.found)


def refuse(function, given):
    raise RuntimeError("operation not permitted when stream is capturing\nmore")


@pytest.fixture(params=RECORDERS)
def recorder(request):
    """What records, and the device that it records on."""
    StandIn.made = 0
    return (CudaRecording, "cuda") if request.param == "cuda" else (StandIn, "cpu")


def gradient_of(name: str, device: str):
    """The meta-gradient of a small learner, two seeds' parameters as one tensor, and batches of tasks."""
    settings = {"finetuning": {"test_steps": 2}, "sap": {"steps": 2, "ranks": (2,)}}.get(name, {"steps": 2})
    learner = LEARNERS[name](network=MLP((3,)), **settings)
    params = stack([learner.init(stream("init", seed), SINE.spec) for seed in range(2)])
    layout = Layout(params)

    def tasks(index: int, count: int):
        drawn = stack([SINE.sample(stream("train", seed, index), count) for seed in range(2)])
        return tree_map(lambda v: v.to(device), drawn)

    return flat_meta_gradient(learner, layout, compiled=False), layout.pack(params).to(device), tasks


@pytest.mark.parametrize("name", ["maml", "sap", "op-lstm", "reptile", "finetuning"])
def test_replays_equal_calls_and_their_numbers_stay(name: str, recorder):
    record, device = recorder
    function, flat, tasks = gradient_of(name, device)
    captured = Captured(function, record)
    cases = [(flat + 0.1 * k, tasks(k, count)) for k, count in enumerate((3, 3, 2, 3, 2))]
    replayed = [captured(*case) for case in cases]
    for case, (gradient, loss) in zip(cases, replayed, strict=True):
        right, mean = function(*case)
        torch.testing.assert_close(gradient, right, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(loss, mean, rtol=1e-4, atol=1e-6)
    assert not torch.equal(replayed[0][0], replayed[1][0])
    assert record is not StandIn or StandIn.made == 2, "one recording for each shape"


def test_what_is_given_is_not_written_over(recorder):
    record, device = recorder
    function, flat, tasks = gradient_of("maml", device)
    captured, before = Captured(function, record), flat.clone()
    captured(flat, tasks(0, 3))
    captured(flat + 1, tasks(1, 3))
    assert torch.equal(flat, before)


def test_what_cannot_be_recorded_is_computed_and_said():
    function, flat, tasks = gradient_of("maml", "cpu")
    captured = Captured(function, refuse)
    with pytest.warns(UserWarning, match=r"not recorded .*\(operation not permitted when stream is capturing\)"):
        gradient, _ = captured(flat, tasks(0, 3))
    assert torch.equal(gradient, function(flat, tasks(0, 3))[0])
    captured(flat, tasks(1, 3))  # warned once; a second warning would be an error here


def test_plain_calls_come_first_where_recording_has_to_pay():
    function, flat, tasks = gradient_of("maml", "cpu")
    StandIn.made = 0
    captured = Captured(function, StandIn, after=2)
    for index, (count, made) in enumerate([(3, 0), (3, 0), (2, 0), (3, 1), (3, 1), (2, 1), (2, 2)]):
        captured(flat, tasks(index, count))
        assert StandIn.made == made, "each shape counts for itself"


def test_a_long_training_is_recorded_after_a_few_updates():
    def plain(iterations: int, device: str = "cpu") -> int:
        training = Training(iterations=iterations, validation_tasks=2)
        return Trainer(LEARNERS["maml"](network=MLP((3,)), steps=1), SINE, training, (0,), device=device).plain_updates

    assert plain(999) == WORTHWHILE > plain(1000) > 0
    assert plain(999, "meta") == plain(1000, "meta") == 0


def test_trainings_record_what_the_device_can(monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []
    monkeypatch.setattr(Captured, "on", lambda device, function, calls: made.append(device) or function)
    learner, training = LEARNERS["maml"](network=MLP((3,)), steps=1), Training(iterations=1, validation_tasks=2)
    Trainer(learner, SINE, training, (0,), compiled=True)
    assert not made, "what is compiled for a processor is not recorded"
    Trainer(learner, SINE, training, (0,))
    Trainer(learner, SINE, training, (0,), device="meta")  # stands for a GPU: not a processor
    Trainer(learner, SINE, training, (0,), device="meta", compiled=True)
    assert made == ["cpu", "meta", "meta"]


def test_chunks_of_tasks_give_the_gradient_of_all():
    """Bounded memory: 5 tasks as 2 + 2 + 1 weigh the same as at once."""
    for name, optimiser in (("maml", "adam"), ("reptile", "sgd"), ("finetuning", "adam"), ("op-lstm", "adam")):
        learner = LEARNERS[name](network=MLP((4,)))
        ends = []
        for at_once in (None, 2, 5, 9):
            budget = Training(iterations=3, meta_batch=5, validation_tasks=2, optimiser=optimiser)
            one = Trainer(learner, SINE, replace(budget, tasks_at_once=at_once), (0, 1))
            one.run()
            ends.append(one.flat.detach().clone())
        start = Trainer(learner, SINE, Training(validation_tasks=2), (0, 1)).flat
        assert not torch.allclose(ends[0], start, atol=1e-4)
        for end in ends[1:]:
            torch.testing.assert_close(end, ends[0], rtol=1e-3, atol=2e-5)
