"""Every network with every norm, so small that second derivatives in float64 take a moment, and data for them."""

import torch

from engine.networks import MLP, Conv4, Net, Network, ResNet10, ResNet12, ResNet18
from engine.tasks import Classes, Image, Task, TaskSpec, stream
from engine.trees import tree_map
from tests.engine.conftest import double

NORMS = ("batch", "support", "group", "none")


def _cases() -> dict[str, tuple[Network, tuple[int, ...]]]:
    """Networks and the shape of the images that they are asked about."""
    found: dict[str, tuple[Network, tuple[int, ...]]] = {"mlp": (MLP((5, 4)), (2, 3, 3))}
    for norm in NORMS:
        of = {"norm": norm, "groups": 2}
        found |= {
            f"conv4 {norm}": (Conv4(channels=4, blocks=2, **of), (2, 8, 9)),
            f"conv4 without padding {norm}": (Conv4(channels=4, blocks=2, padding=0, **of), (1, 12, 10)),
            f"conv4 of stride 2 {norm}": (Conv4(channels=4, blocks=2, pool="stride", **of), (1, 8, 8)),
            f"resnet10 {norm}": (ResNet10(width=2, stem="small", **of), (2, 8, 8)),
            f"resnet12 {norm}": (ResNet12(width=2, **of), (1, 16, 16)),
        }
    found["resnet10 with a large stem"] = ResNet10(width=2), (3, 40, 40)
    found["resnet18"] = ResNet18(width=2, stem="small"), (1, 8, 8)
    return found


CASES = _cases()
IMAGES = [name for name in CASES if name != "mlp"]
CLASSES = 3


def spec_of(name: str) -> TaskSpec:
    """Three classes of images, of the size that the network of a case takes."""
    return TaskSpec(Image(*CASES[name][1]), Classes(CLASSES))


def weights(network: Network, spec: TaskSpec, seed: int = 0) -> Net:
    """Weights whose biases, scales and shifts are not those of the start, float64."""
    net, generator = double(network.init(stream("init", seed), spec)), stream("page", seed)
    return {k: v + 0.2 * torch.randn(v.shape, generator=generator, dtype=v.dtype) for k, v in net.items()}


def images(spec: TaskSpec, examples: int, index: int = 0) -> torch.Tensor:
    """Random images, float64."""
    return torch.randn(examples, *spec.input_shape, generator=stream("page", 7, index), dtype=torch.float64)


def drawn_task(spec: TaskSpec, index: int = 0) -> Task:
    """Four support images and three queries with targets (., classes), float64."""
    support_y, query_y = (
        torch.randn(rows, CLASSES, generator=stream("page", 8, index), dtype=torch.float64) for rows in (4, 3)
    )
    return Task(images(spec, 4, 2 * index), support_y, images(spec, 3, 2 * index + 1), query_y)


def detached(net: Net) -> Net:
    """The same numbers, as constants."""
    return tree_map(torch.Tensor.detach, net)
