"""What a task takes in memory, counted before anything is drawn."""

import math
from collections.abc import Collection
from typing import Any

from engine.learners import Learner
from engine.learners.coordinates import CHUNK
from engine.networks import Network, network_of
from engine.networks.memory import activations
from engine.tasks import TaskSpec

BYTES = 4  # of a number
GRAPHS = 3  # how much more a step of gradient descent keeps where second derivatives are taken through it


def task_bytes(
    network: Network,
    spec: TaskSpec,
    support: int,
    queries: int,
    *,
    steps: int = 0,
    second_order: bool = False,
    rule: tuple[int, int] = (0, 0),
    standing: Collection[str] = (),
) -> int:
    """About how many bytes adapting to one task and predicting its queries takes.

        4 [ (support + queries) size  +  (support passes + queries) a  +  (steps + 1) copies w ]

    with `size` numbers in an input, `a` kept of one example by the network (`engine.networks.memory`) and what stands
    at its points, `w` weights. Without second derivatives passes = copies = 1, since what a step keeps is free after
    it; a graph through all steps has passes = 3 steps and copies = 2, the fast weights and their gradient. A learned
    rule that looks at every weight apart adds what it keeps of them, for all steps, and what it makes on its way: of w
    weights for all steps, or of one chunk where they are taken in chunks (`engine.learners.coordinates`).

    Args:
        network: what adapts.
        spec: the kind of task.
        support: points of the support, those of all classes.
        queries: points of the query, likewise.
        steps: inner steps.
        second_order: whether their graph is kept.
        standing: points at which operations stand (`Learner.standing`): each keeps what it reads, as it is and padded.
        rule: how many numbers a rule keeps of one weight in a step, and makes of it (`Learner.rule_size`).
    """
    passes, copies = (GRAPHS * max(steps, 1), 2) if second_order else (1, 1)
    read = sum(math.prod(p.shape) for p in network.points(spec) if p.name in standing and p.kind != "weight")
    weights = sum(math.prod(point.shape) for point in network.points(spec) if point.kind == "weight")
    numbers = (support + queries) * spec.input_size
    numbers += (support * passes + queries) * (activations(network, spec) + 2 * read)
    kept, made = rule
    numbers += steps * weights * kept + made * (CHUNK if weights > CHUNK else steps * weights)
    return BYTES * (numbers + (steps + 1) * copies * weights)


def bytes_of(
    learner: Learner, spec: TaskSpec, support: int, queries: int, *, steps: int = 0, second_order: bool = False
) -> int:
    """The same of a learner: its network, with what stands there, under its rule; 0 for one without a network."""
    network = network_of(learner)
    if network is None:
        return 0
    more: dict[str, Any] = {"rule": learner.rule_size(), "standing": learner.standing()}
    return task_bytes(network, spec, support, queries, steps=steps, second_order=second_order, **more)
