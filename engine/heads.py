"""A fresh output layer at test time: what the learned one contributes (Huisman 2024, chapter 4).

The last layer of the learned start is replaced by a freshly initialised one, with PyTorch's default weights and bias
zero, and the learner adapts as usual. The body stays, so what is lost is what had been learned into the head. Every
task gets a head of its own. (The published code has this switch for MAML only; finetuning, which always starts from a
random head there, is its control.)
"""

import torch

from engine.errors import BadInput
from engine.learners import Learner, Params
from engine.networks import Net, network_of, perceptron
from engine.trees import stack

Head = dict[str, torch.Tensor]  # weight (out, d) and bias (out,)


def with_head(params: Params, head: Head) -> Params:
    """The same meta-parameters with another last layer of the base network."""
    last = _last(params["net"])
    return {**params, "net": {**params["net"], f"weight{last}": head["weight"], f"bias{last}": head["bias"]}}


def _last(net: Net) -> int:
    """The number of the last layer: networks number their layers, whatever else they have of each."""
    return max((int(key[6:]) for key in net if key.startswith("weight") and key[6:].isdigit()), default=0)


def fresh_heads(learner: Learner, params: Params, generator: torch.Generator, tasks: int) -> Head:
    """One freshly initialised head for each task, stacked along a leading axis.

    Args:
        learner: a learner whose start is a whole network, `params["net"]`.
        params: its meta-parameters (one seed).
        generator: source of randomness.
        tasks: how many heads.

    Raises:
        BadInput: the learner does not start from one.
    """
    net = params.get("net", {})
    network, last = network_of(learner), _last(net)
    if network is None or set(net) != set(network.ranks) or network.head.keys != [f"weight{last}", f"bias{last}"]:
        raise BadInput(f"{learner.name} has no learned output layer that a fresh one could replace.")
    weight = net[f"weight{last}"]
    drawn = [perceptron.init(generator, (weight.shape[-1], weight.shape[-2])) for _ in range(tasks)]
    return {
        "weight": stack([one["weight1"] for one in drawn]).to(weight),
        "bias": stack([one["bias1"] for one in drawn]).to(weight),
    }
