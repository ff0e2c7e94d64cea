"""The memory that a training may take, counted before it starts, and refused where the machine has less."""

from engine.errors import BadInput
from engine.execution.memory import bytes_of
from engine.execution.policy import large
from engine.learners import Learner
from engine.networks import network_of
from engine.runs.budget import Training
from engine.tasks import TaskDistribution

BASE = 400_000_000  # bytes that a process holds which has imported PyTorch and trains the smallest network
MARGIN = 4  # what a meta-gradient really takes is 3.0 to 3.4 times what its passes keep (Conv4 of 16 to 64 channels)
GB = 1e9


def points(distribution: TaskDistribution) -> tuple[int, int]:
    """How many support and query points a task has, those of all classes."""
    spec = distribution.spec
    ways = spec.output_dim if spec.kind == "classification" else 1
    return distribution.shots * ways, distribution.queries * ways


def bytes_of_task(learner: Learner, distribution: TaskDistribution) -> int:
    """How many bytes the meta-gradient of one task takes at most; 0 for a learner without a network.

    Second derivatives are reckoned with unless the learner says that it takes none: its graph is kept for all steps.
    Where the queries are asked after every step, each step is made twice and there are so many times more queries.
    """
    graph = learner.train_steps > 0 and type(learner).meta_gradient is Learner.meta_gradient
    second = graph and not getattr(learner, "first_order", False)
    support, queries = points(distribution)
    if learner.judged_each_step:
        support, queries = 2 * support, learner.train_steps * queries
    steps = learner.train_steps
    return MARGIN * bytes_of(learner, distribution.spec, support, queries, steps=steps, second_order=second)


def tasks_held(learner: Learner, distribution: TaskDistribution, training: Training, seeds: int, device: str) -> int:
    """How many tasks are in memory at once: all of a meta-batch and all seeds, but large ones one by one."""
    network = network_of(learner)
    if network is not None and device == "cpu" and large(network, distribution.spec, sum(points(distribution))):
        return 1
    return seeds * min(training.meta_batch, training.tasks_at_once or training.meta_batch)


def bound(learner: Learner, distribution: TaskDistribution, training: Training, seeds: int, device: str) -> int:
    """Bytes that a training stays under."""
    held = tasks_held(learner, distribution, training, seeds, device)
    return BASE + held * bytes_of_task(learner, distribution)


def refuse_too_large(
    learner: Learner, distribution: TaskDistribution, training: Training, seeds: int, device: str, available: int
) -> None:
    """Refuses a training whose bound is above what there is.

    Raises:
        BadInput: it is; the sentence names the setting to change.
    """
    need = bound(learner, distribution, training, seeds, device)
    if need <= available:
        return
    fitting = (available - BASE) // (seeds * bytes_of_task(learner, distribution))
    change = (
        f"set training.tasks_at_once to {fitting}" if fitting > 0 else "take a smaller network or fewer inner steps"
    )
    raise BadInput(
        f"{learner.name} on {distribution.name} may need {need / GB:,.1f} GB of memory, and there are "
        f"{available / GB:,.1f} GB: {change}."
    )
