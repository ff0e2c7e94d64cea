"""What a state keeps of the support so that queries can be asked: only networks whose norms settle need something."""

from typing import Any

from torch import Tensor

from engine.networks import Hook, Net, Network, keep

State = dict[str, Any]


def remembered(network: Network, support_x: Tensor) -> State:
    """What a state must have beside a learner's own: the support's inputs, for a network that settles."""
    return {"support": support_x} if network.settles else {}


def carried(state: State) -> State:
    """The same from the state of the step before."""
    return {"support": state["support"]} if "support" in state else {}


def settled(network: Network, net: Net, state: State, at: Hook = keep) -> Net:
    """Weights with which queries can be asked, see `Network.settled`."""
    return network.settled(net, state["support"], at) if "support" in state else net
