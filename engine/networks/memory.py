"""How much one pass through a network keeps for its way back, from its points: what bounds on memory start from."""

import math

from engine.networks.network import Kind, Network
from engine.tasks import TaskSpec

# A norm keeps its input without the mean; an activation, what it makes; max-pooling, what it makes and, in 64 bits,
# where the largest were.
KEPT: dict[Kind, int] = {"input": 1, "weight": 0, "linear": 1, "active": 1, "pooled": 3, "output": 1}


def activations(network: Network, spec: TaskSpec) -> int:
    """How many 32-bit numbers `forward` keeps of one example for its way back, about.

    What torch really keeps is 0.4 to 1.25 times as much: least without norms, most with leaky activations, which keep
    what they read as well. The weights, and what stands at the points, are not counted. A step of gradient descent
    whose graph is kept for second derivatives keeps up to 3 times as much (measured: 1 without norms, 2.1 to 2.9 with).
    """
    return sum(KEPT[point.kind] * math.prod(point.shape) for point in network.points(spec))
