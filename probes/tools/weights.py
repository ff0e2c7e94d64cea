"""The weights that an adapted state stands for, which of them adapting moves, and tasks in their type."""

from collections.abc import Sequence

import torch

from engine.learners import Learner, Params, State
from engine.networks import Acting, Net, Network, network_of
from engine.runs.ensembles import Ensemble
from engine.tasks import Pooled, Task, rows_of, stream
from engine.trees import leaves, tree_map

ALL, OUTPUT_LAYER = "all layers", "output layer"


def weights_of(learner: Learner, params: Params, state: State) -> Net | None:
    """The weights of the network that a state stands for; None for a learner that adapts no network."""
    acting = learner.acting(params, state)
    return None if acting is None else acting.weights


def acting_of(learner: Learner, params: Params, state: State) -> Acting:
    """The network that a state stands for, with nothing but its own tensors: as it is while its learner adapts."""
    acting = learner.acting(params, state)
    assert acting is not None
    return acting._replace(weights={key: acting.weights[key] for key in acting.network.ranks})


def in_type_of(params: Params, tasks: Task) -> Task:
    """Tasks in the number type of some parameters; class indices stay what they are."""
    dtype = next(leaves(params)).dtype
    return tree_map(lambda leaf: leaf.to(dtype) if leaf.is_floating_point() else leaf, tasks)


def plain_of(learner: Learner) -> Learner:
    """The learner itself, or the one that it wraps (`tools.rule_hooks`)."""
    found: Learner = getattr(learner, "base", learner)
    return found


def network_below(learner: Learner) -> Network | None:
    """The network that adapts, or the encoder, of a learner or the one that it wraps; None if there is none."""
    return network_of(plain_of(learner))


def gathered(tasks: Task | Pooled, part: slice, params: Params) -> Task:
    """Some of a batch of tasks, with their inputs, in the number type of some parameters."""
    return in_type_of(params, Task(*rows_of(tasks, part)[:4]))


def ends(ensemble: Ensemble) -> tuple[Acting, Acting]:
    """The network of the first run before and after adapting to one task, of a learner that adapts one."""
    learner, params = ensemble.learner, ensemble.runs[0].params
    task = tree_map(lambda leaf: leaf[0], in_type_of(params, ensemble.distribution.sample(stream("page"), 1)))
    with torch.no_grad():
        trajectory = learner.adapt(params, task.support_x, task.support_y)
        return acting_of(learner, params, trajectory[0]), acting_of(learner, params, trajectory[-1])


def moving(ensemble: Ensemble) -> list[str]:
    """The tensors of the network that adapting changes, from the input up; the learner adapts one."""
    before, after = ends(ensemble)
    names = [name for layer in before.network.layers for name in sorted(layer.keys)]
    return [name for name in names if not torch.equal(before.weights[name], after.weights[name])]


def parts_of(network: Network, moved: Sequence[str]) -> dict[str, list[str]]:
    """The parts that are compared, and the names of the tensors in each: all together, then layer by layer."""
    found, layers = {ALL: list(moved)}, network.layers
    for place, layer in enumerate(layers, start=1):
        if names := [name for name in moved if name in layer.keys]:
            found[OUTPUT_LAYER if place == len(layers) else f"layer {place}"] = names
    return found
