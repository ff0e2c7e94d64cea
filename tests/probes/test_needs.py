"""What runs lack, in sentences: each need on a run that has it and on one that does not; all probes on all tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.learners import make
from engine.networks import MLP, Conv4
from engine.runs.ensembles import Ensemble
from engine.runs.run import Run
from engine.tasks import TASKS, GaussianClasses, Sine, TaskDistribution, stream
from probes import PROBES, asking
from probes.needs import (
    Acts,
    AnyOf,
    Axes,
    HiddenLayers,
    HiddenParameters,
    MetaLoss,
    OneInput,
    Regression,
    Rowwise,
    Truth,
)
from probes.probe import Need
from tests.images import Bars

SINE, CLASSES, BARS = Sine(shots=3, queries=4), GaussianClasses(shots=2, queries=2), Bars()


def run_of(name: str, distribution: TaskDistribution = SINE, **settings: object) -> Ensemble:
    """An untrained run."""
    learner = make(name, **settings)
    params = learner.init(stream("init"), distribution.spec)
    return Ensemble((Run(Path(name), learner, distribution, params, {"seed": 0}),))


def pictures(norm: str = "group") -> Ensemble:
    return run_of("maml", BARS, network=Conv4(channels=4, blocks=2, norm=norm), steps=1, test_steps=1)


CASES: list[tuple[Need, Ensemble, Ensemble, str]] = [
    (OneInput(), run_of("maml"), run_of("maml", CLASSES), "MAML was trained on gaussian-classes, whose tasks are not"),
    (Truth(), run_of("maml"), pictures(), "MAML was trained on bars, whose tasks have no true function"),
    (Regression(), run_of("maml"), run_of("maml", CLASSES), "whose targets are classes and not numbers."),
    (Regression("so it is"), run_of("maml"), run_of("maml", CLASSES), "classes and not numbers: so it is."),
    (HiddenParameters("amplitude", "phase"), run_of("lstm"), pictures(), "do not differ in amplitude and phase."),
    (Axes("frequency"), run_of("maml"), run_of("maml", TASKS["polynomials"]()), "be moved along frequency."),
    (Axes(), run_of("maml"), run_of("maml", CLASSES), "whose tasks cannot be moved along anything."),
    (Acts(), run_of("op-lstm"), run_of("lstm"), "adapts no network whose weights could be followed."),
    (Rowwise(), pictures(), pictures("batch"), "What MAML says about an input depends on the inputs"),
    (HiddenLayers(), run_of("sap"), run_of("maml", network=MLP(())), "MAML has no hidden layers to look at."),
    (MetaLoss(), run_of("maml"), run_of("scratch"), "From scratch learns nothing across tasks"),
    (MetaLoss(), run_of("t-net"), run_of("mt-net"), "trains on random masks with straight-through derivatives"),
    (AnyOf(Truth(), Acts()), run_of("lstm"), run_of("protonet", BARS), "no true function that is known everywhere."),
]


@pytest.mark.parametrize(("need", "has", "lacks", "said"), CASES)
def test_a_need_is_a_sentence_about_a_run_that_lacks_it(need: Need, has: Ensemble, lacks: Ensemble, said: str):
    assert need(has) is None
    sentence = need(lacks)
    assert sentence is not None and said in sentence
    assert lacks.learner.title in sentence
    assert all(one.endswith(".") and one[0].isupper() for one in (need.says, sentence))


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_applies_or_says_what_is_lacking(name: str):
    """On numbers, classes and images; pages ask it of every run there is."""
    probe = asking.find(name)
    assert probe.name == name
    applied = 0
    for ensemble in (run_of("maml"), run_of("op-lstm"), run_of("lstm"), run_of("maml", CLASSES), pictures()):
        reason = probe.applies(ensemble)
        applied += reason is None
        assert reason is None or ensemble.learner.title in reason
    assert applied or name == "subspace"
