"""How a learner's functions are run fast, in one table: what learners themselves need not know.

What compiles when was measured with `python tests/benchmarks/compiling.py`; whether tasks with convolutions go all at
once or one by one, with `python tests/benchmarks/images.py --ways`: all at once saves operations, one by one the memory
of all graphs but one, which from a size on takes no more time.
"""

from dataclasses import dataclass
from itertools import pairwise

from engine.learners import Learner
from engine.learners.coordinates import CHUNK
from engine.networks import Network, network_of
from engine.networks.memory import activations
from engine.tasks import Classes, Image, NoisyTask, Task, TaskSpec

LARGE = 8_000_000  # numbers that a task's forward passes keep: on a processor, from here on tasks go one by one


@dataclass(frozen=True)
class Policy:
    """How one learner is run.

    Attributes:
        whole_steps: so many inner steps are compiled as one graph (None: any number); more would take too long.
        compile_from: from how many tasks on, those of all seeds together, a training is done sooner with torch.compile
            than with a trace; None: never.
        chunk: a step is the same as steps on so many support points each, in their order: the time to compile grows
            faster than the length of a sequence.
    """

    whole_steps: int | None = None
    compile_from: int | None = 200_000
    chunk: int | None = None


USUAL = Policy()
POLICIES = {
    "film": Policy(whole_steps=1),
    "meta-lstm": Policy(whole_steps=0, compile_from=5_000),
    "meta-lstm-enhanced": Policy(whole_steps=0, compile_from=5_000),
    "sap": Policy(whole_steps=1),
    "sap-first-order": Policy(whole_steps=1),
    "t-net": Policy(whole_steps=1),
    "mt-net": Policy(whole_steps=1),
    "lstm-sequential": Policy(whole_steps=0, compile_from=None, chunk=5),
    "turtle": Policy(compile_from=30_000),
    "turtle-first-order": Policy(compile_from=30_000),
    "op-lstm": Policy(whole_steps=0, compile_from=25_000),
    "op-lstm-first-order": Policy(whole_steps=0, compile_from=25_000),
}


def policy(learner: Learner) -> Policy:
    """How a learner is run."""
    return POLICIES.get(learner.name, USUAL)


def chunk(learner: Learner) -> int | None:
    """How many support points a step takes at once; None: all, as it must where an encoder's norms look at all."""
    return policy(learner).chunk if network_of(learner) is None else None


def compiles_whole(learner: Learner) -> bool:
    """Whether all inner steps are compiled as one graph; where that takes too long, one is, and run in a loop.

    An objective of a learner's own is not cut into steps.
    """
    own = type(learner).meta_loss is not Learner.meta_loss or type(learner).meta_gradient is not Learner.meta_gradient
    whole = policy(learner).whole_steps
    return own or whole is None or learner.train_steps <= whole


def compiling_pays(learner: Learner, tasks: int) -> bool:
    """Whether torch.compile saves more time than it takes in a training on so many tasks, of all seeds together.

    What is compiled step by step only because its whole graph is too long is done sooner without; whether convolutions
    are has not been measured, and so they are not. Nor is a rule that would take weights in chunks, and compiled could
    not.
    """
    found, network = policy(learner), network_of(learner)
    if network is not None and any(learner.rule_size()):
        widths = [layer.outputs or 1 for layer in network.layers]
        if sum(a * b for a, b in pairwise(widths)) > CHUNK:
            return False
    fitting = compiles_whole(learner) or found.whole_steps == 0
    pays = found.compile_from is not None and tasks >= found.compile_from
    return learner.meta_trained and fitting and pays and (network is None or network.broadcasts)


def one_by_one(learner: Learner, tasks: Task | NoisyTask) -> bool:
    """Whether tasks are taken in a plain loop, and not by `vmap`: large ones with convolutions, on a processor.

    Args:
        learner: whose network decides.
        tasks: with any leading axes.
    """
    network = network_of(learner)
    if network is None or network.broadcasts or network.axes is None or tasks.support_x.device.type != "cpu":
        return False
    points = tasks.support_x.shape[-network.axes - 1] + tasks.query_x.shape[-network.axes - 1]
    return large(network, TaskSpec(Image(*tasks.support_x.shape[-network.axes :]), Classes(2)), points)


def large(network: Network, spec: TaskSpec, points: int) -> bool:
    """Whether a task of so many points, support and query, is large for a network that does not broadcast."""
    return not network.broadcasts and activations(network, spec) * points >= LARGE
