"""What a run must have so that a probe can be asked about it.

Each need reads as a sentence (`says`), and tells in another what a learner lacks. Those of a single probe stand beside
its question.
"""

from dataclasses import dataclass

import torch

from engine.learners import Params, State
from engine.networks import network_of
from engine.runs.ensembles import Ensemble
from engine.tasks import LINE, Classes, Task, stream
from engine.trees import tree_map
from probes.probe import Need
from probes.tools.representations import has_truth, hidden_numbers
from probes.tools.weights import in_type_of


@dataclass(frozen=True)
class OneInput:
    """Tasks of one number in and one number out, over a known range: they can be asked, and drawn, everywhere."""

    says = "Its tasks are functions of one number over a known range."

    def __call__(self, ensemble: Ensemble) -> str | None:
        distribution = ensemble.distribution
        if distribution.spec == LINE and distribution.span is not None:
            return None
        return f"{_trained(ensemble)}, whose tasks are not functions of one number over a known range."


@dataclass(frozen=True)
class Truth:
    """Tasks whose true functions are known everywhere."""

    says = "The true functions of its tasks are known everywhere."

    def __call__(self, ensemble: Ensemble) -> str | None:
        known = has_truth(ensemble.distribution)
        return None if known else f"{_trained(ensemble)}, whose tasks have no true function that is known everywhere."


@dataclass(frozen=True)
class Regression:
    """Tasks with numbers as targets; `since` says why classes will not do."""

    since: str = ""
    says = "The targets of its tasks are numbers, not classes."

    def __call__(self, ensemble: Ensemble) -> str | None:
        if not isinstance(ensemble.distribution.spec.targets, Classes):
            return None
        return f"{_trained(ensemble)}, whose targets are classes and not numbers{self.since and ': '}{self.since}."


@dataclass(frozen=True, init=False)
class HiddenParameters:
    """Tasks that differ in hidden numbers of these names."""

    names: tuple[str, ...]

    def __init__(self, *names: str):
        object.__setattr__(self, "names", names)

    @property
    def says(self) -> str:
        """As a sentence."""
        return f"Its tasks differ in {_listed(self.names)}."

    def __call__(self, ensemble: Ensemble) -> str | None:
        known = set(self.names) <= set(hidden_numbers(ensemble.distribution))
        return None if known else f"{_trained(ensemble)}, whose tasks do not differ in {_listed(self.names)}."


@dataclass(frozen=True, init=False)
class Axes:
    """Tasks that can be moved along axes of these names, or along any."""

    names: tuple[str, ...]

    def __init__(self, *names: str):
        object.__setattr__(self, "names", names)

    @property
    def says(self) -> str:
        """As a sentence."""
        return f"Its tasks can be moved along {_listed(self.names) or 'something'}."

    def __call__(self, ensemble: Ensemble) -> str | None:
        known = {axis.name for axis in ensemble.distribution.axes}
        if known and set(self.names) <= known:
            return None
        return f"{_trained(ensemble)}, whose tasks cannot be moved along {_listed(self.names) or 'anything'}."


@dataclass(frozen=True)
class Acts:
    """A network that adapts: every state stands for weights of it (`Learner.acting`)."""

    says = "It adapts a network."

    def __call__(self, ensemble: Ensemble) -> str | None:
        learner, (params, state, _) = ensemble.learner, _started(ensemble)
        with torch.no_grad():
            acts = learner.acting(params, state) is not None
        return None if acts else f"{learner.title} adapts no network whose weights could be followed."


@dataclass(frozen=True)
class Rowwise:
    """A prediction that does not depend on who is asked beside it."""

    says = "What it says about an input does not depend on the inputs that are asked beside it."

    def __call__(self, ensemble: Ensemble) -> str | None:
        network = network_of(ensemble.learner)
        if network is None or network.rowwise:
            return None
        return f"What {ensemble.learner.title} says about an input depends on the inputs that are asked beside it."


@dataclass(frozen=True)
class HiddenLayers:
    """Features to look at."""

    says = "It has hidden layers."

    def __call__(self, ensemble: Ensemble) -> str | None:
        learner, (params, state, task) = ensemble.learner, _started(ensemble)
        with torch.no_grad():
            found = learner.features(params, state, task.query_x)
        return None if found else f"{learner.title} has no hidden layers to look at."


@dataclass(frozen=True)
class MetaLoss:
    """A meta-loss that is a function of the meta-parameters, with its meta-gradient as its slope."""

    says = "It learns across tasks, by the slope of a meta-loss."

    def __call__(self, ensemble: Ensemble) -> str | None:
        learner = ensemble.learner
        if not learner.meta_trained:
            return f"{learner.title} learns nothing across tasks, so it has no meta-loss."
        if learner.noise_size(ensemble.distribution.spec):
            return (
                f"{learner.title} trains on random masks with straight-through derivatives: "
                "its meta-gradient is not the slope of its meta-loss, so it is left out here."
            )
        return None


@dataclass(frozen=True, init=False)
class AnyOf:
    """One of several needs, at least."""

    needs: tuple[Need, ...]

    def __init__(self, *needs: Need):
        object.__setattr__(self, "needs", needs)

    @property
    def says(self) -> str:
        """As a sentence."""
        return f"One of these, at least: {' '.join(need.says for need in self.needs)}"

    def __call__(self, ensemble: Ensemble) -> str | None:
        lacking = [need(ensemble) for need in self.needs]
        return " ".join(why for why in lacking if why) if all(lacking) else None


def _trained(ensemble: Ensemble) -> str:
    return f"{ensemble.learner.title} was trained on {ensemble.distribution.name}"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _started(ensemble: Ensemble) -> tuple[Params, State, Task]:
    """The first run on a task, before its first inner step."""
    params = ensemble.runs[0].params
    task = tree_map(lambda leaf: leaf[0], in_type_of(params, ensemble.distribution.sample(stream("page"), 1)))
    with torch.no_grad():
        return params, ensemble.learner.start(params, task.support_x, task.support_y), task
