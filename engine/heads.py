"""A fresh output layer at test time: what the learned one contributes (Huisman 2024, chapter 4).

The last layer of the learned start is replaced by a freshly initialised one, with PyTorch's default weights and bias
zero, and the learner adapts as usual. The body stays, so what is lost is what had been learned into the head. Every
task gets a head of its own. (The published code has this switch for MAML only; finetuning, which always starts from a
random head there, is its control.)
"""

import torch

from engine.errors import BadInput
from engine.learners import Learner, Params
from engine.networks import Layer, network_of, perceptron
from engine.trees import stack

Head = dict[str, torch.Tensor]  # weight (out, d), and bias (out,) where the learned one has one


def with_head(learner: Learner, params: Params, head: Head) -> Params:
    """The same meta-parameters with another last layer of the network."""
    last = _head_of(learner, params)
    fresh = {key: head[part] for key, part in ((last.weight, "weight"), (last.bias, "bias")) if key is not None}
    return {**params, "net": {**params["net"], **fresh}}


def fresh_heads(learner: Learner, params: Params, generator: torch.Generator, tasks: int) -> Head:
    """One freshly initialised head for each task, stacked along a leading axis.

    Args:
        learner: a learner that starts from a whole network in `params["net"]`.
        params: its meta-parameters (one seed).
        generator: source of randomness.
        tasks: how many heads.

    Raises:
        BadInput: the learner does not start from one.
    """
    last = _head_of(learner, params)
    weight = params["net"][last.weight]
    drawn = [perceptron.init(generator, (weight.shape[-1], weight.shape[-2])) for _ in range(tasks)]
    heads = {"weight": stack([one["weight1"] for one in drawn]).to(weight)}
    return heads | ({} if last.bias is None else {"bias": stack([one["bias1"] for one in drawn]).to(weight)})


def _head_of(learner: Learner, params: Params) -> Layer:
    """The head of a network whose tensors are all learned."""
    network = network_of(learner)
    if network is None or set(params.get("net", ())) != set(network.ranks):
        raise BadInput(f"{learner.name} has no learned output layer that a fresh one could replace.")
    return network.head
