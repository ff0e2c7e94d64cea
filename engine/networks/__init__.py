"""Networks: what learners adapt. `NETWORKS` names them; a new one is one file and one line here, or a plug-in."""

from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf

from engine.configure import configure
from engine.errors import BadConfig, quoted
from engine.networks.conv import Conv4
from engine.networks.mlp import MLP
from engine.networks.network import Acting, Hook, Layer, Net, Network, Point, as_rows_of, keep, network_of
from engine.networks.resnet import ResNet10, ResNet12, ResNet18
from engine.registry import ClassRegistry

NETWORKS: ClassRegistry[Network] = ClassRegistry("network", Network, (MLP, Conv4, ResNet10, ResNet12, ResNet18))

STANDARD = MLP((40, 40))  # the base network of the dissertation's chapters 3 and 6 on sine waves
STANDARD_BIASED = MLP((40, 40), output_bias=True)  # that of chapter 5


def network_class(name: str) -> type[Network]:
    """The network registered as `name`.

    Raises:
        UnknownName: there is none.
    """
    return NETWORKS.known(name)


def make_network(value: Any) -> Network:
    """A network from plain values: its name, or a dictionary of its parameters with its `name` ("mlp" unless given).

    Raises:
        UnknownName: there is no such network.
        BadConfig: a parameter does not exist or has a value that is not allowed.
    """
    if isinstance(value, Network):
        return value
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict) or not isinstance(name := value.get("name", MLP.name), str):
        raise BadConfig(f"a network is its name, or its name and parameters; {quoted(value)} was given")
    parameters = {key: given for key, given in value.items() if key != "name"}
    made: Network = configure(network_class(name), parameters, f"network {name}")
    return made


ANetwork = Annotated[InstanceOf[Network], BeforeValidator(make_network)]  # as a field of a learner

__all__ = [
    "MLP",
    "NETWORKS",
    "STANDARD",
    "STANDARD_BIASED",
    "ANetwork",
    "Acting",
    "Conv4",
    "Hook",
    "Layer",
    "Net",
    "Network",
    "Point",
    "ResNet10",
    "ResNet12",
    "ResNet18",
    "as_rows_of",
    "keep",
    "make_network",
    "network_class",
    "network_of",
]
